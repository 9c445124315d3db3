"""One life of the station in virtual time: the real flow, tracker, line, queue and alarms, without their threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from types import SimpleNamespace
from typing import Any

from camera.frame import Frame, Trigger
from inspection.alarm_board import AlarmBoard
from inspection.camera_loop import CameraEvents
from inspection.ejector.interface import Ejector, EjectorHealth
from inspection.ejector.messages import Alive, Decide, Expect, Moved
from inspection.flow import FlowSettings, PartFlow
from inspection.line import Line
from inspection.motion import ClockMotion, EncoderMotion, Motion
from inspection.part import Actuation, EjectorAction, PartResult, Verdict
from inspection.run_counters import RunCounters
from inspection.simulation.virtual.agenda import Agenda
from inspection.simulation.virtual.belt import Piece
from inspection.simulation.virtual.cameras import Device, DrivenCamera
from inspection.simulation.virtual.disk import Disk, Recorder
from inspection.simulation.virtual.ejecting import Scheduler
from inspection.simulation.virtual.ledger import Ledger
from inspection.simulation.virtual.model import Pool, Remembered
from inspection.simulation.virtual.plan import MS, Plan
from inspection.tracking.device_clock import ClockSettings, DeviceClock
from inspection.tracking.match_settings import MatchSettings, Numbering
from inspection.tracking.matched_view import MatchedView
from inspection.tracking.matching import Matcher


class LinkedEjector(Ejector):
    """The station's end of the ejector, with the rules of `ejector.client`: each armed part gets one report."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._armed: dict[int, bool] = {}
        self._to: Scheduler | None = None
        self.report: Callable[[Actuation], None] = lambda _actuation: None
        self.tell: Callable[[EjectorHealth], None] = lambda _health: None

    @property
    def lead_ns(self) -> int:
        """How long before a part is due its command is written."""
        return self._plan.LEAD_NS

    def open(self, on_actuation: Any, on_health: Any, on_trigger: Any = None) -> None:
        """Take the station's callbacks."""
        del on_trigger
        self.report, self.tell = on_actuation, on_health

    def connect(self, scheduler: Scheduler | None) -> None:
        """Take a new process, or none: what was armed in the one before has failed."""
        self._to = scheduler
        if scheduler is None:
            armed, self._armed = list(self._armed), {}
            for part in armed:
                self.report(Actuation(part, EjectorAction.FAILED, True, None, None))
            self.health_is(False)

    def health_is(self, connected: bool, long_pulses: int = 0) -> None:
        """Pass on whether the port is open, and what the process counted."""
        counters = {"long_pulses": long_pulses}
        self.tell(EjectorHealth(connected, "virtual", "virtual", "", 0, 0, connected, True, counters))

    def fail_unsent(self) -> None:
        """Report the parts that no process was there for."""
        for part in [part for part, sent in self._armed.items() if not sent]:
            del self._armed[part]
            self.report(Actuation(part, EjectorAction.FAILED, True, None, None))

    def reported(self, actuation: Actuation) -> None:
        """Pass a report on, the first of each part."""
        if self._armed.pop(actuation.part, None) is not None:
            self.report(actuation)

    def expect(self, part: int, due: int) -> None:
        """Arm a part."""
        if part not in self._armed:
            self._armed[part] = self._to is not None
            if self._to is not None:
                self._to.send(Expect(part, due))

    def moved(self, host_ns: int, position: int) -> None:
        """Pass a sample of the encoder on."""
        if self._to is not None:
            self._to.send(Moved(host_ns, position))

    def decide(self, part: int, verdict: Verdict) -> None:
        """Pass a verdict on."""
        if self._to is not None:
            self._to.send(Decide(part, verdict))

    def alive(self) -> None:
        """Pass the sign of life on."""
        if self._to is not None:
            self._to.send(Alive())

    def health(self) -> EjectorHealth:
        """Return what is known without asking."""
        return EjectorHealth(self._to is not None, "virtual", "virtual", "", 0, 0, False, True)

    def close(self) -> None:
        """Do nothing: the process is the line's."""


class VirtualStation:
    """The station's process. `post` is the only way in: a frozen one takes it later, a dead one never."""

    TICK_NS = 50 * MS
    RUN_OUT_NS = 2000 * MS

    def __init__(self, plan: Plan, run: str, agenda: Agenda, random: Random, disk: Disk, ledger: Ledger) -> None:
        self.run = run
        self.dead = False
        self.wants_to_run = False
        self._plan = plan
        self._agenda = agenda
        self._ledger = ledger
        self._backlog: deque[Callable[[], object]] = deque()
        self._frozen = False
        self._arriving: Piece | None = None
        self._place = 0
        self._lost_cameras: set[int] = set()
        self._stopping = False
        self._stops_seen = 0
        self.alarms = AlarmBoard(plan.reactions(), agenda.clock)
        self.counters = RunCounters()
        self.counters.reset(run)
        self.ejector = LinkedEjector(plan)
        self.pool = Pool(agenda, random, plan, self.post)
        self.recorder = Recorder(run, disk, agenda, self._durable, self._disk_trouble)
        self.motion: Motion = EncoderMotion() if plan.encoder else ClockMotion()
        self.flow = self.make_flow()
        self.ejector.open(self.flow.on_actuation, self.flow.on_ejector_health)
        events = CameraEvents(lambda _text: None, lambda: None, lambda _text: None)
        self.line = Line(DrivenCamera("camera 0"), self.flow, 1, lambda _timeout_s: True, events)
        agenda.after(self.TICK_NS, self._tick)

    def make_flow(self) -> PartFlow:
        """Return the real flow; a test that doubts this simulator makes a broken one."""
        plan = self._plan
        judge = Remembered(("good", "bad"), 0, plan.THRESHOLD)
        return PartFlow(
            FlowSettings(plan.geometry(), plan.fusion(), [judge] * plan.cameras, plan.pulse_ns / MS),
            now=self._agenda.clock,
            motion=self.motion,
            ejector=self.ejector,
            submit=self.pool.submit,
            memory=self.recorder,
            alarms=self.alarms,
            counters=self.counters,
            mark=self._mark,
            matched_views={view: self._matched_view(view) for view in range(1, plan.cameras)},
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
        clock = DeviceClock(ClockSettings(transfer_ns=Device.DELAY_NS))
        return MatchedView(Matcher(settings), clock, self.motion)

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
        return not (self.dead or self._frozen or self._stopping or alarms.blocking or alarms.silencing)

    def _tick(self) -> None:
        if not self.dead:
            self._agenda.after(self.TICK_NS, self._tick)
            if not self._frozen:
                self._supervise()

    def _supervise(self) -> None:
        """Do what the station's supervisor does."""
        self.alarms.expire()
        self.ejector.fail_unsent()
        asked, self._stops_seen = self.alarms.stops > self._stops_seen, self.alarms.stops
        if asked and self.wants_to_run and not self._stopping:
            self._stopping = True
            self.flow.shut()
            self._agenda.after(self.RUN_OUT_NS, partial(self.post, self._stop_by_fault))
        if self.wants_to_run and not (self.alarms.silencing or self._stopping):
            self.ejector.alive()

    def _stop_by_fault(self) -> None:
        """Stop the line: by now the belt stands."""
        self.wants_to_run = self._stopping = False
        self.flow.shut(False)

    # -- what comes in -------------------------------------------------------------------------------------------

    def triggered(self, trigger: Trigger, piece: Piece | None, place: int) -> None:
        """Take a trigger of the first camera; piece: what really broke the beam, place: where the belt really was."""
        self._arriving, self._place = piece, place
        self.line.born(trigger)

    def _mark(self, number: int) -> Mapping[str, Any]:
        self._ledger.triggered(self.run, number, self._arriving, self._place)
        return {}

    def framed(self, view: int, frame: Frame) -> None:
        """Take a frame."""
        if view == 0:
            self.line.take(frame)
        else:
            self.flow.on_view_frame(view, frame)

    def camera_lost(self, view: int) -> None:
        """Take note that a camera has gone."""
        self._lost_cameras.add(view)
        self.alarms.raise_alarm("CAMERA_LOST", detail="virtual")

    def camera_back(self, view: int) -> None:
        """Take note that it works again and counts from the beginning."""
        if view == 0:
            self.line.reopening()
        else:
            self.flow.on_view_restarted(view)
        self._lost_cameras.discard(view)
        if not self._lost_cameras:
            self.alarms.clear("CAMERA_LOST")

    # -- what goes out -------------------------------------------------------------------------------------------

    def _durable(self, group: list[PartResult]) -> None:
        self.post(partial(self._publish, group))

    def _publish(self, group: list[PartResult]) -> None:
        records: list[Any] = [_as_record(result) for result in group]
        self.flow.on_durable(records)

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
        run=result.run,
        part=result.part,
        verdict=result.decision.verdict,
        reason=result.decision.reason,
        ejector_action=result.actuation.action,
        latency_us=(decided_ns - result.stages.trigger_host_ns) // 1000 if decided_ns else None,
    )
