"""The one port through which commands reach the line, and what the line tells about itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from inspection.alarms import Reaction
from inspection.camera_history import CameraReport
from inspection.part import Decision, PartResult


class State(StrEnum):
    """The station's state, named after OPC 40100-1."""

    PREOPERATIONAL = "PREOPERATIONAL"  # starting: loading and warming the model, opening the devices
    READY = "READY"  # everything is warm, the line is stopped
    CONTINUOUS_EXECUTION = "CONTINUOUS_EXECUTION"  # every part that triggers is inspected
    ERROR = "ERROR"  # something is broken: nothing passes until it is mended
    HALTED = "HALTED"  # shut down


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


@dataclass(frozen=True, slots=True)
class Preview:
    """The newest frame with its verdict, small enough to look at; previews may be dropped, records may not."""

    sequence: int
    part: int
    jpeg: bytes
    width: int
    height: int
    result: PartResult


class LineControl(Protocol):
    """What the API may ask of the station; implemented by `inspection.station.Station`, safe from any thread."""

    def status(self) -> StationStatus:
        """Return one consistent status."""

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


class StateError(Exception):
    """A command that the present state does not allow; the text names the state and the next step."""

    exit_code = 1


class TriggerMissedError(Exception):
    """No picture was made for a trigger from software; the text says why."""

    exit_code = 1


class BusyError(Exception):
    """The line keeps the model busy; the text says for how long to wait."""

    exit_code = 1
