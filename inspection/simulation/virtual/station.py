"""One life of the station in virtual time: the real flow, tracker, line, queue and alarms, without their threads."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from types import SimpleNamespace
from typing import Any

from camera.frame import ClockReading, Frame, Trigger
from inspection.alarm_board import AlarmBoard
from inspection.alarms import Reaction
from inspection.camera_presence import CameraEvents
from inspection.ejector.controller.wire import BinFull, FaultReport, Stranger
from inspection.faults.watch import EjectorWatch, RejectWatch
from inspection.flow import FlowSettings, PartFlow
from inspection.line import Line
from inspection.motion import ClockMotion, EncoderMotion, Motion
from inspection.part import PartResult
from inspection.records.record import missing_views
from inspection.run_counters import RunCounters
from inspection.simulation.virtual.agenda import Agenda
from inspection.simulation.virtual.belt import Piece
from inspection.simulation.virtual.cameras import DrivenCamera
from inspection.simulation.virtual.disk import Disk, Recorder
from inspection.simulation.virtual.driving import DrivenController
from inspection.simulation.virtual.ledger import Ledger
from inspection.simulation.virtual.linked import LinkedEjector
from inspection.simulation.virtual.model import Pool, Remembered
from inspection.simulation.virtual.plan import MS, Plan
from inspection.supervision import Supervision
from inspection.tracking.device_clock import DeviceClock
from inspection.tracking.match_settings import MatchSettings, Numbering
from inspection.tracking.matched_view import MatchedView
from inspection.tracking.matching import Matcher


class CountingBoard(AlarmBoard):
    """The real board; whatever comes up on it is counted."""

    def __init__(self, reactions: Mapping[str, Reaction], now: Callable[[], int], count: Counter[str]) -> None:
        super().__init__(reactions, now)
        self._count = count

    def raise_alarm(self, name: str, *, for_s: float | None = None, **values: object) -> bool:
        """Raise an alarm as ever."""
        comes_up = super().raise_alarm(name, for_s=for_s, **values)
        self._count[name] += comes_up
        return comes_up


class VirtualStation:
    """The station's process. `post` is the only way in: a frozen one takes it later, a dead one never."""

    TICK_NS = 50 * MS
    CLOCK_NS = 1000 * MS
    RUN_OUT_NS = 2000 * MS

    def __init__(
        self,
        plan: Plan,
        run: str,
        agenda: Agenda,
        random: Random,
        disk: Disk,
        ledger: Ledger,
        ejector: LinkedEjector | DrivenController,
    ) -> None:
        self.run = run
        self.dead = False
        self.wants_to_run = False
        self.winding_down = False
        self.wall_ahead_ns = 0  # of the virtual clock: somebody sets the wall clock
        self._plan, self._agenda, self._ledger = plan, agenda, ledger
        self._backlog: deque[Callable[[], object]] = deque()
        self._frozen = False
        self._arriving: Piece | None = None
        self._place = 0
        self._lost_cameras: set[int] = set()
        self._clocks: dict[int, Callable[[], ClockReading]] = {}
        self.alarms: AlarmBoard = CountingBoard(plan.reactions(), agenda.clock, ledger.account.alarms)
        self.counters = RunCounters()
        self.counters.reset(run)
        self.ejector = ejector
        self.pool = Pool(agenda, random, plan, self.post)
        self.recorder = Recorder(run, disk, agenda, self._durable, self._disk_trouble)
        self.motion: Motion = EncoderMotion() if plan.encoder else ClockMotion()
        self.flow = self.make_flow()
        self.rejects = RejectWatch(self.alarms, plan.REJECTS_IN_A_ROW)
        self.ejector_watch = EjectorWatch(self.alarms, self.motion)
        self.supervision = Supervision(
            self, self.ejector_watch, self._begin_stop, host_ns=agenda.clock, wall_ns=self._wall_ns
        )
        self.ejector.open(self.flow.on_actuation, self.flow.on_ejector_health)
        events = CameraEvents(lambda _text: None, lambda: None, lambda _text: None)
        self.line = Line(DrivenCamera("camera 0"), self.flow, 1, lambda _timeout_s: True, events)
        agenda.after(self.TICK_NS, self._tick)

    def make_flow(self) -> PartFlow:
        """Return the real flow; a test that doubts this simulator makes a broken one."""
        plan = self._plan
        judge = Remembered(("good", "bad"), 0, plan.THRESHOLD)
        cameras = [f"camera {view}" for view in range(plan.cameras)]
        return PartFlow(
            FlowSettings(plan.geometry(), plan.fusion(), cameras, [judge] * plan.cameras, plan.pulse_ns / MS),
            now=self._agenda.clock,
            motion=self.motion,
            ejector=self.ejector,
            submit=self.pool.submit,
            memory=self.recorder,
            alarms=self.alarms,
            counters=self.counters,
            mark=self._mark,
            matched_views={view: self._matched_view(view) for view in range(plan.first_matched_view, plan.cameras)},
        )

    def _matched_view(self, view: int) -> MatchedView:
        plan = self._plan
        at, tolerance = plan.camera_at_ns(view), plan.pitch_ns * 3 // 10
        settings = MatchSettings(
            Numbering.EXPOSURES,
            earliest=plan.length(at - tolerance),
            latest=plan.length(at + tolerance),
            arrival=plan.length(4 * 1000 * MS),
            closest=plan.length(plan.pitch_ns * 7 // 10),
        )
        return MatchedView(Matcher(settings), DeviceClock(), self.motion)

    # -- life ----------------------------------------------------------------------------------------------------

    def post(self, event: Callable[[], object]) -> None:
        """Have the station do something: now, when it has thawed, or never."""
        if self.dead:
            return
        if self._frozen:
            self._backlog.append(event)
        else:
            event()

    def freeze(self, time_ns: int) -> None:
        """Stop the process (SIGSTOP) for a while."""
        if not self._frozen and not self.dead:
            self._frozen = True
            self._agenda.after(time_ns, self._thaw)

    def _thaw(self) -> None:
        self._frozen = False
        while self._backlog and not (self._frozen or self.dead):
            self._backlog.popleft()()

    def kill(self) -> None:
        """End the process (SIGKILL): what it knew is gone, apart from the disk."""
        self.dead = self.recorder.dead = True
        self._backlog.clear()

    @property
    def ready(self) -> bool:
        """Return whether the operator can start the line, and the belt with it."""
        alarms = self.alarms
        stopping = self.supervision.stopping
        return not (self.dead or self._frozen or stopping or alarms.blocking or alarms.silencing)

    def confirm(self) -> None:
        """Let the operator confirm every alarm whose fault has gone."""
        if any(alarm.is_over for alarm in self.alarms.active()):
            self.alarms.confirm((), "operator")

    def _tick(self) -> None:
        if not self.dead:
            self._agenda.after(self.TICK_NS, self._tick)
            if not self._frozen:
                self._supervise()

    def _supervise(self) -> None:
        self.ejector.turn()
        self.supervision.look()

    def _wall_ns(self) -> int:
        return self._agenda.now_ns + self.wall_ahead_ns

    def _begin_stop(self) -> None:
        """Stop the line: when the belt has run out."""
        self._agenda.after(self.RUN_OUT_NS, partial(self.post, self._stop_by_fault))

    def _stop_by_fault(self) -> None:
        self.wants_to_run = False
        self.supervision.stopped()

    # -- what comes in -------------------------------------------------------------------------------------------

    def triggered(self, trigger: Trigger, piece: Piece | None, place: int) -> None:
        """Take a trigger of the first camera; piece: what really broke the beam, place: where the belt really was."""
        self._arriving, self._place = piece, place
        self.line.born(trigger)

    def tagged(self, trigger: Trigger, piece: Piece | None, place: int) -> None:
        """Take a trigger that a controller has numbered."""
        self._arriving, self._place = piece, place
        self.flow.on_trigger(trigger)

    def heard(self, event: Stranger | BinFull | FaultReport) -> None:
        """Take what a controller tells of itself."""
        self.ejector_watch.hear(event, self.ejector.health())

    def _mark(self, number: int) -> Mapping[str, Any]:
        self._ledger.triggered(self.run, number, self._arriving, self._place)
        return {}

    def framed(self, view: int, frame: Frame) -> None:
        """Take a frame."""
        if view < self._plan.first_matched_view:
            self.line.take(frame)
        else:
            self.flow.on_view_frame(view, frame)

    def camera_lost(self, view: int) -> None:
        """Take note that a camera has gone."""
        self._lost_cameras.add(view)
        self.alarms.raise_alarm("CAMERA_LOST", detail="virtual", why="CAMERA_ABSENT")

    def watch_clock(self, view: int, read: Callable[[], ClockReading]) -> None:
        """Ask for a camera's clock now and every second, where its frames are placed by their time stamps."""
        if view >= self._plan.first_matched_view:
            self._clocks[view] = read
            self.post(partial(self._ask, view))

    def _ask(self, view: int) -> None:
        self._agenda.after(self.CLOCK_NS, partial(self.post, partial(self._ask, view)))
        if view not in self._lost_cameras:
            self.flow.on_view_clock(view, self._clocks[view]())

    def camera_back(self, view: int) -> None:
        """Take note that it works again and counts from the beginning."""
        if view < self._plan.first_matched_view:
            self.line.reopening()
        else:
            self.flow.on_view_restarted(view)
            self.flow.on_view_clock(view, self._clocks[view]())
        self._lost_cameras.discard(view)
        if not self._lost_cameras:
            self.alarms.clear("CAMERA_LOST")

    # -- what goes out -------------------------------------------------------------------------------------------

    def _durable(self, group: list[PartResult]) -> None:
        self.post(partial(self._publish, group))

    def _publish(self, group: list[PartResult]) -> None:
        records: list[Any] = [_as_record(result) for result in group]
        self.flow.on_durable(records)
        self.rejects.add(records)

    def _disk_trouble(self, troubled: bool) -> None:
        if troubled:
            self.post(partial(self.alarms.raise_alarm, "RECORDS_TROUBLE", detail="virtual"))
        else:
            self.post(partial(self.alarms.clear, "RECORDS_TROUBLE"))


def _as_record(result: PartResult) -> SimpleNamespace:
    """Return what counters and alarms read of a record."""
    decided_ns = result.stages.decided_host_ns
    return SimpleNamespace(
        extra=result.extra,
        missing_views=missing_views(result.extra),
        run=result.run,
        part=result.part,
        verdict=result.decision.verdict,
        evaluation=result.decision.evaluation,
        reason=result.decision.reason,
        ejector_action=result.actuation.action,
        latency_us=(decided_ns - result.stages.trigger_host_ns) // 1000 if decided_ns else None,
    )
