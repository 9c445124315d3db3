"""The way of one part through the station: trigger, frames, scores, decision, ejector, record – and what goes wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from camera.frame import BrokenFrame, ClockReading, Frame, Trigger
from inspection.alarm_board import AlarmBoard
from inspection.challenge import INTERLOCK_ALARMS
from inspection.ejector.interface import Ejector, EjectorHealth
from inspection.identity.words import Reading
from inspection.identity.workers import reading_of
from inspection.judging import judged
from inspection.motion import Motion
from inspection.part import Actuation, EjectorAction, PartResult, Reason
from inspection.pipeline.batch_queue import Job
from inspection.pipeline.decide import Judge, not_decidable
from inspection.records.errors import JournalError
from inspection.records.options import InputChoice
from inspection.records.record import StoredRecord
from inspection.run_counters import RunCounters
from inspection.tracking.fusion import Fusion
from inspection.tracking.geometry import Geometry
from inspection.tracking.identity import Identifies, Nameless
from inspection.tracking.matched_view import Found, MatchedView
from inspection.tracking.part import PartInFlight
from inspection.tracking.tracker import PartTracker


class Memory(Protocol):
    """Where parts are remembered: before they are decided about, and after they have ended."""

    run: str

    def born(self, part: PartInFlight, due_host_ns: int, deadline_host_ns: int) -> None:
        """Note a part before anything is decided about it. Raises JournalError."""

    def submit(self, result: PartResult) -> bool:
        """Hand a finished part to the recorder; False when it takes no more."""


@dataclass(frozen=True, slots=True)
class FlowSettings:
    """What the recipe says about a part's way. views: the camera of each view. judges: one a view, in their order."""

    geometry: Geometry
    fusion: Fusion
    views: Sequence[str]
    judges: Sequence[Judge]
    pulse_ms: float
    keep_inputs: InputChoice = "none"  # of which parts the recorder is given what the model got


class PartFlow:
    """Everything that happens to a part, without a thread, a device or a clock of its own.

    The station calls it from its threads, the simulator from its virtual time: the same code decides in both. Every
    method may be called from any thread and never waits. `submit` queues a job for the model, and is False when the
    queue is full; `offer` shows a finished part to the preview; `mark` gives what is to be noted with a new part;
    `admit` says what a new part belongs to; `tell_birth` hears of each before anything can be decided about it.
    `matched_views`: the views of cameras that do not give the triggers. `identity` names parts; `read_code` queues a
    picture for whatever reads their codes, and is False when that queue is full.
    """

    TRANSIENT_S = 15.0
    LATE_IN_A_ROW = 3

    def __init__(
        self,
        settings: FlowSettings,
        *,
        now: Callable[[], int],
        motion: Motion,
        ejector: Ejector,
        submit: Callable[[Job], bool],
        memory: Memory,
        alarms: AlarmBoard,
        counters: RunCounters,
        offer: Callable[[PartResult], None] = lambda _result: None,
        mark: Callable[[int], Mapping[str, Any]] = lambda _part: {},
        tell_birth: Callable[[PartInFlight], None] = lambda _part: None,
        admit: Callable[[PartInFlight], None] = lambda _part: None,
        matched_views: Mapping[int, MatchedView] = MappingProxyType({}),
        identity: Identifies | None = None,
        read_code: Callable[[Job], bool] = lambda _job: False,
    ) -> None:
        self._settings = settings
        self._now = now
        self._motion = motion
        self._ejector = ejector
        self._submit = submit
        self._read_code = read_code
        self._memory = memory
        self._alarms = alarms
        self._counters = counters
        self._offer = offer
        self._mark = mark
        self._tell_birth = tell_birth
        self._matched_views = matched_views
        self._shut = False
        self._last_due_host_ns = 0
        self._long_pulses = 0
        self.tracker = PartTracker(
            memory.run,
            settings.geometry,
            motion,
            ejector,
            settings.fusion,
            settings.views,
            self._may_pass,
            self._on_born,
            self._on_finished,
            now,
            self._why_held,
            admit,
            identity or Nameless(),
        )

    # ------------------------------------------------------- what comes in

    def on_trigger(self, trigger: Trigger, truth: str = "") -> None:
        """Give birth to a part: its reject is armed from now on."""
        part, early = self.tracker.on_trigger(trigger, truth)
        if part is None:
            return
        for view, frame in early:
            self._score(part, view, frame)
        for view, matched in self._matched_views.items():
            self._take_found(view, matched.born(part.number, part.position))

    def on_frame(self, number: int, frame: Frame, view: int = 0) -> None:
        """Take a view's frame of part `number`, and have it scored."""
        part = self.tracker.on_frame(number, frame, view)
        if part is not None:
            self._score(part, view, frame)

    def on_view_frame(self, view: int, frame: Frame | BrokenFrame) -> None:
        """Take an exposure of a camera that does not give the triggers, and have it scored if its part is found."""
        self._take_found(view, self._matched_views[view].frame(frame))

    def on_view_restarted(self, view: int) -> None:
        """Note that such a camera counts from the beginning again."""
        self._matched_views[view].restart()

    def on_view_clock(self, view: int, reading: ClockReading) -> None:
        """Note what such a camera's clock showed when it was asked; its frames come after that."""
        self._matched_views[view].clock_read(reading)

    def on_doubtful_frame(self, number: int, frame: Frame, why: str, view: int = 0) -> None:
        """Take a frame that surely is of part `number`, but says nothing that could let it pass."""
        if self.tracker.on_frame(number, frame, view) is not None:
            self.tracker.doubt(number, view, why)

    def on_frames_lost(self, first: int, last: int, view: int = 0) -> None:
        """Note that a view's frames of the parts first…last will never come."""
        self.tracker.on_frames_lost(first, last, view)

    def on_restarted(self) -> None:
        """Note that the camera that gives the triggers counts from the beginning again."""
        self.tracker.forget_early()

    def on_motion(self, host_ns: int, position: int) -> None:
        """Take an encoder sample, and pass it on to the ejector."""
        self._motion.observe(host_ns, position)
        self._ejector.moved(host_ns, position)

    def on_actuation(self, actuation: Actuation) -> None:
        """Take the ejector's report about a part: it has ended."""
        self.tracker.on_actuation(actuation)

    def on_ejector_health(self, health: EjectorHealth) -> None:
        """Follow the ejector's health: while it is not connected nothing passes."""
        if health.connected:
            self._alarms.clear("EJECTOR_LOST")
        else:
            self._alarms.raise_alarm("EJECTOR_LOST", port=health.port, detail=health.detail)
        long_pulses = health.counters.get("long_pulses", 0)
        if long_pulses > self._long_pulses:
            self._warn("PULSE_TOO_LONG", count=long_pulses)
        self._long_pulses = long_pulses

    def on_durable(self, records: Sequence[StoredRecord]) -> None:
        """Count records that have become durable, and raise what they tell of."""
        self._counters.add(records)
        for record in records:
            if record.reason is Reason.NO_IMAGE:
                self._warn("NO_IMAGE", part=record.part)
            elif record.reason is Reason.MISSING_VIEW:
                self._warn("MISSING_VIEW", part=record.part, camera=", ".join(record.missing_views))
        if self._counters.late_in_a_row >= self.LATE_IN_A_ROW:
            self._warn("LATE_VERDICTS", count=self._counters.late_in_a_row)

    def view_counters(self) -> dict[str, int]:
        """Return what the frames of cameras that do not give the triggers met, over all their views."""
        counted: Counter[str] = Counter()
        for matched in self._matched_views.values():
            counted.update(matched.counters)
        return {f"view_{name}": count for name, count in counted.items()}

    def change(self, settings: FlowSettings, submit: Callable[[Job], bool], read_code: Callable[[Job], bool]) -> None:
        """Go by another recipe and the memory's new run from the next part on; the line stands, no part is in flight.

        Parts are numbered on, so that none is taken for an earlier one; what was counted begins anew with the run.
        """
        self._settings, self._submit, self._read_code = settings, submit, read_code
        self.tracker.change(self._memory.run, settings.fusion)

    def shut(self, shut: bool = True) -> None:
        """Let nothing pass any more (the station shuts down, or stops the line for a fault), or open again."""
        self._shut = shut

    # ----------------------------------------------------- what becomes of it

    def _take_found(self, view: int, found: Found) -> None:
        for number in found.doubtful:
            self.tracker.doubt(number, view, "its frame may show the part behind it")
        for number in found.without_image:
            self.tracker.on_frames_lost(number, number, view)
        if found.frame is not None:
            self.on_frame(found.part, found.frame, view)

    def _may_pass(self) -> bool:
        return not self._alarms.blocking and not self._shut

    def _why_held(self) -> Reason:
        """Say why a good part does not pass: INTERLOCK where a challenge is the one reason, SYSTEM for any fault."""
        holding = {alarm.name for alarm in self._alarms.active() if alarm.blocks}
        by_challenge = not self._shut and holding and holding <= INTERLOCK_ALARMS
        return Reason.INTERLOCK if by_challenge else Reason.SYSTEM

    def _on_born(self, part: PartInFlight) -> None:
        part.extra.update(self._mark(part.number))
        deadline_host_ns = self.tracker.deadline_host_ns(part)
        due_host_ns = deadline_host_ns + self._settings.geometry.lead_ns
        try:
            self._memory.born(part, due_host_ns, deadline_host_ns)
        except JournalError as error:
            self._warn("RECORDS_TROUBLE", detail=error)
        self._tell_birth(part)
        if part.ahead:
            gap_ms = f"{(due_host_ns - self._last_due_host_ns) * 1e-6:.0f}"
            self._warn("PARTS_TOO_CLOSE", gap_ms=gap_ms, pulse_ms=f"{self._settings.pulse_ms:g}")
        self._last_due_host_ns = due_host_ns

    def _score(self, part: PartInFlight, view: int, frame: Frame) -> None:
        job = Job(
            frame.pixels,
            self.tracker.deadline_host_ns(part),
            self._on_scored,
            token=(part, view),
            view=view,
            pixel_format=frame.pixel_format,
        )
        if not self._submit(job):
            self.tracker.view_decided(part, view, not_decidable(Reason.LATE))
        if part.identity is not None and part.identity.view == view:
            self._look_for_code(part, frame)

    def _look_for_code(self, part: PartInFlight, frame: Frame) -> None:
        deadline_host_ns = self.tracker.deadline_host_ns(part)
        job = Job(frame.pixels, deadline_host_ns, self._on_codes_read, token=part, pixel_format=frame.pixel_format)
        if not self._read_code(job):
            full = Reading(why="too many parts wait for their codes to be read", is_late=True)
            self.tracker.code_read(part, full)

    def _on_codes_read(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self.tracker.code_read(job.token, reading_of(job))

    def _on_scored(self, jobs: Sequence[Job]) -> None:
        scored_host_ns, settings = self._now(), self._settings
        found = []
        for job in jobs:
            part, view = job.token
            part.stages.batch_host_ns = job.batch_host_ns
            part.stages.scored_host_ns = scored_host_ns
            found.append((part, view, judged(job, part, view, settings.judges[view], settings.keep_inputs)))
            if job.raw is None and job.failure_reason is Reason.SYSTEM:
                self._warn("FRAME_UNUSABLE", part=part.number, detail=job.failure)
        self.tracker.views_decided(found)

    def _on_finished(self, result: PartResult) -> None:
        if result.actuation.action is EjectorAction.FAILED:  # told at once: the belt may have to be stopped for it
            self._warn("EJECTOR_PULSE_FAILED", part=result.part)
        elif result.actuation.action is EjectorAction.FIRED_LATE:
            self._warn("WRONG_PULSE", part=result.part)
        self._offer(result)
        for matched in self._matched_views.values():
            matched.ended(result.part)
        if not self._memory.submit(result):
            self._warn("RECORDS_TROUBLE", detail="the recorder's queue is full")

    def _warn(self, name: str, **values: object) -> None:
        self._alarms.raise_alarm(name, for_s=self.TRANSIENT_S, **values)
