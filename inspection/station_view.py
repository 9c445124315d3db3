"""What can be seen of a station, whatever it does: its state, its figures, its pictures."""

from __future__ import annotations

import threading

from inspection.admission import Admission
from inspection.alarm_board import AlarmBoard
from inspection.api.kserve.model import LoadedModel
from inspection.assembly import Assembly
from inspection.camera_history import CameraReport
from inspection.camera_loop import CameraLoop
from inspection.config import StationConfig
from inspection.control import ActiveAlarm, Preview, Snapshot, StationStatus
from inspection.ejector.interface import Ejector
from inspection.engine import Engine
from inspection.flow import PartFlow
from inspection.identity.identification import Identification
from inspection.identity.watch import IdentityWatch
from inspection.memory import Memory
from inspection.operation import Operation
from inspection.plant.copy import PlantCopy
from inspection.plc.plc import PlcPort
from inspection.preview import PreviewSlot
from inspection.recipes.content import RecipeRef
from inspection.recipes.preparing import Preparing
from inspection.records.record import StoredRecord
from inspection.run_counters import RunCounters
from inspection.snapshot import take_snapshot
from inspection.state_machine import State, StateError
from inspection.station_states import StateChange, StationStates
from inspection.status import station_status
from inspection.supervisor import Supervisor
from inspection.tracking.tracker import PartTracker


class StationView:
    """The part of LineControl that changes nothing; safe from any thread. `Station` is one and adds the commands.

    Who makes a station sets these; what comes from its assembly is there from `open` on.
    """

    config: StationConfig
    alarms: AlarmBoard
    counters: RunCounters
    previews: PreviewSlot
    admission: Admission
    states: StationStates
    opened_host_ns: int
    recipes: Preparing
    memory: Memory
    flow: PartFlow
    ejector: Ejector
    plc: PlcPort | None
    plant: PlantCopy
    lines: list[CameraLoop]
    _parts: Assembly
    _operation: Operation
    _supervisor: Supervisor
    _is_open: bool
    _closed: threading.Event

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

    def recipe_fits(self, name: str, version: int | None) -> bool:
        """Return whether the prepared recipe is this one; the newest version is meant where none is named."""
        return self.recipes.fits(name, version)

    @property
    def recipe(self) -> RecipeRef | None:
        """The prepared recipe; None while none is."""
        return self.recipes.prepared

    def open_questions(self) -> list[StoredRecord]:
        """Return the parts whose serial number waits for a person's answer, the oldest first."""
        return self.codes.questions

    def loaded_model(self) -> LoadedModel:
        """Return the model that is loaded. Raises StateError when none is."""
        if not self.is_open:
            raise StateError(f"no model is loaded in state {self.state}; wait until it is READY")
        return LoadedModel(self.engine.bundle.card, self.engine.bundle.digest, self.engine.provider)
