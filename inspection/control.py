"""The one port through which commands reach the line, and what the line tells about itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from inspection.admission import JobRequest
from inspection.alarms import Reaction
from inspection.camera_history import CameraReport
from inspection.part import Decision, PartResult
from inspection.recipes.content import RecipeRef
from inspection.records.record import StoredRecord
from inspection.state_machine import State, StateError
from inspection.station_states import StateChange

__all__ = [
    "ActiveAlarm",
    "BusyError",
    "Confirmation",
    "JobRequest",
    "LineControl",
    "NoPictureError",
    "NoSuchCameraError",
    "Preview",
    "Snapshot",
    "State",
    "StateChange",
    "StateError",
    "StationStatus",
    "TriggerMissedError",
]


@dataclass(frozen=True, slots=True)
class ActiveAlarm:
    """One alarm that stands now: a name from the alarm table, the values its text needs, what the station does.

    must_be_confirmed: it stays until somebody confirms it. is_over: its fault has gone, only the confirmation is left.
    """

    name: str
    since_wall_ns: int
    values: Mapping[str, str] = field(default_factory=dict)
    reaction: Reaction = Reaction.WARN
    must_be_confirmed: bool = False
    is_over: bool = False

    @property
    def blocks(self) -> bool:
        """True when nothing may pass while it stands."""
        return self.reaction is not Reaction.WARN


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a confirmation did: the alarms that are gone, and those whose fault is still there."""

    confirmed: tuple[str, ...]
    still_there: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StationStatus:
    """One consistent look at the station. Counters are of the present run and come from durable records only."""

    station: str
    state: State
    run: str
    alarms: tuple[ActiveAlarm, ...]
    triggers: int
    records: int
    passed: int
    rejected_by_reason: Mapping[str, int]
    late: int
    wrong_pulses: int
    parts_per_minute: float
    latency_p50_ms: float
    latency_p99_ms: float
    model: str
    bundle_digest: str
    threshold: float
    provider: str
    camera: str
    ejector: str
    ejector_connected: bool
    heartbeat_running: bool
    uptime_s: float
    counters: Mapping[str, int]  # lost_frames, preview_drops, reconnects, … : nothing is silent
    cameras: tuple[CameraReport, ...] = ()
    recipe: RecipeRef | None = None  # the prepared one
    lot: str = ""  # the one that new parts belong to
    last_change: StateChange | None = None  # how the state became what it is; None before the first change


@dataclass(frozen=True, slots=True)
class Preview:
    """The newest frame with its verdict, small enough to look at; previews may be dropped, records may not."""

    sequence: int
    part: int
    jpeg: bytes
    width: int
    height: int
    result: PartResult


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One picture of one camera at full size, as a PNG file; pixel_format: what the camera gave it in."""

    png: bytes
    width: int
    height: int
    pixel_format: str
    age_ms: int


_NO_JOB = JobRequest()


class LineControl(Protocol):
    """What the API may ask of the station; implemented by `inspection.station.Station`, safe from any thread."""

    def status(self) -> StationStatus:
        """Return one consistent status."""

    @property
    def state(self) -> State:
        """What the station does now."""

    def active_alarms(self) -> tuple[ActiveAlarm, ...]:
        """Return what stands now, what blocks first, then the oldest. Never blocks."""

    def camera_reports(self) -> tuple[CameraReport, ...]:
        """Return what each camera does and has been through."""

    def snapshot(self, camera: str) -> Snapshot:
        """Return a picture of a camera, '' for the first; takes up to 5 s. Raises NoSuchCameraError, NoPictureError."""

    def wait_state(self, after: int, timeout_s: float) -> list[StateChange]:
        """Return the changes of the state after a sequence (0: all that are kept); empty when none came in time."""

    def select_mode_automatic(self) -> None:
        """PREOPERATIONAL → INITIALIZED. Raises StateError."""

    @property
    def recipe(self) -> RecipeRef | None:
        """The prepared recipe; None while none is."""

    def prepare_recipe(self, recipe_id: str, version: int | None = None, who: str = "") -> RecipeRef:
        """INITIALIZED or READY → READY: load and warm a recipe and begin a new run; takes seconds.

        recipe_id "station" is what the station's file holds. version: the newest when none is named. An earlier recipe
        stays prepared when this fails. Raises StateError, RecipeError, LotStateError, ChallengeStateError or
        RecordsError.
        """

    def unprepare_recipe(self) -> None:
        """READY → INITIALIZED. Raises StateError."""

    def start_single(self, job: JobRequest = _NO_JOB) -> str:
        """READY → SINGLE_EXECUTION: inspect the next part, triggered at once where software triggers; → READY.

        Return the job's id, which the part's record keeps. Every other part that triggers meanwhile is rejected.
        Raises StateError, TriggerMissedError.
        """

    def start_continuous(self, job: JobRequest = _NO_JOB) -> str:
        """READY → CONTINUOUS_EXECUTION. Return the job's id, which each record keeps. Raises StateError."""

    def name_next_part(self, serial: str) -> None:
        """Give the part that triggers next its serial number. Raises SerialRefusedError."""

    def open_questions(self) -> list[StoredRecord]:
        """Return the parts whose serial number waits for a person's answer, the oldest first."""

    def stop(self) -> None:
        """Stop triggering, finish the parts in flight, → READY. Bounded. Raises StateError when nothing runs."""

    def abort(self) -> None:
        """From now on no part gets a pass; stop the line, → READY. Bounded. Raises StateError when nothing runs.

        A pass that the ejector was told already stands: it knows no taking back.
        """

    def halt(self, cause: str) -> None:
        """Abort and do nothing until `reset`, → HALTED. Raises StateError."""

    def reset(self, cause: str) -> None:
        """Abort and begin anew without a prepared recipe, → PREOPERATIONAL. Raises StateError."""

    def simulation_mode(self, active: bool) -> None:
        """Mark the parts that follow as simulated in their records, or no longer. Raises StateError while running."""

    def start_line(self) -> None:
        """READY → CONTINUOUS_EXECUTION. No-op when it runs. Raises StateError from any other state."""

    def stop_line(self) -> None:
        """Stop triggering, finish the parts in flight, → READY. No-op when stopped. Bounded."""

    def trigger_once(self) -> int:
        """Have the camera make a picture now, as a photo-eye would; return the number of the part that was born.

        Raises StateError unless the line runs, TriggerMissedError when the camera takes no trigger (from software).
        """

    def confirm_alarms(self, names: Collection[str], who: str) -> Confirmation:
        """Let go of held alarms whose fault has gone, all of them when `names` is empty. Logged with `who` did it."""

    def inspect(self, pixels: object, timeout_s: float) -> Decision:
        """Judge one uint8 image (H×W or H×W×3 RGB) with the station's model, apart from the line.

        Raises StateError when the model is not ready, BusyError when it cannot be answered within `timeout_s`.
        """

    def wait_preview(self, after_sequence: int, timeout_s: float) -> Preview | None:
        """Wait for a preview newer than `after_sequence`; None when none came in time."""


class TriggerMissedError(Exception):
    """No picture was made for a trigger from software; the text says why."""

    exit_code = 1


class NoSuchCameraError(Exception):
    """No camera has that name; the text says which there are."""

    exit_code = 2


class NoPictureError(Exception):
    """A camera gave no picture; the text says why."""

    exit_code = 1


class BusyError(Exception):
    """The line keeps the model busy; the text says for how long to wait."""

    exit_code = 1
