"""Who is told of parts that are not found in their pictures: after some in a row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from inspection.alarm_board import AlarmBoard
from inspection.records.record import StoredRecord

IN_A_ROW = 3


class LocationWatch:
    """Follows durable records; owned by the station, called on the recorder's thread. views: the camera of each view.

    A part that is not found is rejected in any case. One alone may lie badly; several are a camera that has moved,
    parts of another kind, or a feeder out of order.
    """

    def __init__(self, alarms: AlarmBoard, views: Sequence[str]) -> None:
        self._alarms = alarms
        self._cameras = views
        self._in_a_row = [0] * len(views)

    def add(self, records: Iterable[StoredRecord]) -> None:
        """Look at records that have just become durable; a view that was not looked at in time says nothing."""
        for record in records:
            missed = record.extra.get("not_located", ())
            for place in missed:
                self._missed(place)
            for place, pose in enumerate(record.extra.get("align", ())):
                if pose is not None and place not in missed:
                    self._found(place)

    def _missed(self, place: int) -> None:
        self._in_a_row[place] += 1
        if self._in_a_row[place] >= IN_A_ROW:
            self._alarms.raise_alarm("PART_NOT_LOCATED", count=self._in_a_row[place], camera=self._cameras[place])

    def _found(self, place: int) -> None:
        self._in_a_row[place] = 0
        if max(self._in_a_row) < IN_A_ROW:
            self._alarms.clear("PART_NOT_LOCATED")
