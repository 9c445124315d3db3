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
from inspection.assembly import Assembly, Surroundings
from inspection.camera_upkeep import CameraUpkeep
from inspection.config import StationConfig, config_digest
from inspection.control import Confirmation
from inspection.lines import scene_of
from inspection.lots.book import LotBook
from inspection.operation import Operation
from inspection.part import Decision
from inspection.preview import PreviewSlot
from inspection.recipes.content import RecipeRef
from inspection.recipes.preparing import Preparing
from inspection.run_counters import RunCounters
from inspection.state_machine import EXECUTING, Cause, State, StateError
from inspection.station_states import StationStates
from inspection.station_view import StationView
from inspection.supervisor import Supervisor
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


class Station(StationView):
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
