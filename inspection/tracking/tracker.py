"""Parts in flight: born at their trigger, matched with their frames, settled with the ejector's report."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from camera.frame import Frame, Trigger
from inspection.ejector.interface import Ejector
from inspection.identity.words import Reading
from inspection.motion import Motion
from inspection.part import Actuation, Decision, PartResult, Reason, Stages, Verdict
from inspection.pipeline.decide import not_decidable
from inspection.tracking.early import EarlyFrames
from inspection.tracking.fusion import Fusion
from inspection.tracking.geometry import Geometry
from inspection.tracking.identity import Identifies, Nameless
from inspection.tracking.neighbours import Neighbours
from inspection.tracking.outcome import decide_part, end_part
from inspection.tracking.part import PartInFlight, TrackerCounters, View
from inspection.tracking.result import part_result

_FAR_NS = 3_600_000_000_000
"""How far away the deadline of a part is taken to be that a standing belt keeps from the ejector."""


@dataclass(slots=True)
class PartTracker:
    """Keeps the parts in flight; shared by the trigger, grabbing, inference and ejector threads under one lock.

    The ejector's report ends a part: it is the only authority on what happened to it, so a verdict that came too late
    can never be recorded as a pass. `admit` says under the lock what a new part belongs to. `emit` gets each finished
    part exactly once, on the ejector's thread. It has no thread and no clock of its own: `now` gives host ns, real or
    virtual. views: the camera of each view of a part.
    """

    run: str
    geometry: Geometry
    motion: Motion
    ejector: Ejector
    fusion: Fusion
    views: Sequence[str]
    may_pass: Callable[[], bool]
    born: Callable[[PartInFlight], None]
    emit: Callable[[PartResult], None]
    now: Callable[[], int]
    why_held: Callable[[], Reason] = lambda: Reason.SYSTEM
    admit: Callable[[PartInFlight], None] = lambda _part: None
    identity: Identifies = field(default_factory=Nameless)
    counters: TrackerCounters = field(default_factory=TrackerCounters)
    _parts: dict[int, PartInFlight] = field(default_factory=dict)
    _early: EarlyFrames = field(init=False)
    _last_number: int = 0
    _neighbours: Neighbours = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _emptied: threading.Condition = field(init=False)

    def __post_init__(self) -> None:
        self._emptied = threading.Condition(self._lock)
        self._early = EarlyFrames(len(self.views))
        self._neighbours = Neighbours(self.geometry)

    @property
    def in_flight(self) -> int:
        """How many parts are between the photo-eye and their record."""
        return len(self._parts)

    def change(self, run: str, fusion: Fusion) -> None:
        """Go by another recipe in a new run; no part is in flight."""
        with self._lock:
            assert not self._parts
            self.run, self.fusion, self.counters = run, fusion, TrackerCounters()

    # ------------------------------------------------------------------ birth

    def on_trigger(self, trigger: Trigger, truth: str = "") -> tuple[PartInFlight | None, list[tuple[int, Frame]]]:
        """Give birth to a part and arm its reject; return it with its frames that overtook the trigger, by view.

        A number that came before is a doubled trigger: counted, and no part.
        """
        position = self.motion.position_at(trigger.host_ns) if trigger.position is None else trigger.position
        part = PartInFlight(
            trigger.number,
            position,
            position + self.geometry.travel,
            Stages(trigger_host_ns=trigger.host_ns),
            tuple(View(camera) for camera in self.views),
            truth,
        )
        with self._lock:
            if part.number <= self._last_number:
                self.counters.doubled_triggers += 1
                return None, []
            self._last_number = part.number
            self.admit(part)
            self.identity.admit(part)
            self._parts[part.number] = part
            self._neighbours.join(part)
            self.counters.triggers += 1
            early = self._take_early(part)
            lost_views = self._early.take_lost(part.number)
        self.born(part)
        self._arm(part)
        for view in lost_views:
            self._miss(part.number, view)
        return part, early

    def _arm(self, part: PartInFlight) -> None:
        """Arm a part's reject, and decide on what was found while its birth was written down."""
        self.ejector.expect(part.number, part.due)
        with self._lock:
            part.is_armed = True
            told = self._settle([part])
        self._tell(told)

    def _take_early(self, part: PartInFlight) -> list[tuple[int, Frame]]:
        matched: list[tuple[int, Frame]] = []
        for view, number, frame in self._early.take(part.number):
            if number == part.number and part.views[view].frame is None:
                self._attach(part, view, frame)
                matched.append((view, frame))
            else:
                self.counters.spurious_frames += 1
        return matched

    def forget_early(self) -> None:
        """Forget the frames of parts that are not born: their camera counts anew from here on."""
        with self._lock:
            self.counters.spurious_frames += self._early.forget()

    def deadline_host_ns(self, part: PartInFlight) -> int:
        """Return when the verdict must have arrived, as the belt moves now; an hour ahead while it stands."""
        due_host_ns = self.motion.when(part.due)
        return self.now() + _FAR_NS if due_host_ns is None else due_host_ns - self.geometry.lead_ns

    # ----------------------------------------------------------------- frames

    def on_frame(self, number: int, frame: Frame, view: int = 0) -> PartInFlight | None:
        """Match a frame with its part by the part's number; None when the part is done, or not born yet."""
        with self._lock:
            part = self._parts.get(number)
            if part is None or part.ended:
                self._keep_unmatched(number, frame, view)
                return None
            if part.views[view].frame is not None:
                self.counters.spurious_frames += 1
                return None
            self._attach(part, view, frame)
            return part

    def _keep_unmatched(self, number: int, frame: Frame, view: int) -> None:
        if number <= self._last_number:
            self.counters.late_frames += 1
            return
        if not self._early.keep(view, number, frame):
            self.counters.spurious_frames += 1

    def _attach(self, part: PartInFlight, view: int, frame: Frame) -> None:
        part.views[view].frame = frame
        part.stages.frame_host_ns = max(part.stages.frame_host_ns, frame.received_host_ns)
        self.counters.frames += 1
        self._emptied.notify_all()

    def on_frames_lost(self, first: int, last: int, view: int = 0) -> None:
        """Note that the frames of the parts first…last will never come; a part without any view left is rejected.

        Parts that are not born yet are rejected when they are: a trigger's answer may come after its frame's loss.
        """
        for number in range(first, last + 1):
            with self._lock:
                if number > self._last_number:
                    self.counters.lost_frames += last - number + 1
                    self._early.lose(view, number, last)
                    return
                self.counters.lost_frames += 1
            self._miss(number, view)

    def _miss(self, number: int, view: int) -> None:
        with self._lock:
            part = self._parts.get(number)
            if part is None or part.ended or part.views[view].frame is not None:
                return
            part.views[view].missing = Reason.NO_IMAGE
            part.give_up_code(view, "no picture of it came")
            self._emptied.notify_all()
            told = self._judge_if_complete(part)
        self._tell(told)

    def doubt(self, number: int, view: int, why: str) -> None:
        """Reject a part whose frame, for the reason given, says nothing for sure; too late once it has passed."""
        with self._lock:
            part = self._parts.get(number)
            if part is None or part.ended:
                return
            if part.decision is not None:
                self.counters.doubted_late += part.decision.verdict is Verdict.PASS
                return
            part.views[view].decision = not_decidable(Reason.SYSTEM)
            part.note = why
            part.give_up_code(view, why)
            part.judged = None
            told = self._judge_if_complete(part)
        self._tell(told)

    # --------------------------------------------------------------- decisions

    def code_read(self, part: PartInFlight, reading: Reading) -> None:
        """Take what came of looking for a part's code; the part is decided when its views are, too."""
        with self._lock:
            if part.ended or not part.awaits_code:
                return
            self.identity.take(part, reading)
            told = self._judge_if_complete(part)
        self._tell(told)

    def view_decided(self, part: PartInFlight, view: int, decision: Decision) -> None:
        """Take what was found on one view; the part is decided when each of its views has decided or never will."""
        self.views_decided([(part, view, decision)])

    def views_decided(self, found: Sequence[tuple[PartInFlight, int, Decision]]) -> None:
        """Take what was found on views that were scored together; the ejector is told of their parts at once."""
        told: list[PartInFlight] = []
        with self._lock:
            for part, view, decision in found:
                if part.ended or part.views[view].decision is not None:
                    continue
                part.views[view].decision = decision
                told += self._judge_if_complete(part)
        self._tell(told)

    def _judge_if_complete(self, part: PartInFlight) -> list[PartInFlight]:
        undecided = any(view.decision is None and view.missing is None for view in part.views)
        if part.awaits_code or part.judged is not None or undecided:
            return []
        fused, part.shown = self.fusion.fuse(part.views)
        part.judged = self.identity.judge(part, fused)
        return self._settle([*part.behind, part])  # some may have waited only to hear what is said about this one

    def _settle(self, waiting: list[PartInFlight]) -> list[PartInFlight]:
        """Decide the parts that can be, and those that waited for them; return the ones to tell the ejector of.

        One that is not armed yet is decided when it is: the ejector takes no verdict on a part that it does not know.
        """
        told = []
        while waiting:
            part = waiting.pop()
            if part.judged is None or part.decision is not None or part.ended or not part.is_armed:
                continue
            decision = decide_part(part, self.may_pass, self.why_held, self.now)
            if decision is None:
                continue
            self.counters.taken_along += part.is_taken_along
            self.counters.system_rejects += decision.reason is Reason.SYSTEM
            told.append(part)
            waiting.extend(part.behind)
        return told

    def _tell(self, parts: list[PartInFlight]) -> None:
        if parts:
            self.ejector.decide_all([(part.number, part.told or Verdict.REJECT) for part in parts])

    # --------------------------------------------------------------------- end

    def on_actuation(self, actuation: Actuation) -> None:
        """End a part: what the ejector did is final. Called once per part, on the ejector's thread."""
        with self._lock:
            part = self._parts.get(actuation.part)
            if part is None or part.ended:
                self.counters.unknown_actuations += 1
                return
            actuation = end_part(part, actuation, self.fusion)
            self.identity.ended(part, actuation.action)
            told = self._settle(list(part.behind))
        self._tell(told)
        due_host_ns = actuation.due_host_ns or self.motion.when(part.due) or 0
        self.emit(part_result(self.run, part, actuation, due_host_ns, due_host_ns - self.geometry.lead_ns))
        with self._lock:
            del self._parts[part.number]
            part.ahead.clear()
            part.behind.clear()
            self._emptied.notify_all()

    def wait_ended(self, number: int, timeout_s: float) -> bool:
        """Wait until a part is no longer in flight; False when it still is after `timeout_s`."""
        with self._lock:
            return self._emptied.wait_for(lambda: number not in self._parts, timeout_s)

    def wait_pictured(self, timeout_s: float) -> bool:
        """Wait until no frame of a part that is in flight now can still come; False when one can after `timeout_s`."""
        with self._lock:
            parts = list(self._parts.values())
            return self._emptied.wait_for(lambda: not any(part.awaits_frame for part in parts), timeout_s)

    def wait_empty(self, timeout_s: float) -> bool:
        """Wait until no part is in flight; False when some still are after `timeout_s`."""
        with self._lock:
            return self._emptied.wait_for(lambda: not self._parts, timeout_s)
