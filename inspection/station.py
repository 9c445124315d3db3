"""The station: the parts of the line brought up and taken down, its state, and the commands that it takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from typing import Any

from camera.errors import CameraError
from camera.frame import Pixels
from camera.scene import Scene
from inspection.alarm_board import AlarmBoard
from inspection.api.kserve.model import LoadedModel
from inspection.assembly import Assembly, Surroundings
from inspection.camera_history import CameraReport
from inspection.camera_upkeep import CameraUpkeep
from inspection.config import StationConfig, config_digest
from inspection.control import Confirmation, Preview, State, StateError, StationStatus, TriggerMissedError
from inspection.lines import scene_of
from inspection.part import Decision
from inspection.pipeline.interpreter import line_starts, line_stops
from inspection.preview import PreviewSlot
from inspection.run_counters import RunCounters
from inspection.status import station_status
from inspection.supervisor import Supervisor
from inspection.tracking.tracker import PartTracker
from models.session import Given


class Station:
    """One station, from the photo-eye to the record; implements LineControl, safe from any thread.

    `open` brings everything up in the order in which it is needed and leaves the line stopped (READY); `close` takes
    it down in reverse and is idempotent. The state is computed, never stored: what the operator wants and what is
    broken decide it, so that it cannot disagree with the facts.
    """

    _READY_S = 3.0
    _FLUSH_S = 5.0

    def __init__(self, config: StationConfig) -> None:
        self.config = config
        self.digest = config_digest(config)
        self.alarms = AlarmBoard(config.reactions_of_alarms)
        self.counters = RunCounters()
        self.previews = PreviewSlot()
        self.scene: Scene | None = None
        """What lies on the belt of a simulated camera; None: what the configuration says. Set before `open`."""
        self.wants_to_run = False
        """What the operator asked for last; written under the lock of the commands."""
        self.winding_down = False
        """True while the line is being stopped: the heartbeat has ended, the belt runs out."""
        self.opened_host_ns = time.monotonic_ns()
        self._is_open = False
        self._closed = threading.Event()
        self._commands = threading.Lock()
        self._no_time_left = threading.Event()

    # ------------------------------------------------------------------ life

    def open(self) -> None:
        """Bring everything up: records, model, ejector, camera. Raises the error of whatever cannot come up."""
        around = Surroundings(
            self.digest,
            self.alarms,
            self.counters,
            self.previews,
            line=self,
            state=lambda: self.state,
            scene=self.scene or scene_of(self.config),
        )
        try:
            self._parts = parts = Assembly(self.config, around)
        except BaseException:
            self._closed.set()
            raise
        self.engine, self.memory, self.interlock, self.flow = parts.engine, parts.memory, parts.interlock, parts.flow
        self.ejector, self.plc, self.lines = parts.ejector, parts.plc, parts.lines
        self._supervisor = Supervisor(self, parts.ejector_watch)
        self._upkeep = CameraUpkeep(self, self._commands)
        self.counters.reset(self.memory.run)
        if self.config.ejector.broken_promises():
            self.alarms.raise_alarm("NO_HEARTBEAT_WIRED")
        self._is_open = True
        self.interlock.open()
        self._supervisor.start()
        self._upkeep.start()

    def close(self) -> None:
        """Stop the line, let the parts in flight end, release everything. Idempotent and bounded."""
        if self._closed.is_set():
            return
        if not self._is_open:
            self._closed.set()
            return
        self.hurry()
        self.stop_line()
        self._closed.set()
        self.flow.shut()
        self._supervisor.close()
        self._upkeep.close()
        self._parts.close()

    # -------------------------------------------------------------- commands

    def start_line(self) -> None:
        """Inspect every part that triggers from now on. Raises StateError unless READY or running.

        A camera that cannot be started is lost from then on, and the line can be started when it is back.
        """
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
        try:
            for line in self.lines:
                line.start()
        except CameraError as error:
            raise StateError(f"the line cannot start: {error}") from error

    def stop_line(self) -> None:
        """Stop the belt, then triggering, and let the parts in flight end. Bounded by the travel time and some seconds.

        The heartbeat ends first: what still triggers while the belt runs out is inspected as ever, so nothing passes
        that nobody followed. A second stop meanwhile waits for the first.
        """
        with self._commands:
            if not self.wants_to_run:
                return
            self._no_time_left.clear()
            self.winding_down = True
            if self.config.belt_can_be_stopped and not self.lines[0].exhausted:
                self._no_time_left.wait(self.config.reactions.run_out_s)
            for line in self.lines:
                line.stop()
            self.tracker.wait_empty(self.config.geometry.travel_s + 5.0)
            self.memory.flush(self._FLUSH_S)
            self.wants_to_run = self.winding_down = False
            line_stops()

    def hurry(self) -> None:
        """Let a stop that is under way no longer wait for the belt to stand: the process is about to end."""
        if self.winding_down:
            self._no_time_left.set()

    def trigger_once(self) -> int:
        """Have the first camera make a picture now; return the part's number. Raises StateError, TriggerMissedError."""
        if self.winding_down:
            raise StateError("the line is being stopped, and no part is inspected on demand any more; start it again")
        if self.state is not State.CONTINUOUS_EXECUTION:
            raise StateError(f"no part is inspected in state {self.state}; {self._next_step()}")
        camera = self.lines[0].camera
        if not camera.takes_software_trigger:
            raise TriggerMissedError(
                f"camera '{camera.name}' takes no trigger from software — it follows its photo-eye or clock — let that "
                'trigger, or set camera.trigger = "software" where the backend knows it'
            )
        try:
            part = self.lines[0].trigger()
        except CameraError as error:
            raise TriggerMissedError(str(error)) from error
        if part is None:
            raise TriggerMissedError(f"camera '{camera.name}' could not make a picture now — give it more time")
        return part

    def confirm_alarms(self, names: Collection[str], who: str) -> Confirmation:
        """Let go of held alarms whose fault has gone, all of them when `names` is empty. Logged with `who` did it."""
        return self.alarms.confirm(names, who)

    def inspect(self, pixels: Any, timeout_s: float) -> Decision:
        """Judge one image apart from the line. Raises StateError or BusyError."""
        if self.state not in (State.READY, State.CONTINUOUS_EXECUTION):
            raise StateError(f"the model is not at hand in state {self.state}; {self._next_step()}")
        return self.engine.inspect(pixels, timeout_s)

    def infer(self, batch: Pixels, timeout_s: float) -> Given:
        """Give all that the model says of a batch, apart from the line. Raises StateError or BusyError."""
        if self.state not in (State.READY, State.CONTINUOUS_EXECUTION):
            raise StateError(f"the model is not at hand in state {self.state}; {self._next_step()}")
        return self.engine.infer(batch, timeout_s)

    def loaded_model(self) -> LoadedModel:
        """Return the model that is loaded. Raises StateError when none is."""
        if not self.is_open:
            raise StateError(f"no model is loaded in state {self.state}; wait until it is READY")
        return LoadedModel(self.engine.bundle.card, self.engine.bundle.digest, self.engine.provider)

    def _next_step(self) -> str:
        alarms = self.alarms.active()
        if not alarms or not alarms[0].blocks:
            return "wait until it is READY"
        return f"first {'confirm' if alarms[0].is_over else 'mend'} {alarms[0].name}"

    # ------------------------------------------------------------- a look at it

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

    @property
    def waits_for_cameras(self) -> bool:
        """True while a camera is lost; it is opened when it comes."""
        return any(line.lost for line in self.lines)

    @property
    def tracker(self) -> PartTracker:
        """The parts in flight."""
        return self.flow.tracker

    @property
    def triggers(self) -> int:
        """How many parts have triggered in this run."""
        return self.tracker.counters.triggers

    @property
    def finished(self) -> bool:
        """True once a finite source is exhausted and every part of it is recorded."""
        return self.lines[0].exhausted and not self.tracker.in_flight and self.counters.records >= self.triggers

    @property
    def clock_steps(self) -> int:
        """How often the wall clock was set while the station ran."""
        return self._supervisor.rules.clock.steps

    def camera_reports(self) -> tuple[CameraReport, ...]:
        """Return what each camera does and has been through."""
        sections = self.config.cameras
        return tuple(line.report(section.backend) for line, section in zip(self.lines, sections, strict=True))

    def status(self) -> StationStatus:
        """Return one consistent status."""
        return station_status(self)

    def wait_preview(self, after_sequence: int, timeout_s: float) -> Preview | None:
        """Wait for a preview newer than `after_sequence`; None when none came in time."""
        return self.previews.wait(after_sequence, timeout_s)
