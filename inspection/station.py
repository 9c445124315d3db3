"""The station: every part of the line wired together, its state, and the commands that it takes."""

from __future__ import annotations

import threading
import time
from typing import Any

from camera.backends import BACKENDS, make_camera
from camera.frame import Frame
from inspection.alarm_board import AlarmBoard
from inspection.config import StationConfig, config_digest
from inspection.control import Preview, State, StateError, StationStatus
from inspection.ejector.interface import EjectorHealth
from inspection.ejector.options import make_ejector
from inspection.engine import Engine, unscored
from inspection.errors import ConfigError
from inspection.line import Line
from inspection.memory import Memory
from inspection.part import Decision, EjectorAction, PartResult, Reason
from inspection.pipeline.batch_queue import Job
from inspection.pipeline.decide import not_decidable
from inspection.pipeline.interpreter import line_starts, line_stops
from inspection.pipeline.tracker import PartInFlight, PartTracker
from inspection.preview import PreviewSlot
from inspection.records.errors import JournalError
from inspection.records.record import StoredRecord
from inspection.run_counters import RunCounters
from inspection.simulation.scene import SyntheticScene
from inspection.status import station_status


class Station:
    """One station, from the photo-eye to the record; implements LineControl, safe from any thread.

    `open` brings everything up in the order in which it is needed and leaves the line stopped (READY); `close` takes
    it down in reverse and is idempotent. The state is computed, never stored: what the operator wants and what is
    broken decide it, so that it cannot disagree with the facts.
    """

    _TICK_S = 0.05
    _TRANSIENT_S = 15.0
    _LATE_IN_A_ROW = 3
    _DISK_S = 10.0

    def __init__(self, config: StationConfig) -> None:
        self.config = config
        self.digest = config_digest(config)
        self.alarms = AlarmBoard()
        self.counters = RunCounters()
        self.previews = PreviewSlot()
        self._is_open = False
        self._closed = threading.Event()
        self._wants_to_run = False
        self._look_at_disk_host_ns = 0
        self._last_due_host_ns = 0
        self._commands = threading.Lock()
        self.opened_host_ns = time.monotonic_ns()

    # ------------------------------------------------------------------ life

    def open(self) -> None:
        """Bring everything up: records, model, ejector, camera. Raises the error of whatever cannot come up."""
        config = self.config
        self.ejector = make_ejector(config.ejector)
        try:
            geometry = config.geometry.geometry(self.ejector.lead_ns)
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
            self.tracker = PartTracker(
                self.memory.run, geometry, self.ejector, self._may_pass, self._on_born, self._on_finished
            )
            self.ejector.open(self.tracker.on_actuation, self._on_ejector_health)
            camera = make_camera(config.camera.backend, config.camera.name, config.camera.options, scene=self._scene())
            camera.open()
        except BaseException:
            self.close()
            raise
        self.line = Line(
            camera,
            self.tracker,
            self._on_matched,
            self.engine.queue.wait_for_room,
            on_lost=lambda text: self._raise("CAMERA_LOST", detail=text),
            on_recovered=lambda: self._clear("CAMERA_LOST"),
            on_failure=lambda text: self._raise("STATION_FAILED", detail=text),
        )
        self.counters.reset(self.memory.run)
        if config.ejector.heartbeat_channel is None:
            self._raise("NO_HEARTBEAT_WIRED")
        self._is_open = True
        self._supervisor = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
        self._supervisor.start()

    def _scene(self) -> SyntheticScene | None:
        """Return what lies on the belt, for a camera that has none of its own; its textures take 100 MB."""
        if not BACKENDS[self.config.camera.backend].needs_scene:
            return None
        return SyntheticScene(self.config.simulation.seed, self.config.simulation.defect_rate)

    def close(self) -> None:
        """Stop the line, let the parts in flight end, release everything. Idempotent and bounded."""
        if self._closed.is_set():
            return
        if self._is_open:
            self.stop_line()
        self._closed.set()
        if self._is_open:
            self._supervisor.join(2.0)
            self.line.camera.close()
        for part in ("ejector", "engine", "memory"):
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
        if self.alarms.blocking:
            return State.ERROR
        return State.CONTINUOUS_EXECUTION if self._wants_to_run else State.READY

    def start_line(self) -> None:
        """Inspect every part that triggers from now on. Raises StateError unless READY or running."""
        with self._commands:
            if self._wants_to_run:
                return
            if self.state is not State.READY:
                raise StateError(f"the line cannot start in state {self.state}; {self._next_step()}")
            line_starts()
            try:
                self.line.start()
            except BaseException:
                line_stops()
                raise
            self._wants_to_run = True

    def stop_line(self) -> None:
        """Stop triggering and let the parts in flight end. Bounded by the travel time and a few seconds."""
        with self._commands:
            if not self._wants_to_run:
                return
            self.line.stop()
            self.tracker.wait_empty(self.config.geometry.travel_s + 5.0)
            self.memory.flush(5.0)
            self._wants_to_run = False
            line_stops()

    def _next_step(self) -> str:
        alarms = self.alarms.active()
        return f"first mend {alarms[0].name}" if alarms else "wait until it is READY"

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
        return self.line.exhausted and not self.tracker.in_flight and self.counters.records >= self.triggers

    @property
    def triggers(self) -> int:
        """How many parts have triggered in this run."""
        return self.tracker.counters.triggers

    # ------------------------------------------------- the way of one part

    def _may_pass(self) -> bool:
        return not self.alarms.blocking and not self._closed.is_set()

    def _on_born(self, part: PartInFlight) -> None:
        try:
            self.memory.born(part)
        except JournalError as error:
            self._raise("RECORDS_TROUBLE", for_s=self._TRANSIENT_S, detail=error)
        gap_ms = (part.due_host_ns - self._last_due_host_ns) * 1e-6
        self._last_due_host_ns = part.due_host_ns
        if gap_ms < self.config.ejector.pulse_ms:
            pulse_ms = f"{self.config.ejector.pulse_ms:g}"
            self._raise("PARTS_TOO_CLOSE", for_s=self._TRANSIENT_S, gap_ms=f"{gap_ms:.0f}", pulse_ms=pulse_ms)

    def _on_matched(self, part: PartInFlight, frame: Frame) -> None:
        job = Job(
            frame.pixels,
            part.deadline_host_ns,
            self._on_scored,
            token=part,
            pixel_format=frame.pixel_format,
            judge=self.engine.judge,
        )
        if not self.engine.submit(job):
            self.tracker.decided(part, not_decidable(Reason.LATE))

    def _on_scored(self, job: Job, raw: Any) -> None:
        part: PartInFlight = job.token
        part.stages.batch_host_ns = job.batch_host_ns
        part.stages.scored_host_ns = time.monotonic_ns()
        if raw is None and job.failure_reason is Reason.SYSTEM:
            part.note = job.failure
            self._raise("FRAME_UNUSABLE", for_s=self._TRANSIENT_S, part=part.number, detail=job.failure)
        self.tracker.decided(part, unscored(job) if job.decision is None else job.decision)

    def _on_finished(self, result: PartResult) -> None:
        self.previews.offer(result)
        if not self.memory.submit(result):
            self._raise("RECORDS_TROUBLE", for_s=self._TRANSIENT_S, detail="the recorder's queue is full")

    def _on_durable(self, records: list[StoredRecord]) -> None:
        self.counters.add(records)
        self.previews.durable(records)
        for record in records:
            if record.reason == Reason.NO_IMAGE:
                self._raise("NO_IMAGE", for_s=self._TRANSIENT_S, part=record.part)
            if record.ejector_action == EjectorAction.FAILED:
                self._raise("EJECTOR_PULSE_FAILED", for_s=self._TRANSIENT_S, part=record.part)
            elif record.ejector_action == EjectorAction.FIRED_LATE:
                self._raise("WRONG_PULSE", for_s=self._TRANSIENT_S, part=record.part)
        if self.counters.late_in_a_row >= self._LATE_IN_A_ROW:
            self._raise("LATE_VERDICTS", for_s=self._TRANSIENT_S, count=self.counters.late_in_a_row)

    # ------------------------------------------------------ faults and life

    def _raise(self, name: str, *, for_s: float | None = None, **values: object) -> None:
        self.alarms.raise_alarm(name, for_s=for_s, **values)

    def _clear(self, name: str) -> None:
        self.alarms.clear(name)

    def _on_ejector_health(self, health: EjectorHealth) -> None:
        if health.connected:
            self._clear("EJECTOR_LOST")
        else:
            self._raise("EJECTOR_LOST", port=health.port, detail=health.detail)

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
                self.alarms.expire()
                if self.state is State.CONTINUOUS_EXECUTION:
                    self.ejector.alive()
        except Exception as error:  # noqa: BLE001 - the thread's edge: the heartbeat ends, and nothing passes any more
            self._raise("STATION_FAILED", detail=f"supervisor: {type(error).__name__}: {error}")

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
