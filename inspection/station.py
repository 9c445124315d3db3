"""The station: every part of the line wired together, its state, and the commands that it takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from typing import Any

from camera.frame import Trigger
from camera.scene import Scene
from inspection.alarm_board import AlarmBoard
from inspection.camera_loop import CameraEvents, CameraLoop
from inspection.challenge import EXTRA_KEY
from inspection.challenge.due import Production
from inspection.challenge.interlock import Interlock
from inspection.config import StationConfig, config_digest
from inspection.control import Confirmation, Preview, State, StateError, StationStatus
from inspection.ejector.controller.simulated import SimulatedControllerEjector
from inspection.ejector.options import make_ejector
from inspection.engine import Engine
from inspection.errors import ConfigError
from inspection.flow import PartFlow
from inspection.free_run_line import FreeRunEvents
from inspection.lines import LineEvents, make_lines, scene_of
from inspection.memory import Memory
from inspection.motion import Motion
from inspection.part import Decision
from inspection.pipeline.interpreter import line_starts, line_stops
from inspection.plc.commands import LineCommands
from inspection.plc.plc import PlcPort
from inspection.preview import PreviewSlot
from inspection.recipe import flow_settings, matched_views
from inspection.records.record import StoredRecord
from inspection.run_counters import RunCounters
from inspection.status import station_status
from inspection.supervisor import Supervisor
from inspection.tracking.part import PartInFlight
from inspection.tracking.tracker import PartTracker


class Station:
    """One station, from the photo-eye to the record; implements LineControl, safe from any thread.

    `open` brings everything up in the order in which it is needed and leaves the line stopped (READY); `close` takes
    it down in reverse and is idempotent. The state is computed, never stored: what the operator wants and what is
    broken decide it, so that it cannot disagree with the facts.
    """

    _DRAIN_S = 30.0
    _READY_S = 3.0

    def __init__(self, config: StationConfig) -> None:
        self.config = config
        self.digest = config_digest(config)
        self.alarms = AlarmBoard(config.reactions_of_alarms)
        self.counters = RunCounters()
        self.previews = PreviewSlot()
        self._is_open = False
        self._closed = threading.Event()
        self.wants_to_run = False
        """What the operator asked for last; written under the lock of the commands."""
        self.winding_down = False
        """True while the line is being stopped: the heartbeat has ended, the belt runs out."""
        self._commands = threading.Lock()
        self._camera_trouble: dict[str, str] = {}
        self._camera_trouble_lock = threading.Lock()
        self.plc: PlcPort | None = None
        self.opened_host_ns = time.monotonic_ns()

    # ------------------------------------------------------------------ life

    def open(self) -> None:
        """Bring everything up: records, model, ejector, camera. Raises the error of whatever cannot come up."""
        config = self.config
        self.ejector = make_ejector(
            config.ejector,
            margin_ms=config.geometry.margin_ms,
            motion=config.geometry.followed_by,
            course=config.geometry.course(),
            on_motion=lambda host_ns, position: self.flow.on_motion(host_ns, position),
            on_event=lambda event: self._supervisor.ejector.hear(event, self.ejector.health()),
        )
        try:
            self._geometry = config.geometry.geometry(config.ejector, self.ejector.lead_ns)
            matched_views(config, config.geometry.motion())
        except ValueError as error:
            raise ConfigError(f"geometry: {error}") from None
        self.engine = Engine(config, lambda text: self.alarms.tell("MODEL_FAILED", text))
        try:
            self.memory = Memory(
                config,
                self.digest,
                self.engine,
                self._on_durable,
                on_trouble=lambda text: self.alarms.tell("RECORDS_TROUBLE", text),
                on_image_trouble=lambda text: self.alarms.tell("IMAGES_GIVEN_UP", text),
            )
            self.interlock = self._make_interlock()
            motion = config.geometry.motion()
            self.flow = self._make_flow(motion)
            self._supervisor = Supervisor(self, motion, self._commands)
            self.ejector.open(self.flow.on_actuation, self.flow.on_ejector_health, self._on_controller_trigger)
            self._open_plc()
            self.lines = self._open_cameras()
        except BaseException:
            self.close()
            raise
        self.counters.reset(self.memory.run)
        if config.ejector.broken_promises():
            self.alarms.raise_alarm("NO_HEARTBEAT_WIRED")
        self._is_open = True
        self.interlock.open()
        self._supervisor.start()

    def _scene(self) -> Scene | None:
        return scene_of(self.config)

    def _make_interlock(self) -> Interlock:
        interlock = Interlock(
            self.config.challenge,
            Production(self.memory.run, self.engine.bundle.digest, self.digest),
            self.memory,
            self.alarms,
            lambda: self.state,
            on_failure=lambda text: self.alarms.tell("STATION_FAILED", text),
            drain_s=self.config.geometry.travel_s + self._DRAIN_S,
        )
        self.memory.subscribe(interlock.on_durable)
        return interlock

    def _mark(self, part: int) -> dict[str, str]:
        challenge = self.interlock.mark(part)
        return {EXTRA_KEY: challenge} if challenge else {}

    def _open_cameras(self) -> list[CameraLoop]:
        events = LineEvents(
            camera=self._camera_events,
            free_run=FreeRunEvents(
                blind=lambda text: self.alarms.tell("BELT_UNKNOWN", text),
                unseen=self._on_parts_unseen,
            ),
            wait_for_room=self.engine.queue.wait_for_room,
            photo_eye=self.ejector.board.trigger if isinstance(self.ejector, SimulatedControllerEjector) else None,
        )
        return make_lines(self.config, self.flow, self._scene(), events)

    def _on_parts_unseen(self, detail: str) -> None:
        self.alarms.raise_alarm("PARTS_UNSEEN", for_s=PartFlow.TRANSIENT_S, detail=detail)

    def _on_controller_trigger(self, trigger: Trigger) -> None:
        """A device-timed controller tells of each part itself; a simulated belt knows what it is."""
        self.flow.on_trigger(trigger, self.lines[0].camera.truth(trigger.number) if self._is_open else "")

    def _camera_events(self, camera: str) -> CameraEvents:
        return CameraEvents(
            lost=lambda text: self._on_camera(camera, text),
            recovered=lambda: self._on_camera(camera, ""),
            failed=lambda text: self.alarms.tell("STATION_FAILED", text),
        )

    def _on_camera(self, camera: str, trouble: str) -> None:
        """Nothing passes while any camera is lost."""
        with self._camera_trouble_lock:
            self._camera_trouble.pop(camera, None)
            if trouble:
                self._camera_trouble[camera] = trouble
            self.alarms.tell("CAMERA_LOST", "; ".join(self._camera_trouble.values()))

    def _open_plc(self) -> None:
        if not self.config.plc.enabled:
            return
        self.plc = PlcPort(
            self.config.plc,
            LineCommands(self, self.alarms),
            travel_s=self.config.geometry.travel_s,
            classes=self.engine.judge.classes,
            bundle_digest=self.engine.bundle.digest,
            on_silence=self._on_plc_silence,
            on_failure=lambda text: self.alarms.tell("STATION_FAILED", text),
        )
        self.plc.open()

    def _on_plc_silence(self, detail: str) -> None:
        self.alarms.tell("PLC_SILENT" if self.config.plc.silence == "block" else "PLC_QUIET", detail)

    def _on_birth(self, part: PartInFlight) -> None:
        if self.plc is not None:
            self.plc.on_trigger(part.number, part.stages.trigger_host_ns)

    def close(self) -> None:
        """Stop the line, let the parts in flight end, release everything. Idempotent and bounded."""
        if self._closed.is_set():
            return
        if self._is_open:
            self.stop_line()
        self._closed.set()
        if self._is_open:
            self.flow.shut()
            self._supervisor.close()
            for line in self.lines:
                line.camera.close()
        if self.plc is not None:
            self.plc.close()
        for part in ("ejector", "engine", "interlock", "memory"):
            if hasattr(self, part):
                getattr(self, part).close()

    # -------------------------------------------------------------- commands

    @property
    def is_open(self) -> bool:
        """True from a successful `open` to `close`."""
        return self._is_open and not self._closed.is_set()

    @property
    def state(self) -> State:
        """What the station does now."""
        if self._closed.is_set():
            return State.HALTED
        if not self._is_open:
            return State.PREOPERATIONAL
        if self.alarms.faulty or self._supervisor.stopping:
            return State.ERROR
        return State.CONTINUOUS_EXECUTION if self.wants_to_run else State.READY

    def start_line(self) -> None:
        """Inspect every part that triggers from now on. Raises StateError unless READY or running."""
        with self._commands:
            if self.wants_to_run and not self._supervisor.stopping:
                return
            if self.state is not State.READY:
                raise StateError(f"the line cannot start in state {self.state}; {self._next_step()}")
            line_starts()
            try:
                self._start_all()
            except BaseException:
                for line in self.lines:
                    line.stop()
                line_stops()
                raise
            self.alarms.clear("LINE_STOPPED")
            self.wants_to_run = True

    def _start_all(self) -> None:
        if not self.ejector.get_ready(self.config.geometry.travel_s + self._READY_S):
            raise StateError(f"the ejector does not get ready: {self.ejector.health().detail}; try again")
        for line in self.lines:
            line.start()

    def stop_line(self) -> None:
        """Stop the belt, then triggering, and let the parts in flight end. Bounded by the travel time and some seconds.

        The heartbeat ends first: what still triggers while the belt runs out is inspected as ever, so nothing passes
        that nobody followed.
        """
        with self._commands:
            if not self.wants_to_run:
                return
            self.winding_down = True
            if self.config.belt_can_be_stopped and not self.lines[0].exhausted:
                time.sleep(self.config.reactions.run_out_s)
            for line in self.lines:
                line.stop()
            self.tracker.wait_empty(self.config.geometry.travel_s + 5.0)
            self.memory.flush(5.0)
            self.wants_to_run = self.winding_down = False
            line_stops()

    def confirm_alarms(self, names: Collection[str], who: str) -> Confirmation:
        """Let go of held alarms whose fault has gone, all of them when `names` is empty. Logged with `who` did it."""
        return self.alarms.confirm(names, who)

    def _next_step(self) -> str:
        alarms = self.alarms.active()
        if not alarms or not alarms[0].blocks:
            return "wait until it is READY"
        return f"first {'confirm' if alarms[0].is_over else 'mend'} {alarms[0].name}"

    def inspect(self, pixels: Any, timeout_s: float) -> Decision:
        """Judge one image apart from the line. Raises StateError or BusyError."""
        if self.state not in (State.READY, State.CONTINUOUS_EXECUTION):
            raise StateError(f"the model is not at hand in state {self.state}; {self._next_step()}")
        return self.engine.inspect(pixels, timeout_s)

    def wait_preview(self, after_sequence: int, timeout_s: float) -> Preview | None:
        """Wait for a preview newer than `after_sequence`; None when none came in time."""
        return self.previews.wait(after_sequence, timeout_s)

    @property
    def clock_steps(self) -> int:
        """How often the wall clock was set while the station ran."""
        return self._supervisor.clock.steps

    @property
    def finished(self) -> bool:
        """True once a finite source is exhausted and every part of it is recorded."""
        return self.lines[0].exhausted and not self.tracker.in_flight and self.counters.records >= self.triggers

    @property
    def triggers(self) -> int:
        """How many parts have triggered in this run."""
        return self.tracker.counters.triggers

    def _make_flow(self, motion: Motion) -> PartFlow:
        return PartFlow(
            flow_settings(self.config, self._geometry, self.engine.judge),
            now=time.monotonic_ns,
            motion=motion,
            ejector=self.ejector,
            submit=self.engine.submit,
            memory=self.memory,
            alarms=self.alarms,
            counters=self.counters,
            offer=self.previews.offer,
            mark=self._mark,
            tell_birth=self._on_birth,
            matched_views=matched_views(self.config, motion),
        )

    def _on_durable(self, records: list[StoredRecord]) -> None:
        self.flow.on_durable(records)
        self._supervisor.rejects.add(records)
        self.previews.durable(records)
        if self.plc is not None:
            self.plc.on_results(records)

    @property
    def tracker(self) -> PartTracker:
        """The parts in flight."""
        return self.flow.tracker

    def status(self) -> StationStatus:
        """Return one consistent status."""
        return station_status(self)
