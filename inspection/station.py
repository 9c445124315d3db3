"""The station: every part of the line wired together, its state, and the commands that it takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from dataclasses import replace
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
from inspection.ejector.controller.wire import BinFull, FaultCode, FaultReport, Stranger
from inspection.ejector.options import make_ejector
from inspection.engine import Engine
from inspection.errors import ConfigError
from inspection.faults.watch import ClockWatch, EjectorWatch, RejectWatch
from inspection.flow import FlowSettings, PartFlow
from inspection.free_run_line import FreeRunEvents
from inspection.lines import LineEvents, make_lines, matched_views, scene_of
from inspection.memory import Memory
from inspection.part import Decision
from inspection.pipeline.interpreter import line_starts, line_stops
from inspection.plc.commands import LineCommands
from inspection.plc.plc import PlcPort
from inspection.preview import PreviewSlot
from inspection.records.record import StoredRecord
from inspection.run_counters import RunCounters
from inspection.status import station_status
from inspection.tracking.fusion import Fusion
from inspection.tracking.part import PartInFlight
from inspection.tracking.tracker import PartTracker


class Station:
    """One station, from the photo-eye to the record; implements LineControl, safe from any thread.

    `open` brings everything up in the order in which it is needed and leaves the line stopped (READY); `close` takes
    it down in reverse and is idempotent. The state is computed, never stored: what the operator wants and what is
    broken decide it, so that it cannot disagree with the facts.
    """

    _TICK_S = 0.05
    _DISK_S = 10.0
    _DRAIN_S = 30.0

    def __init__(self, config: StationConfig) -> None:
        self.config = config
        self.digest = config_digest(config)
        self.alarms = AlarmBoard(config.reactions_of_alarms)
        self.counters = RunCounters()
        self.previews = PreviewSlot()
        self._is_open = False
        self._closed = threading.Event()
        self._wants_to_run = False
        self._stopping_by_fault = False
        self._stops_seen = 0
        self._rejects = RejectWatch(self.alarms, config.reactions.rejects_in_a_row_limit)
        self.clock = ClockWatch(self.alarms)
        self._look_at_disk_host_ns = 0
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
            on_event=self._on_controller_event,
        )
        try:
            self._geometry = config.geometry.geometry(config.ejector, self.ejector.lead_ns)
            matched_views(config, self._geometry, config.geometry.motion())
        except ValueError as error:
            raise ConfigError(f"geometry: {error}") from None
        self.engine = Engine(config, lambda text: self._raise("MODEL_FAILED", detail=text))
        try:
            self.memory = Memory(
                config,
                self.digest,
                self.engine,
                self._on_durable,
                on_trouble=lambda text: self._tell("RECORDS_TROUBLE", text),
                on_image_trouble=lambda text: self._tell("IMAGES_GIVEN_UP", text),
            )
            self.interlock = self._make_interlock()
            self.flow = self._make_flow()
            self.ejector.open(self.flow.on_actuation, self.flow.on_ejector_health, self._on_controller_trigger)
            self._open_plc()
            self.lines = self._open_cameras()
        except BaseException:
            self.close()
            raise
        self.counters.reset(self.memory.run)
        if config.ejector.broken_promises():
            self._raise("NO_HEARTBEAT_WIRED")
        self._is_open = True
        self.interlock.open()
        self._supervisor = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
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
            on_failure=lambda text: self._raise("STATION_FAILED", detail=text),
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
                blind=lambda text: self._tell("BELT_UNKNOWN", text),
                unseen=lambda text: self._raise("PARTS_UNSEEN", for_s=PartFlow.TRANSIENT_S, detail=text),
            ),
            wait_for_room=self.engine.queue.wait_for_room,
            photo_eye=self.ejector.board.trigger if isinstance(self.ejector, SimulatedControllerEjector) else None,
        )
        return make_lines(self.config, self.flow, self._scene(), events)

    def _on_controller_event(self, event: Stranger | BinFull | FaultReport) -> None:
        match event:
            case Stranger():
                count = self.ejector.health().counters.get("strangers", 0)
                self._raise("UNKNOWN_PART", for_s=PartFlow.TRANSIENT_S, count=count)
            case FaultReport() if event.code != FaultCode.ENCODER_STANDS:
                self._raise("CONTROLLER_FAULT", for_s=PartFlow.TRANSIENT_S, detail=FaultCode(event.code).name)

    def _on_controller_trigger(self, trigger: Trigger) -> None:
        """A device-timed controller tells of each part itself; a simulated belt knows what it is."""
        self.flow.on_trigger(trigger, self.lines[0].camera.truth(trigger.number) if self._is_open else "")

    def _camera_events(self, camera: str) -> CameraEvents:
        return CameraEvents(
            lost=lambda text: self._on_camera(camera, text),
            recovered=lambda: self._on_camera(camera, ""),
            failed=lambda text: self._raise("STATION_FAILED", detail=text),
        )

    def _on_camera(self, camera: str, trouble: str) -> None:
        """Nothing passes while any camera is lost."""
        with self._camera_trouble_lock:
            self._camera_trouble.pop(camera, None)
            if trouble:
                self._camera_trouble[camera] = trouble
            self._tell("CAMERA_LOST", "; ".join(self._camera_trouble.values()))

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
            on_failure=lambda text: self._raise("STATION_FAILED", detail=text),
        )
        self.plc.open()

    def _on_plc_silence(self, detail: str) -> None:
        self._tell("PLC_SILENT" if self.config.plc.silence == "block" else "PLC_QUIET", detail)

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
            self._supervisor.join(2.0)
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
        if self.alarms.faulty or self._stopping_by_fault:
            return State.ERROR
        return State.CONTINUOUS_EXECUTION if self._wants_to_run else State.READY

    def start_line(self) -> None:
        """Inspect every part that triggers from now on. Raises StateError unless READY or running."""
        with self._commands:
            if self._wants_to_run and not self._stopping_by_fault:
                return
            if self.state is not State.READY:
                raise StateError(f"the line cannot start in state {self.state}; {self._next_step()}")
            line_starts()
            try:
                for line in self.lines:
                    line.start()
            except BaseException:
                line_stops()
                raise
            self._wants_to_run = True

    def stop_line(self) -> None:
        """Stop triggering and let the parts in flight end. Bounded by the travel time and a few seconds."""
        with self._commands:
            if not self._wants_to_run:
                return
            for line in self.lines:
                line.stop()
            self.tracker.wait_empty(self.config.geometry.travel_s + 5.0)
            self.memory.flush(5.0)
            self._wants_to_run = False
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
    def finished(self) -> bool:
        """True once a finite source is exhausted and every part of it is recorded."""
        return self.lines[0].exhausted and not self.tracker.in_flight and self.counters.records >= self.triggers

    @property
    def triggers(self) -> int:
        """How many parts have triggered in this run."""
        return self.tracker.counters.triggers

    def _make_flow(self) -> PartFlow:
        config = self.config
        motion = config.geometry.motion()
        self._ejector_watch = EjectorWatch(self.alarms, motion)
        weights = [camera.weight for camera in config.cameras for _ in range(camera.frames)]
        judges = [
            self.engine.judge if camera.threshold is None else replace(self.engine.judge, threshold=camera.threshold)
            for camera in config.cameras
            for _ in range(camera.frames)
        ]
        return PartFlow(
            FlowSettings(
                self._geometry,
                Fusion(config.fusion.rule, tuple(weights), config.fusion.threshold),
                judges,
                config.ejector.pulse_ms,
            ),
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
            matched_views=matched_views(config, self._geometry, motion),
        )

    def _on_durable(self, records: list[StoredRecord]) -> None:
        self.flow.on_durable(records)
        self._rejects.add(records)
        self.previews.durable(records)
        if self.plc is not None:
            self.plc.on_results(records)

    @property
    def tracker(self) -> PartTracker:
        """The parts in flight."""
        return self.flow.tracker

    # ------------------------------------------------------ faults and life

    def _raise(self, name: str, *, for_s: float | None = None, **values: object) -> None:
        self.alarms.raise_alarm(name, for_s=for_s, **values)

    def _clear(self, name: str) -> None:
        self.alarms.clear(name)

    def _tell(self, name: str, detail: str) -> None:
        """Raise an alarm with its detail, or clear it when there is none."""
        if detail:
            self._raise(name, detail=detail)
        else:
            self._clear(name)

    def _supervise(self) -> None:
        """Tell the ejector that the station lives, as long as it really does."""
        try:
            while not self._closed.wait(self._TICK_S):
                self._look_after_inference()
                self._look_after_disk()
                self.clock.look()
                self._ejector_watch.look(self.ejector.health(), self.tracker.in_flight > 0, time.monotonic_ns())
                self.alarms.expire()
                self._stop_if_asked()
                self._mend_cameras()
                if self._wants_to_run and not self.alarms.silencing and not self._stopping_by_fault:
                    self.ejector.alive()
                if self.plc is not None:
                    self.plc.on_state(self.state, self.alarms.active())
        except Exception as error:  # noqa: BLE001 - the thread's edge: the heartbeat ends, and nothing passes any more
            self._raise("STATION_FAILED", detail=f"supervisor: {type(error).__name__}: {error}")

    def _stop_if_asked(self) -> None:
        """Stop the line in order when a fault's reaction says so: first the belt, then, when it stands, the line."""
        asked, self._stops_seen = self.alarms.stops > self._stops_seen, self.alarms.stops
        if asked and self._wants_to_run and not self._stopping_by_fault:
            self._stopping_by_fault = True
            self.flow.shut()
            threading.Thread(target=self._stop_by_fault, name="stop-by-fault", daemon=True).start()

    def _stop_by_fault(self) -> None:
        """Reject whatever still triggers while the belt runs out without a heartbeat, then stop the line."""
        try:
            self._closed.wait(self.config.reactions.run_out_s)
            self.stop_line()
        except Exception as error:  # noqa: BLE001 - the thread's edge: nothing passes any more
            self._raise("STATION_FAILED", detail=f"stop: {type(error).__name__}: {error}")
        finally:
            self._stopping_by_fault = False
            self.flow.shut(self._closed.is_set())

    def _mend_cameras(self) -> None:
        """Open cameras that were still lost when the line was stopped, so that the line can be started again."""
        lost = [line for line in self.lines if line.lost]
        if lost and not self._wants_to_run and self._commands.acquire(blocking=False):
            try:
                for line in lost:
                    line.mend()
            finally:
                self._commands.release()

    def _look_after_inference(self) -> None:
        self._tell("INFERENCE_STALLED", self.engine.stalled())

    def _look_after_disk(self) -> None:
        now_host_ns = time.monotonic_ns()
        if now_host_ns < self._look_at_disk_host_ns:
            return
        self._look_at_disk_host_ns = now_host_ns + round(self._DISK_S * 1e9)
        free_mb, limit_mb = self.memory.free_mb(), self.config.records.min_free_mb
        if free_mb < limit_mb:
            self._raise("DISK_LOW", free_mb=free_mb, limit_mb=limit_mb)
        else:
            self._clear("DISK_LOW")

    def status(self) -> StationStatus:
        """Return one consistent status."""
        return station_status(self)
