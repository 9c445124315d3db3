"""Faults that show only over several parts or over time: rejects in a row, a jammed ejector, a clock that is set."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from inspection.alarm_board import AlarmBoard
from inspection.camera_history import CameraReport
from inspection.ejector.controller.wire import BinFull, FaultCode, FaultReport, Stranger
from inspection.ejector.interface import EjectorHealth
from inspection.motion import Motion
from inspection.part import EjectorAction, Evaluation, Reason
from inspection.records.record import StoredRecord

STEP_NS = 500_000_000
"""A wall clock that moved this much further or less than the monotonic one was set, not slewed."""

_READING_NS = 5_000_000  # two readings of the clocks further apart than this do not belong together
STRANGERS_IN_A_ROW = 3
"""From how many parts in a row that look like nothing known somebody is told."""

_TRANSIENT_S = 15.0
_STEPPED_S = 60.0
_ENCODER_SILENT_S = 0.5


_TOLD_OTHERWISE = frozenset({FaultCode.ENCODER_STANDS, FaultCode.HEARTBEAT_LOST})
"""An encoder that stands has an alarm of its own; after our own silence the controller rejects and is armed again."""


class RejectWatch:
    """Follows durable records; owned by the station, called on the recorder's thread."""

    def __init__(self, alarms: AlarmBoard, limit: int) -> None:
        """limit: from how many parts in a row that were not OK the alarm stands."""
        self._alarms = alarms
        self._limit = limit
        self._strangers = 0
        self.in_a_row = 0

    def add(self, records: Iterable[StoredRecord]) -> None:
        """Look at records that have just become durable."""
        for record in records:
            self._count(record)
            self._count_strangers(record)
            if record.ejector_action == EjectorAction.NOT_SEEN:
                self._alarms.raise_alarm("EJECTOR_JAMMED", for_s=_TRANSIENT_S, part=record.part)

    def _count(self, record: StoredRecord) -> None:
        """Count by what was found out, not by the verdict: while nothing may pass, good parts still end the row."""
        if record.evaluation == Evaluation.OK:
            self.in_a_row = 0
            self._alarms.clear("REJECTS_IN_A_ROW")
        elif record.reason not in (Reason.SYSTEM, Reason.OPERATOR, Reason.INTERLOCK):
            self.in_a_row += 1
            if self.in_a_row >= self._limit:
                self._alarms.raise_alarm("REJECTS_IN_A_ROW", count=self.in_a_row)

    def _count_strangers(self, record: StoredRecord) -> None:
        """One part that looks like nothing known may be dirt; several are another product, camera or light."""
        if record.reason == Reason.OUT_OF_DISTRIBUTION:
            self._strangers += 1
            if self._strangers >= STRANGERS_IN_A_ROW:
                self._alarms.raise_alarm("UNKNOWN_LOOK", count=self._strangers)
        elif record.evaluation != Evaluation.NOT_DECIDABLE:
            self._strangers = 0
            self._alarms.clear("UNKNOWN_LOOK")


class CameraWatch:
    """Follows what the cameras' drivers count; owned by the upkeep of the cameras, since a driver may be slow to tell.

    A link that loses packets is told of before it loses pictures: most come when they are asked for again.
    """

    _EVERY_NS = 2_000_000_000
    _LOOKS = 5
    _POOR_LOOKS = 3
    _SIGNS = ("missing_packets", "resend_requests", "broken_frames", "underruns")

    def __init__(self, alarms: AlarmBoard) -> None:
        self._alarms = alarms
        self._next_ns = 0
        self._seen: dict[str, Mapping[str, int]] = {}
        self._poor: dict[str, deque[str]] = {}

    def look(self, reports: Callable[[], Iterable[CameraReport]], now_ns: int) -> None:
        """Raise or clear CAMERA_LINK_POOR; does something every two seconds at most."""
        if now_ns < self._next_ns:
            return
        self._next_ns = now_ns + self._EVERY_NS
        poor = []
        for camera in reports():
            signs = {name: camera.counters.get(name, 0) for name in self._SIGNS}
            before = self._seen.get(camera.name, {})
            self._seen[camera.name] = signs
            grown = {name: count - before.get(name, 0) for name, count in signs.items() if count > before.get(name, 0)}
            looks = self._poor.setdefault(camera.name, deque(maxlen=self._LOOKS))
            looks.append(", ".join(f"{name.replace('_', ' ')} +{count}" for name, count in grown.items()))
            signs_seen = [listed for listed in looks if listed]
            if len(signs_seen) >= self._POOR_LOOKS:
                poor.append(f"{camera.name}: {signs_seen[-1]}")
        self._alarms.tell("CAMERA_LINK_POOR", "; ".join(poor))


class EjectorWatch:
    """Follows what the ejector says of itself and of the belt; owned by the station, called by its supervisor."""

    def __init__(self, alarms: AlarmBoard, motion: Motion) -> None:
        self._alarms = alarms
        self._motion = motion
        self._resets = 0

    def look(self, health: EjectorHealth, in_flight: bool, now_ns: int) -> None:
        """Raise and clear what concerns no single part. in_flight: parts are on the belt."""
        resets = health.counters.get("controller_resets", 0)
        if resets > self._resets:
            self._resets = resets
            self._alarms.raise_alarm("CONTROLLER_RESET", for_s=_TRANSIENT_S, detail=f"It was reset {resets} times.")
        if health.counters.get("bin_full"):
            self._alarms.raise_alarm("BIN_FULL")
        else:
            self._alarms.clear("BIN_FULL")
        self._look_at_belt(in_flight, now_ns)

    def hear(self, event: Stranger | BinFull | FaultReport, health: EjectorHealth) -> None:
        """Take what a controller tells at once; a full bin and an encoder that stands are looked at regularly."""
        match event:
            case Stranger():
                count = health.counters.get("strangers", 0)
                self._alarms.raise_alarm("UNKNOWN_PART", for_s=_TRANSIENT_S, count=count)
            case FaultReport() if event.code not in _TOLD_OTHERWISE:
                self._alarms.raise_alarm("CONTROLLER_FAULT", for_s=_TRANSIENT_S, detail=FaultCode(event.code).name)

    def _look_at_belt(self, in_flight: bool, now_ns: int) -> None:
        silent_s = self._motion.silent_ns(now_ns) * 1e-9
        is_silent = in_flight and silent_s > _ENCODER_SILENT_S
        if is_silent:
            self._alarms.raise_alarm("ENCODER_SILENT", detail=f"No sample for {silent_s:.1f} s.")
        else:
            self._alarms.clear("ENCODER_SILENT")
        if in_flight and not is_silent and self._motion.when(self._motion.position_at(now_ns) + 1) is None:
            self._alarms.raise_alarm("BELT_STOPPED")
        else:
            self._alarms.clear("BELT_STOPPED")


class ClockWatch:
    """Holds the wall clock against the monotonic one; owned by the station, called by its supervisor."""

    def __init__(
        self,
        alarms: AlarmBoard,
        wall_ns: Callable[[], int] = time.time_ns,
        host_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._alarms = alarms
        self._wall_ns, self._host_ns = wall_ns, host_ns
        self._apart_ns: int | None = None
        self.steps = 0

    def look(self) -> None:
        """Compare both clocks with the last look. A reading that was interrupted says nothing."""
        before_ns = self._host_ns()
        wall_ns = self._wall_ns()
        if self._host_ns() - before_ns > _READING_NS:
            return
        apart_ns = wall_ns - before_ns
        if self._apart_ns is None:
            self._apart_ns = apart_ns
        step_ns = apart_ns - self._apart_ns
        self._apart_ns = apart_ns
        if abs(step_ns) >= STEP_NS:
            self.steps += 1
            self._alarms.raise_alarm("CLOCK_STEPPED", for_s=_STEPPED_S, step_s=f"{step_ns / 1e9:+.1f}")
