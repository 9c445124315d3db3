"""The station: the parts of the line brought up and taken down, its state, and the commands that it takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from functools import partial
from typing import Any

from camera.frame import Pixels
from camera.scene import Scene
from inspection.admission import Admission, JobRequest
from inspection.alarm_board import AlarmBoard
from inspection.api.kserve.model import LoadedModel
from inspection.assembly import Assembly, Surroundings
from inspection.camera_history import CameraReport
from inspection.camera_upkeep import CameraUpkeep
from inspection.config import StationConfig, config_digest
from inspection.control import ActiveAlarm, Confirmation, Preview, Snapshot, StationStatus
from inspection.engine import Engine
from inspection.identity.identification import Identification
from inspection.identity.watch import IdentityWatch
from inspection.lines import scene_of
from inspection.lots.book import LotBook
from inspection.operation import Operation
from inspection.part import Decision
from inspection.preview import PreviewSlot
from inspection.recipes.content import RecipeRef
from inspection.recipes.preparing import Preparing
from inspection.records.record import StoredRecord
from inspection.run_counters import RunCounters
from inspection.snapshot import take_snapshot
from inspection.state_machine import EXECUTING, Cause, State, StateError
from inspection.station_states import StateChange, StationStates
from inspection.status import station_status
from inspection.supervisor import Supervisor
from inspection.tracking.tracker import PartTracker
from models.session import Given

_NO_JOB = JobRequest()
_INSPECTS = EXECUTING | {State.READY}
_NEXT_STEPS = {
    State.PREOPERATIONAL: "wait until it is open, or select the automatic mode",
    State.INITIALIZED: "prepare a recipe",
    State.READY: "start the line",
    State.SINGLE_EXECUTION: "stop the line, or wait until its part has ended",
    State.CONTINUOUS_EXECUTION: "stop the line",
    State.HALTED: "reset the station",
}


class Station:
    """One station, from the photo-eye to the record; implements LineControl, safe from any thread.

    `open` brings everything up in the order in which it is needed and leaves the line stopped (READY); `close` takes
    it down in reverse and is idempotent. The state is computed, never stored: what the operator wants and what is
    broken decide it, so that it cannot disagree with the facts.
    """

    def __init__(self, config: StationConfig) -> None:
        self.config = config
        self.digest = config_digest(config)
        self.alarms = AlarmBoard(config.reactions_of_alarms)
        self.counters = RunCounters()
        self.previews = PreviewSlot()
        self.scene: Scene | None = None
        """What lies on the belt of a simulated camera; None: what the configuration says. Set before `open`."""
        self.admission = Admission()
        self.states = StationStates(lambda: self.alarms.faulty or (self._is_open and self._supervisor.stopping))
        self.alarms.on_fault = self.states.look
        self.opened_host_ns = time.monotonic_ns()
        self._is_open = False
        self._closed = threading.Event()

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
            admission=self.admission,
        )
        try:
            self._parts = parts = Assembly(self.config, around)
        except BaseException:
            self._closed.set()
            self.states.apply(Cause.CLOSED)
            raise
        self.memory, self.interlock, self.flow = parts.memory, parts.interlock, parts.flow
        self.ejector, self.plc, self.lines, self.plant = parts.ejector, parts.plc, parts.lines, parts.plant
        self._supervisor = Supervisor(self, parts.ejector_watch)
        self._operation = Operation(
            self.config,
            parts,
            self.states,
            self.alarms,
            self.admission,
            self._next_step,
            lambda: self.recipe.name if self.recipe else "",
        )
        lock = self._operation.lock
        self.recipes = Preparing(
            self.config,
            parts,
            self.states,
            self.memory,
            lock,
            self._next_step,
            self._on_recipe,
            partial(self.alarms.tell, "RECIPE_LOST"),
        )
        waiting = partial(self.alarms.tell, "LOT_INTERRUPTED", key="lot")
        self.lots = LotBook(self.memory, self.memory.reader, self.admission, self, waiting)
        self.memory.subscribe(self.lots.on_durable)
        self._upkeep = CameraUpkeep(self, lock)
        self.counters.reset(self.memory.run)
        if self.config.ejector.broken_promises():
            self.alarms.raise_alarm("NO_HEARTBEAT_WIRED")
        self._is_open = True
        self.states.apply(Cause.OPENED)
        self.interlock.open()
        self._supervisor.start()
        self._upkeep.start()
        self.recipes.restore()
        self.lots.restore()

    def close(self) -> None:
        """Stop the line, let the parts in flight end, release everything. Idempotent and bounded."""
        if self._closed.is_set():
            return
        if not self._is_open:
            self._closed.set()
            self.states.apply(Cause.CLOSED)
            return
        self.hurry()
        self.stop_line()
        self._closed.set()
        self.states.apply(Cause.CLOSED)
        self.flow.shut()
        self._supervisor.close()
        self._upkeep.close()
        self._parts.close()

    # -------------------------------------------------------------- commands

    def start_line(self) -> None:
        """Inspect every part that triggers from now on; nothing to do while that is so. Raises StateError.

        A camera that cannot be started is lost from then on, and the line can be started when it is back.
        """
        if self.states.facts.execution is State.CONTINUOUS_EXECUTION and not self._supervisor.stopping:
            return
        self._operation.start()

    def stop_line(self) -> None:
        """Stop the line if it runs; see `stop`."""
        self._operation.stop()

    def abort_line(self) -> None:
        """Abort the line if it runs; see `abort`."""
        if self.wants_to_run:
            self._operation.abort()

    def start_continuous(self, job: JobRequest = _NO_JOB) -> str:
        """Inspect every part that triggers from now on; see LineControl."""
        self.identification.allow(job.part_id)
        return self._operation.start(job)

    def start_single(self, job: JobRequest = _NO_JOB) -> str:
        """Inspect the next part and let no other pass; see LineControl."""
        self.identification.allow(job.part_id)
        return self._operation.start_single(job)

    def stop(self) -> None:
        """Stop the line, after the parts in flight. Bounded by the travel time and some seconds. Raises StateError."""
        self.states.require(Cause.STOP, self._next_step())
        self._operation.stop()

    def abort(self) -> None:
        """Let no part get a pass from now on, and stop the line; see LineControl."""
        self.states.require(Cause.ABORT, self._next_step())
        self._operation.abort()

    def halt(self, cause: str) -> None:
        """Abort, and do nothing until `reset`; see LineControl."""
        self.states.require(Cause.HALT, self._next_step())
        self._operation.abort(Cause.HALT, cause, stays_shut=True)
        self.lots.interrupt(f"HALT: {cause}")

    def reset(self, cause: str) -> None:
        """Abort, and begin anew without a prepared recipe; see LineControl."""
        self._refuse_when_closed()
        self.states.require(Cause.RESET, self._next_step())
        self._operation.abort(Cause.RESET, cause)
        self.lots.interrupt(f"RESET: {cause}")

    def select_mode_automatic(self) -> None:
        """Take the station into automatic operation; see LineControl."""
        with self._operation.lock:
            self.states.require(Cause.SELECT_MODE_AUTOMATIC, self._next_step())
            self.states.apply(Cause.SELECT_MODE_AUTOMATIC)

    def prepare_recipe(self, recipe_id: str, version: int | None = None, who: str = "") -> RecipeRef:
        """Load, warm and take over a recipe in a new run; see LineControl."""
        self.lots.allow_recipe(recipe_id, version)
        return self.recipes.prepare(recipe_id, version, who)

    def unprepare_recipe(self) -> None:
        """Let go of the prepared recipe; see LineControl."""
        self.lots.allow_unprepare()
        self.recipes.unprepare()

    def recipe_fits(self, name: str, version: int | None) -> bool:
        """Return whether the prepared recipe is this one; the newest version is meant where none is named."""
        return self.recipes.fits(name, version)

    @property
    def recipe(self) -> RecipeRef | None:
        """The prepared recipe; None while none is."""
        return self.recipes.prepared

    def _on_recipe(self, config: StationConfig, digest: str) -> None:
        self.config, self.digest = config, digest

    def simulation_mode(self, active: bool) -> None:
        """Mark the parts that follow as simulated, or no longer; see LineControl."""
        with self._operation.lock:
            self.states.require(Cause.SIMULATION_MODE, self._next_step())
            self.admission.simulate(active)

    def name_next_part(self, serial: str) -> None:
        """Give the part that triggers next its serial number; see LineControl."""
        self.identification.name_next(serial)

    def open_questions(self) -> list[StoredRecord]:
        """Return the parts whose serial number waits for a person's answer, the oldest first."""
        return self.codes.questions

    def hurry(self) -> None:
        """Let a stop that is under way no longer wait for the belt to stand: the process is about to end."""
        if self._is_open:
            self._operation.hurry()

    def trigger_once(self) -> int:
        """Have the first camera make a picture now; return the part's number. Raises StateError, TriggerMissedError."""
        return self._operation.trigger_once()

    def confirm_alarms(self, names: Collection[str], who: str) -> Confirmation:
        """Let go of held alarms whose fault has gone, all of them when `names` is empty. Logged with `who` did it."""
        return self.alarms.confirm(names, who)

    def inspect(self, pixels: Any, timeout_s: float) -> Decision:
        """Judge one image apart from the line. Raises StateError or BusyError."""
        if self.state not in _INSPECTS:
            raise StateError(f"the model is not at hand in state {self.state}; {self._next_step()}")
        return self.engine.inspect(pixels, timeout_s)

    def infer(self, batch: Pixels, timeout_s: float) -> Given:
        """Give all that the model says of a batch, apart from the line. Raises StateError or BusyError."""
        if self.state not in _INSPECTS:
            raise StateError(f"the model is not at hand in state {self.state}; {self._next_step()}")
        return self.engine.infer(batch, timeout_s)

    def loaded_model(self) -> LoadedModel:
        """Return the model that is loaded. Raises StateError when none is."""
        if not self.is_open:
            raise StateError(f"no model is loaded in state {self.state}; wait until it is READY")
        return LoadedModel(self.engine.bundle.card, self.engine.bundle.digest, self.engine.provider)

    def _refuse_when_closed(self) -> None:
        if self._closed.is_set():
            raise StateError("the station is shut down — no command is taken any more — start its program again")

    def _next_step(self) -> str:
        state = self.state
        if state is not State.ERROR:
            return _NEXT_STEPS[state]
        alarms = self.alarms.active()
        if not alarms or not alarms[0].blocks:
            return "wait until it is READY"
        return f"first {'confirm' if alarms[0].is_over else 'mend'} {alarms[0].name}"

    # ------------------------------------------------------------- a look at it

    @property
    def engine(self) -> Engine:
        """The model of the recipe that was prepared last."""
        return self._parts.engine

    @property
    def identification(self) -> Identification:
        """Who names parts: a name for the next one is given here."""
        return self._parts.identification

    @property
    def codes(self) -> IdentityWatch:
        """The questions about serial numbers that wait for a person."""
        return self._parts.codes

    @property
    def is_open(self) -> bool:
        """True from a successful `open` to `close`."""
        return self._is_open and not self._closed.is_set()

    @property
    def state(self) -> State:
        """What the station does now."""
        return self.states.state

    def wait_state(self, after: int, timeout_s: float) -> list[StateChange]:
        """Return the changes of the state after a sequence, oldest first; empty when none came in time."""
        return self.states.wait(after, timeout_s)

    @property
    def wants_to_run(self) -> bool:
        """Whether somebody wants the line to run, whatever is broken."""
        return self.states.executes

    @property
    def winding_down(self) -> bool:
        """True while the line is being stopped: the heartbeat has ended, the belt runs out."""
        return self._operation.winding_down

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

    def active_alarms(self) -> tuple[ActiveAlarm, ...]:
        """Return what stands now, what blocks first, then the oldest."""
        return self.alarms.active()

    def snapshot(self, camera: str) -> Snapshot:
        """Return a picture of a camera, '' for the first. Raises NoSuchCameraError, NoPictureError."""
        return take_snapshot(self.lines, camera, self._operation.lock, runs=self.wants_to_run)

    def status(self) -> StationStatus:
        """Return one consistent status."""
        return station_status(self)

    def wait_preview(self, after_sequence: int, timeout_s: float) -> Preview | None:
        """Wait for a preview newer than `after_sequence`; None when none came in time."""
        return self.previews.wait(after_sequence, timeout_s)
