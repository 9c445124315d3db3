"""A part on its way from the photo-eye to the ejector, and the words for what was decided about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What happens to the part. There is no third value: what is not passed is rejected."""

    PASS = "PASS"
    REJECT = "REJECT"


class Evaluation(StrEnum):
    """What was found out about the part (OPC 40001-101 ResultEvaluation)."""

    OK = "OK"
    NOT_OK = "NOT_OK"
    NOT_DECIDABLE = "NOT_DECIDABLE"


class Reason(StrEnum):
    """Why a part was rejected; NONE for a part that passed."""

    NONE = "NONE"
    MODEL = "MODEL"
    NO_IMAGE = "NO_IMAGE"
    LATE = "LATE"
    IMAGE_QUALITY = "IMAGE_QUALITY"
    OUT_OF_DISTRIBUTION = "OUT_OF_DISTRIBUTION"
    MISSING_VIEW = "MISSING_VIEW"
    OPERATOR = "OPERATOR"
    SYSTEM = "SYSTEM"
    CODE = "CODE"  # the serial number: no code could be read, or another part bears the same; the model found nothing
    INTERLOCK = "INTERLOCK"  # the line was held, as a challenge was due or ran; the model found nothing


class EjectorAction(StrEnum):
    """What the ejector did for the part, as its own process reports it."""

    RELEASED = "RELEASED"  # a PASS arrived in time: nothing was fired, or the gate got its pulse (positive release)
    FIRED = "FIRED"  # the reject pulse was written inside the part's window
    FIRED_LATE = "FIRED_LATE"  # the pulse was written outside the part's window: a fault
    FAILED = "FAILED"  # the pulse could not be written (port gone): take the part off by hand
    UNCONFIRMED = "UNCONFIRMED"  # the station ended before the ejector could report
    TAKEN_ALONG = "TAKEN_ALONG"  # no pulse of its own: so close behind a rejected part that its pulse took both
    REMOVED = "REMOVED"  # the part was not there when its turn came: taken off the belt by hand
    DIVERTED = "DIVERTED"  # the gate took the part by itself: it was given no release pulse (positive release)
    NOT_SEEN = "NOT_SEEN"  # the reject fired, but the sensor behind the ejector saw no part: jammed or missed


@dataclass(frozen=True, slots=True)
class Decision:
    """The pure outcome of judging one part: evaluation, verdict, reason and the figures behind them."""

    evaluation: Evaluation
    verdict: Verdict
    reason: Reason
    score: float | None = None  # defect probability, 0…1
    threshold: float | None = None
    defect_class: str = ""  # the most likely defect type, empty when none was scored
    raw_scores: tuple[float, ...] = ()
    novelty: float | None = None  # how far the picture is off those of the training, where the model tells


@dataclass(frozen=True, slots=True)
class Actuation:
    """The ejector's report about one part. Times on the host's monotonic clock; None where nothing was written."""

    part: int
    action: EjectorAction
    by_default: bool  # True when no verdict had arrived by the deadline
    written_host_ns: int | None
    lateness_us: int | None  # written − due
    due_host_ns: int | None = None  # when the ejector held the part to be due; None where only the station knows


@dataclass(slots=True)
class Stages:
    """When a part reached each stage, `time.monotonic_ns()`; 0 where it never did."""

    trigger_host_ns: int = 0
    frame_host_ns: int = 0
    batch_host_ns: int = 0
    scored_host_ns: int = 0
    decided_host_ns: int = 0


@dataclass(frozen=True, slots=True)
class PartResult:
    """One part's complete story, as it goes to the recorder: written exactly once, never changed.

    part: the number of the trigger. run: which start of the line it belongs to (numbers restart with each run).
    pixels: the frame (uint8, H×W or H×W×3 RGB) while the recorder still has to decide whether to keep it.
    truth: what a simulated or labelled source knows about the part ('' where nobody knows).
    """

    run: str
    part: int
    decision: Decision
    actuation: Actuation
    stages: Stages
    due_host_ns: int
    deadline_host_ns: int
    frame_counter: int | None = None
    device_ns: int | None = None
    lost_before: int = 0
    pixel_format: str = ""
    pixels: Any = None
    truth: str = ""
    lot: str = ""  # the lot that was open when the part triggered, '' for none
    serial: str = ""  # the part's own number: from a code on it, from the MES or counted; '' where it has none
    extra: dict[str, Any] = field(default_factory=dict)
    told: Verdict | None = None  # what the ejector was told; None where it was told nothing, and so rejected by itself
    inputs: tuple[Any, ...] = ()  # of each view: what the model got, uint8 (height, width, channels); None: not kept
    batches: tuple[tuple[int, int] | None, ...] = ()  # of each view: parts in the model's call, and which one it was
