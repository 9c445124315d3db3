"""What a matcher is told about its camera: how frames are counted, and when a part's exposure can be."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Numbering(StrEnum):
    """What a camera's frame counter counts, and so what it can be trusted with."""

    COUNTER = "counter"  # every trigger, also those without a frame, as simulated cameras do
    EXPOSURES = "exposures"  # exposures only: a trigger that the camera missed makes no count
    TIME = "time"  # whatever it counts, it is not needed: exposures are placed by the device's clock


@dataclass(frozen=True, slots=True)
class MatchSettings:
    """How frames of one camera find their parts. Places are host ns or belt positions, one unit throughout.

    earliest, latest: where, after its trigger, the exposure of a part can be (with the error of the device's clock).
    arrival: how much later than its exposure a frame may be received. closest: the smallest distance of two parts
    that the photo-eye tells apart. counter_bits: where the counter wraps, None where it never does; skips_zero: the
    wrapped counter leaves 0 out (GigE Vision block ids). confirm: how many frames in a row must agree on a new
    relation of counter and part after a doubt. Raises ValueError where no frame could ever be matched for sure.
    """

    numbering: Numbering
    earliest: int
    latest: int
    arrival: int
    closest: int
    counter_bits: int | None = None
    skips_zero: bool = False
    confirm: int = 2
    capacity: int = 1024

    def __post_init__(self) -> None:
        if not 0 <= self.latest - self.earliest < self.closest:
            raise ValueError(
                f"the exposure of a part lies {self.earliest} … {self.latest} after its trigger, parts are at least "
                f"{self.closest} apart; the window must be narrower than that; narrow it or set parts further apart"
            )
        if self.arrival < 0 or self.confirm < 1 or self.capacity < 8:
            raise ValueError(
                f"arrival = {self.arrival}, confirm = {self.confirm}, capacity = {self.capacity}; allowed are "
                "arrival ≥ 0, confirm ≥ 1 and capacity ≥ 8"
            )

    @property
    def modulus(self) -> int | None:
        """How many different values the counter has; None where it does not wrap."""
        return None if self.counter_bits is None else (1 << self.counter_bits) - self.skips_zero

    @property
    def sure_by_receipt(self) -> bool:
        """True where the moment of receipt alone, without a time stamp, leaves no doubt which part it can be.

        Otherwise frames without a place of exposure are never matched: a camera that missed one part and a photo-eye
        that missed the next could not be told from no fault at all.
        """
        return self.latest - self.earliest + self.arrival < self.closest
