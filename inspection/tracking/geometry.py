"""How far a part has to go, and how close to another one it may be: lengths on the belt, in the unit of its motion."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Geometry:
    """Lengths are belt positions: nanoseconds on a belt that the clock follows, counts where there is an encoder.

    travel: from the photo-eye to the ejector. lead_ns: how long before a part is due its verdict must have arrived (the
    time on the wire, the actuator's delay and a margin). takes_behind: how close behind a rejected part another one is
    hit by its pulse, too (the pulse and its window). takes_ahead: how close ahead of it (the window). 0: nothing is.
    """

    travel: int
    lead_ns: int
    takes_behind: int = 0
    takes_ahead: int = 0
