"""The alarm table: every name that the station may raise, how grave it is, and the values that its text takes.

Code raises names; wording and remedy live in the catalogues (`inspection/texts/*.toml`), one a language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import MappingProxyType


class Severity(IntEnum):
    """How grave an alarm is; a higher number is graver."""

    INFO = 1  # good to know, nothing to do now
    WARNING = 2  # parts are lost or a protection is missing: somebody should look soon
    ERROR = 3  # somebody must act now


class Reaction(StrEnum):
    """What the station does while an alarm stands. Somebody is told in any case."""

    WARN = "warn"  # nothing else
    REJECT_ALL = "reject_all"  # nothing passes
    HOLD = "hold"  # nothing passes, and that stays so after the fault has gone, until somebody confirms
    STOP_LINE = "stop_line"  # nothing passes, the heartbeat is withdrawn, and the line is stopped in order


@dataclass(frozen=True, slots=True)
class Alarm:
    """One row of the table.

    blocks: True when nothing may pass while it stands, which puts the station in ERROR; the recipe may choose a
    stricter reaction than that, or one for an alarm that does not block (see `inspection.faults`).
    blind: True when the station cannot reject what passes while it stands, so that the heartbeat is withdrawn.
    values: the names of the values that its text may use, in braces.
    is_fault: False for one that blocks, but that is mended by working with the running line: no ERROR.
    """

    name: str
    severity: Severity
    blocks: bool
    values: tuple[str, ...] = ()
    is_fault: bool = True
    blind: bool = False


_ROWS = (
    Alarm("CAMERA_LOST", Severity.ERROR, blocks=True, values=("detail", "why"), blind=True),
    Alarm("CAMERA_CHANGED", Severity.ERROR, blocks=True, values=("detail", "first")),
    Alarm("EJECTOR_LOST", Severity.ERROR, blocks=True, values=("port", "detail"), blind=True),
    Alarm("MODEL_FAILED", Severity.ERROR, blocks=True, values=("detail",)),
    Alarm("MODEL_REMOTE_LOST", Severity.ERROR, blocks=True, values=("detail",)),
    Alarm("INFERENCE_STALLED", Severity.ERROR, blocks=True, values=("detail",)),
    Alarm("RECORDS_TROUBLE", Severity.ERROR, blocks=True, values=("detail",)),
    # The line must run for the camera to learn the belt, but the heartbeat waits for it: a watchdog holds the belt.
    Alarm("BELT_UNKNOWN", Severity.ERROR, blocks=True, values=("detail",), is_fault=False, blind=True),
    Alarm("PARTS_UNSEEN", Severity.ERROR, blocks=True, values=("detail",)),
    Alarm("PLC_SILENT", Severity.ERROR, blocks=True, values=("detail",)),
    Alarm("PLC_QUIET", Severity.WARNING, blocks=False, values=("detail",)),
    Alarm("RECIPE_LOST", Severity.ERROR, blocks=False, values=("detail",)),
    Alarm("LOT_INTERRUPTED", Severity.WARNING, blocks=False, values=("lot",)),
    Alarm("CERTIFICATE_EXPIRES", Severity.WARNING, blocks=False, values=("detail",)),
    Alarm("ACCESS_UNREADABLE", Severity.ERROR, blocks=False, values=("detail",)),
    # The interlock: nothing passes, but the line runs, so that a challenge can be passed.
    Alarm("CHALLENGE_DUE", Severity.ERROR, blocks=True, values=("parts", "why"), is_fault=False),
    Alarm(
        "CHALLENGE_RUNNING",
        Severity.WARNING,
        blocks=True,
        values=("ejected", "parts", "missed", "next"),
        is_fault=False,
    ),
    Alarm("CHALLENGE_FAILED", Severity.ERROR, blocks=False, values=("missed", "parts")),
    Alarm("CHALLENGE_SOON", Severity.WARNING, blocks=False, values=("hours",)),
    Alarm("STATION_FAILED", Severity.ERROR, blocks=True, values=("detail",), blind=True),
    # These two tell of one part that is already past the ejector: blocking the next parts would not bring it back.
    Alarm("EJECTOR_PULSE_FAILED", Severity.ERROR, blocks=False, values=("part",)),
    Alarm("WRONG_PULSE", Severity.ERROR, blocks=False, values=("part",)),
    # What is told to whoever comes to Start, when the fault's own alarm may be gone.
    Alarm("LINE_STOPPED", Severity.WARNING, blocks=False, values=("fault",)),
    Alarm("PULSE_TOO_LONG", Severity.ERROR, blocks=False, values=("count",)),
    Alarm("LATE_VERDICTS", Severity.WARNING, blocks=False, values=("count",)),
    Alarm("MISSING_VIEW", Severity.WARNING, blocks=False, values=("part", "camera")),
    Alarm("NO_IMAGE", Severity.WARNING, blocks=False, values=("part",)),
    Alarm("CAMERA_LINK_POOR", Severity.WARNING, blocks=False, values=("detail",)),
    Alarm("IMAGE_QUALITY", Severity.WARNING, blocks=False, values=("count", "camera", "why")),
    Alarm("IMAGE_DRIFT", Severity.WARNING, blocks=False, values=("percent", "camera", "why")),
    Alarm("PART_NOT_LOCATED", Severity.WARNING, blocks=False, values=("count", "camera")),
    Alarm("UNKNOWN_LOOK", Severity.WARNING, blocks=False, values=("count",)),
    Alarm("CODE_UNREADABLE", Severity.WARNING, blocks=False, values=("count",)),
    Alarm("CODE_DUPLICATE", Severity.WARNING, blocks=False, values=("part", "serial")),
    Alarm("CODE_QUESTION", Severity.WARNING, blocks=False, values=("count", "part", "record")),
    Alarm("FRAME_UNUSABLE", Severity.ERROR, blocks=False, values=("part", "detail")),
    Alarm("PARTS_TOO_CLOSE", Severity.WARNING, blocks=False, values=("gap_ms", "pulse_ms")),
    Alarm("PAGE_RESTARTED", Severity.INFO, blocks=False),
    Alarm("IMAGES_GIVEN_UP", Severity.WARNING, blocks=False, values=("detail",)),
    Alarm("RECORDS_UNSIGNED", Severity.WARNING, blocks=False, values=("detail",)),
    Alarm("RECORDS_NOT_FORWARDED", Severity.WARNING, blocks=False, values=("detail",)),
    Alarm("IMAGES_NOT_FORWARDED", Severity.WARNING, blocks=False, values=("detail",)),
    Alarm("DISK_LOW", Severity.WARNING, blocks=False, values=("free_mb", "limit_mb")),
    Alarm("NO_HEARTBEAT_WIRED", Severity.INFO, blocks=False),
    Alarm("REJECTS_IN_A_ROW", Severity.WARNING, blocks=False, values=("count",)),
    Alarm("EJECTOR_JAMMED", Severity.ERROR, blocks=True, values=("part",), blind=True),
    Alarm("BIN_FULL", Severity.ERROR, blocks=True, blind=True),
    Alarm("UNKNOWN_PART", Severity.ERROR, blocks=True, values=("count",)),
    Alarm("CONTROLLER_RESET", Severity.ERROR, blocks=True, values=("detail",), blind=True),
    Alarm("CONTROLLER_FAULT", Severity.ERROR, blocks=True, values=("detail",)),
    Alarm("ENCODER_SILENT", Severity.ERROR, blocks=True, values=("detail",), blind=True),
    Alarm("BELT_STOPPED", Severity.INFO, blocks=False),
    Alarm("CLOCK_STEPPED", Severity.WARNING, blocks=False, values=("step_s",)),
)

ALARMS: Mapping[str, Alarm] = MappingProxyType({row.name: row for row in _ROWS})
"""The table by name."""


def severity_of(name: str) -> Severity:
    """Return how grave an alarm is; a name of a newer station that this table lacks counts as a warning."""
    return ALARMS[name].severity if name in ALARMS else Severity.WARNING


def blocks(name: str) -> bool:
    """Return whether nothing may pass while an alarm stands; False for a name that this table lacks."""
    return name in ALARMS and ALARMS[name].blocks
