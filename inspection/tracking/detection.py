"""The words of free-running detection: how parts go through the picture, and what is told of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from inspection.tracking.presence import PresenceSettings

Direction = Literal["right", "left", "down", "up"]


@dataclass(frozen=True, slots=True)
class FreeRunSettings:
    """How parts go through the picture. Lengths in pixels along the belt, shares of the picture otherwise.

    part_length: of one part; tolerance: how much longer it may look before it is taken for more than one. line: where
    a leading edge triggers, as a share of the picture's length from where parts enter. band: which share of the belt's
    width is looked at, (from, to). cell: pixels that are averaged to one. margin: pixels added around a part's region.
    channel: of a colour picture, the one in which parts stand out (0, 1, 2; green is the least noisy).
    min_share: what is shorter than this share of a part is dirt. A part must be at most 0.6 of the picture long, and
    the belt must not move by more than 0.45 of a part from frame to frame.
    """

    part_length: int
    direction: Direction = "right"
    line: float = 0.5
    band: tuple[float, float] = (0.0, 1.0)
    cell: int = 4
    tolerance: float = 0.25
    margin: int = 8
    channel: int = 1
    min_share: float = 0.2
    presence: PresenceSettings = field(default_factory=PresenceSettings)


@dataclass(frozen=True, slots=True)
class PartRegion:
    """Where a part is in its best frame, in pixels of the frame as the camera gave it."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Detection:
    """One part. number: from 1. best_frame: which frame (the first fed is 1) shows it nearest to the middle; it is
    the last fed or one of the two before. trigger_host_ns: when its leading edge crossed the line.

    touching: it cannot be told from its neighbour. unsure: it was not seen wholly or not followed without a gap. The
    verdict on either may hit another part: reject it, whatever its picture shows.
    """

    number: int
    trigger_host_ns: int
    best_frame: int
    region: PartRegion
    length_px: float
    speed_px_s: float
    touching: bool = False
    unsure: bool = False

    @property
    def separable(self) -> bool:
        """True for a part that a verdict may be trusted with."""
        return not (self.touching or self.unsure)


@dataclass(slots=True)
class FreeRunCounters:
    """What was seen; `blind` and `too_fast` are stretches in which parts may have passed unseen: raise an alarm."""

    frames: int = 0
    detections: int = 0
    touching: int = 0
    unsure: int = 0
    blind: int = 0
    too_fast: int = 0
