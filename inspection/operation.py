"""The line's running: started, stopped and aborted, for every part or for a single one."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace

from camera.errors import CameraError
from inspection.admission import Admission, JobRequest, SingleGate
from inspection.alarm_board import AlarmBoard
from inspection.assembly import Assembly
from inspection.config import StationConfig
from inspection.control import State, TriggerMissedError
from inspection.pipeline.interpreter import line_starts, line_stops
from inspection.state_machine import Cause, StateError
from inspection.station_states import StationStates

_log = logging.getLogger(__name__)


class Operation:
    """Carries out what starts and stops the line. Owned by the station; safe from any thread, one command at a time.

    next_step: what to do first when the state forbids a command. recipe: the name of the prepared one. `lock` is held
    for as long as a command takes; who holds it keeps the line as it is.
    """

    _READY_S = 3.0
    _DRAIN_S = 5.0
    _FLUSH_S = 5.0

    def __init__(
        self,
        config: StationConfig,
        parts: Assembly,
        states: StationStates,
        alarms: AlarmBoard,
        admission: Admission,
        next_step: Callable[[], str],
        recipe: Callable[[], str],
    ) -> None:
        self._config, self._parts, self._states, self._alarms = config, parts, states, alarms
        self._admission = admission
        self._next_step, self._recipe = next_step, recipe
        self.lock = threading.Lock()
        self.winding_down = False
        """True while the line is being stopped: the heartbeat has ended, the belt runs out."""
        self._no_time_left = threading.Event()
        self._gate: SingleGate | None = None
        self._single: threading.Thread | None = None

    # ----------------------------------------------------------------- starting

    def start(self, job: JobRequest | None = None) -> str:
        """Inspect every part that triggers from now on; return the job's id. Raises StateError."""
        with self.lock:
            self._states.require(Cause.START_CONTINUOUS, self._next_step())
            job = self._begin(job, None)
            self._states.apply(Cause.START_CONTINUOUS, job.job_id)
            return job.job_id

    def start_single(self, job: JobRequest) -> str:
        """Inspect the next part, and let no other one pass; return the job's id.

        A camera that is triggered by software is triggered at once. Raises StateError, TriggerMissedError.
        """
        with self.lock:
            self._states.require(Cause.START_SINGLE, self._next_step())
            gate = SingleGate()
            job = self._begin(job, gate)
            self._gate = gate
            self._states.apply(Cause.START_SINGLE, job.job_id)
            try:
                self._trigger_single()
            except TriggerMissedError:
                self._end(Cause.ABORT, "no picture could be made")
                raise
        self._single = threading.Thread(target=self._await_single, args=(gate,), name="single", daemon=True)
        self._single.start()
        return job.job_id

    def _trigger_single(self) -> None:
        first = self._parts.lines[0]
        if not first.camera.takes_software_trigger:
            return
        try:
            part = first.trigger()
        except CameraError as error:
            raise TriggerMissedError(str(error)) from error
        if part is None:
            raise TriggerMissedError(f"camera '{first.camera.name}' could not make a picture now — give it more time")

    def _await_single(self, gate: SingleGate) -> None:
        """End a single execution when its part has ended, unless somebody else ended it before."""
        try:
            gate.born.wait()
            if gate.part:
                self._parts.flow.tracker.wait_ended(gate.part, self._config.geometry.travel_s + self._FLUSH_S)
            with self.lock:
                if self._gate is gate:
                    self._end(Cause.JOB_DONE)
        except Exception as error:  # noqa: BLE001 - the thread's edge: nothing passes any more
            self._alarms.raise_alarm("STATION_FAILED", detail=f"single: {type(error).__name__}: {error}")

    def _begin(self, job: JobRequest | None, gate: SingleGate | None) -> JobRequest:
        """Start the cameras' loops for a job; all of them, or none. Without a request its records name no job."""
        if job is not None and job.recipe not in ("", self._recipe()):
            raise StateError(
                f"the start counts on recipe {job.recipe!r} — {self._recipe()!r} is prepared — prepare the one that is "
                "meant"
            )
        named = JobRequest() if job is None else replace(job, job_id=job.job_id or uuid.uuid4().hex)
        self._parts.identification.begin_job(named.part_id)
        self._admission.begin_job(named.ids(), gate)
        line_starts()
        try:
            self._start_all()
        except BaseException:
            for line in self._parts.lines:
                line.stop()
            line_stops()
            self._admission.begin_job({})
            self._parts.identification.end_job()
            raise
        self._alarms.clear("LINE_STOPPED")
        return named

    def _start_all(self) -> None:
        ejector = self._parts.ejector
        if not ejector.get_ready(self._config.geometry.travel_s + self._READY_S):
            raise StateError(f"the ejector does not get ready: {ejector.health().detail}; try again")
        try:
            for line in self._parts.lines:
                line.start()
        except CameraError as error:
            raise StateError(f"the line cannot start: {error}") from error

    # ----------------------------------------------------------------- stopping

    def stop(self, cause: Cause = Cause.STOP, detail: str = "") -> None:
        """Stop the belt, then triggering, and let the parts in flight end; nothing to do when nothing runs. Bounded.

        The heartbeat ends first: what still triggers while the belt runs out is inspected as ever, so nothing passes
        that nobody followed. The cameras stand when the frames of all that has triggered are there. A second stop
        meanwhile waits for the first.
        """
        with self.lock:
            if self._states.executes:
                self._end(cause, detail)

    def abort(self, cause: Cause = Cause.ABORT, detail: str = "", *, stays_shut: bool = False) -> None:
        """Let no part get a pass from this moment on, and stop the line; then `cause` holds. Bounded.

        No frame is waited for, as no part can pass. stays_shut: nothing may pass afterwards, either.
        """
        self._parts.flow.shut()
        with self.lock:
            self._end(cause, detail, waits_for_frames=False)
            self._parts.flow.shut(stays_shut)

    def _end(self, cause: Cause, detail: str = "", *, waits_for_frames: bool = True) -> None:
        """Take the line to a stand if it runs, and let what follows hold; under the lock."""
        if self._states.executes:
            self._wind_down(waits_for_frames)
        self._states.apply(cause, detail)
        self.winding_down = False  # not before: no heartbeat may go out in between

    def _wind_down(self, waits_for_frames: bool) -> None:
        lines = self._parts.lines
        self._no_time_left.clear()
        self.winding_down = True
        if self._config.belt_can_be_stopped and not lines[0].exhausted:
            self._no_time_left.wait(self._config.reactions.run_out_s)
        tracker = self._parts.flow.tracker
        until_s = time.monotonic() + self._config.geometry.travel_s + self._DRAIN_S
        if waits_for_frames and not self._config.ejector.is_controller:
            self._let_frames_come(until_s)
        for line in lines:
            line.stop()
        tracker.wait_empty(max(0.0, until_s - time.monotonic()))
        self._parts.memory.flush(self._FLUSH_S)
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.born.set()  # nobody is born any more: let who waits for it go
        self._admission.begin_job({})
        self._parts.identification.end_job()
        line_stops()

    def _let_frames_come(self, until_s: float) -> None:
        """Begin no further part, and wait for the frames of those that have triggered, as long as they are in flight.

        A frame that does not come costs its part, as ever: it is rejected when it reaches the ejector, or a camera that
        knows better says so before. Not where a controller tells of the triggers: it would tell of further ones.
        """
        for line in self._parts.lines:  # the first one gives the triggers
            line.cease()
        self._parts.flow.tracker.wait_pictured(max(0.0, until_s - time.monotonic()))

    def hurry(self) -> None:
        """Let a stop that is under way no longer wait for the belt to stand: the process is about to end."""
        if self.winding_down:
            self._no_time_left.set()

    # ---------------------------------------------------------------- one picture

    def trigger_once(self) -> int:
        """Have the first camera make a picture now; return the part's number. Raises StateError, TriggerMissedError."""
        if self.winding_down:
            raise StateError("the line is being stopped, and no part is inspected on demand any more; start it again")
        state = self._states.state
        if state is not State.CONTINUOUS_EXECUTION:
            raise StateError(f"no part is inspected in state {state}; {self._next_step()}")
        camera = self._parts.lines[0].camera
        if not camera.takes_software_trigger:
            raise TriggerMissedError(
                f"camera '{camera.name}' takes no trigger from software — it follows its photo-eye or clock — let that "
                'trigger, or set camera.trigger = "software" where the backend knows it'
            )
        try:
            part = self._parts.lines[0].trigger()
        except CameraError as error:
            raise TriggerMissedError(str(error)) from error
        if part is None:
            raise TriggerMissedError(f"camera '{camera.name}' could not make a picture now — give it more time")
        return part
