"""Every part from its trigger to its record: born once, matched with its frame, decided once, recorded once."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from camera.frame import Frame, Trigger
from inspection.challenge import EXTRA_KEY
from inspection.ejector.interface import Ejector
from inspection.part import Actuation, Decision, EjectorAction, PartResult, Reason, Stages, Verdict
from inspection.pipeline.decide import not_decidable, overruled


@dataclass(frozen=True, slots=True)
class Geometry:
    """When a part that triggers now is at the ejector, and by when its verdict must be known.

    travel_ns: from the photo-eye to the ejector. lead_ns: how long before the due time the verdict must have arrived
    (the time on the wire, the actuator's delay and a margin).
    """

    travel_ns: int
    lead_ns: int


@dataclass(slots=True)
class PartInFlight:
    """A part between photo-eye and ejector. Owned by the tracker, changed only under its lock."""

    number: int
    due_host_ns: int
    deadline_host_ns: int
    stages: Stages
    frame: Frame | None = None
    decision: Decision | None = None
    truth: str = ""
    note: str = ""  # why it could not be judged, where that has a reason
    challenge: str = ""  # the challenge that it was laid for
    ended: bool = False


@dataclass(slots=True)
class TrackerCounters:
    """What the tracker counted since the station started; nothing that happens to a part is silent."""

    triggers: int = 0
    frames: int = 0
    lost_frames: int = 0
    late_frames: int = 0
    spurious_frames: int = 0
    doubled_triggers: int = 0
    unknown_actuations: int = 0
    system_rejects: int = 0


@dataclass(slots=True)
class PartTracker:
    """Keeps the parts in flight; shared by the trigger, grabbing, inference and ejector threads under one lock.

    The ejector's report ends a part: it is the only authority on what happened to it, so a verdict that came too late
    can never be recorded as a pass. `emit` gets each finished part exactly once, on the ejector's thread.
    """

    run: str
    geometry: Geometry
    ejector: Ejector
    may_pass: Callable[[], bool]
    born: Callable[[PartInFlight], None]
    emit: Callable[[PartResult], None]
    counters: TrackerCounters = field(default_factory=TrackerCounters)
    _parts: dict[int, PartInFlight] = field(default_factory=dict)
    _early: deque[tuple[int, Frame]] = field(default_factory=lambda: deque(maxlen=16))
    _last_number: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _emptied: threading.Condition = field(init=False)

    def __post_init__(self) -> None:
        self._emptied = threading.Condition(self._lock)

    @property
    def in_flight(self) -> int:
        """How many parts are between the photo-eye and their record."""
        return len(self._parts)

    def on_trigger(self, trigger: Trigger, truth: str = "") -> tuple[PartInFlight, Frame] | None:
        """Give birth to a part and arm its reject; return it with its frame when the frame overtook the trigger."""
        due_host_ns = trigger.host_ns + self.geometry.travel_ns
        part = PartInFlight(
            trigger.number,
            due_host_ns,
            due_host_ns - self.geometry.lead_ns,
            Stages(trigger_host_ns=trigger.host_ns),
            truth=truth,
        )
        with self._lock:
            if trigger.number <= self._last_number:
                self.counters.doubled_triggers += 1
                return None
            self._last_number = trigger.number
            self._parts[part.number] = part
            self.counters.triggers += 1
            frame = self._take_early(part.number)
            if frame is not None:
                self._attach(part, frame)
        self.born(part)
        self.ejector.expect(part.number, part.due_host_ns, part.deadline_host_ns)
        return None if frame is None else (part, frame)

    def _take_early(self, number: int) -> Frame | None:
        for early in self._early:
            if early[0] == number:
                self._early.remove(early)
                return early[1]
        return None

    def on_frame(self, number: int, frame: Frame) -> PartInFlight | None:
        """Match a frame with its part by the trigger's number alone; None when the part is done, or not born yet."""
        with self._lock:
            part = self._parts.get(number)
            if part is None or part.ended:
                self._keep_unmatched(number, frame)
                return None
            if part.frame is not None:
                self.counters.spurious_frames += 1
                return None
            self._attach(part, frame)
            return part

    def _keep_unmatched(self, number: int, frame: Frame) -> None:
        if number <= self._last_number:
            self.counters.late_frames += 1
            return
        if len(self._early) == self._early.maxlen:
            self.counters.spurious_frames += 1
        self._early.append((number, frame))

    def _attach(self, part: PartInFlight, frame: Frame) -> None:
        part.frame = frame
        part.stages.frame_host_ns = frame.received_host_ns
        self.counters.frames += 1

    def on_frames_lost(self, first: int, last: int) -> None:
        """Reject the parts first…last, whose frames the camera will never deliver."""
        for number in range(first, last + 1):
            with self._lock:
                part = self._parts.get(number)
                self.counters.lost_frames += 1
            if part is not None and part.frame is None:
                self.decided(part, not_decidable(Reason.NO_IMAGE))

    def decided(self, part: PartInFlight, decision: Decision) -> None:
        """Take the one decision about a part and tell the ejector; later decisions about it are ignored."""
        if decision.verdict is Verdict.PASS and not self.may_pass():
            decision = overruled(decision, Reason.SYSTEM)
        with self._lock:
            if part.decision is not None or part.ended:
                return
            part.stages.decided_host_ns = time.monotonic_ns()
            part.decision = decision
            if decision.reason is Reason.SYSTEM:
                self.counters.system_rejects += 1
        self.ejector.decide(part.number, decision.verdict)

    def on_actuation(self, actuation: Actuation) -> None:
        """End a part: what the ejector did is final. Called once per part, on the ejector's thread."""
        with self._lock:
            part = self._parts.get(actuation.part)
            if part is None or part.ended:
                self.counters.unknown_actuations += 1
                return
            part.ended = True
            decision = self._final(part, actuation)
        frame = part.frame
        self.emit(
            PartResult(
                run=self.run,
                part=part.number,
                decision=decision,
                actuation=actuation,
                stages=part.stages,
                due_host_ns=part.due_host_ns,
                deadline_host_ns=part.deadline_host_ns,
                frame_counter=None if frame is None else frame.counter,
                device_ns=None if frame is None else frame.device_ns,
                lost_before=0 if frame is None else frame.lost_before,
                pixel_format="" if frame is None else frame.pixel_format,
                pixels=None if frame is None else frame.pixels,
                truth=part.truth,
                extra=self._extra(part),
            )
        )
        with self._lock:
            del self._parts[part.number]
            if not self._parts:
                self._emptied.notify_all()

    @staticmethod
    def _extra(part: PartInFlight) -> dict[str, str]:
        extra = {"failure": part.note, EXTRA_KEY: part.challenge}
        return {key: value for key, value in extra.items() if value}

    @staticmethod
    def _final(part: PartInFlight, actuation: Actuation) -> Decision:
        """Settle the decision with what the ejector did: only a part that was released in time has passed."""
        decision = part.decision
        if actuation.by_default:
            if decision is None:
                return not_decidable(Reason.NO_IMAGE if part.frame is None else Reason.LATE)
            return decision if decision.verdict is Verdict.REJECT else overruled(decision, Reason.LATE)
        if decision is None:
            return not_decidable(Reason.SYSTEM)
        if decision.verdict is Verdict.PASS and actuation.action is not EjectorAction.RELEASED:
            return overruled(decision, Reason.SYSTEM)
        return decision

    def wait_empty(self, timeout_s: float) -> bool:
        """Wait until no part is in flight; False when some still are after `timeout_s`."""
        with self._lock:
            return self._emptied.wait_for(lambda: not self._parts, timeout_s)
