"""Who is told of poor pictures: an alarm after some in a row, and one before that, when the median nears a limit."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from inspection.alarm_board import AlarmBoard
from inspection.quality.limits import LIMITS, held, trouble_of, used_up
from inspection.quality.options import QualitySection
from inspection.records.record import StoredRecord

WINDOW = 50
"""The running median is that of so many pictures that were good enough."""

_EVERY = 10  # the medians are looked at with each tenth record
_RETURN = 0.8  # a drift is over when less than this share of what began it is left


class QualityWatch:
    """Follows durable records; owned by the station, called on the recorder's thread.

    views: the camera's name and the limits of each view, None where no limit is held.
    """

    def __init__(self, alarms: AlarmBoard, views: Sequence[tuple[str, QualitySection | None]]) -> None:
        self._alarms = alarms
        self._cameras = [camera for camera, _ in views]
        self._views = [None if section is None else _View(section) for _, section in views]
        self._in_a_row = [0] * len(views)
        self._looked_at = 0
        self._drifts = False

    def add(self, records: Iterable[StoredRecord]) -> None:
        """Look at records that have just become durable."""
        for record in records:
            stories = record.extra.get("quality", ())
            for place, (view, story) in enumerate(zip(self._views, stories, strict=False)):
                if view is not None and story is not None:
                    self._count(place, view, story)
            if stories:
                self._look_for_drift()

    def _count(self, place: int, view: _View, story: Mapping[str, Any]) -> None:
        if not story["outside"]:
            view.add(story)
            self._in_a_row[place] = 0
            if not any(map(self._is_poor, range(len(self._views)))):
                self._alarms.clear("IMAGE_QUALITY")
            return
        self._in_a_row[place] += 1
        if self._is_poor(place):
            why, camera = trouble_of(story["outside"]), self._cameras[place]
            self._alarms.raise_alarm("IMAGE_QUALITY", count=self._in_a_row[place], camera=camera, why=why)

    def _is_poor(self, place: int) -> bool:
        view = self._views[place]
        return view is not None and self._in_a_row[place] >= view.section.in_a_row

    def _look_for_drift(self) -> None:
        self._looked_at += 1
        if self._looked_at % _EVERY:
            return
        found = [
            (share, self._cameras[place], trouble)
            for place, view in enumerate(self._views)
            if view is not None
            for share, trouble in [view.furthest()]
            if share >= view.section.drift_share * (_RETURN if self._drifts else 1.0)
        ]
        self._drifts = bool(found)
        if found:
            share, camera, why = max(found)
            self._alarms.raise_alarm("IMAGE_DRIFT", percent=f"{min(share, 1.0) * 100:.0f}", camera=camera, why=why)
        else:
            self._alarms.clear("IMAGE_DRIFT")


class _View:
    """The last figures of one view's good pictures. Without a usual value in the limits, it is the first median."""

    def __init__(self, section: QualitySection) -> None:
        self.section = section
        self._limits = held(section)
        self._usual = dict[str, float](section.usual.items())
        self._last = {limit.figure: deque[float](maxlen=WINDOW) for limit, _ in self._limits}

    def add(self, story: Mapping[str, Any]) -> None:
        """Take the figures of one picture."""
        for figure, last in self._last.items():
            last.append(float(story[figure]))

    def furthest(self) -> tuple[float, str]:
        """Return how much of the way to the nearest limit the medians have gone, and what is wrong there."""
        gone = [(0.0, LIMITS[0].trouble)]
        for limit, value in self._limits:
            last = self._last[limit.figure]
            if len(last) < WINDOW:
                continue
            now = median(last)
            usual = self._usual.setdefault(limit.figure, now)
            gone.append((used_up(limit, value, usual, now), limit.trouble))
        return max(gone)
