"""Limits of the figures of a picture, and how they are laid out from good pictures: for a line and for training.

Split conformal prediction (Lei et al., "Distribution-free predictive inference for regression", JASA 113 (2018),
section 2.2): one half of the pictures gives the medians and the spreads; the score of a picture of the other half is
its furthest figure in spreads; the largest of n scores is exceeded by a new picture with a probability of at most
1 / (n + 1), whatever the distribution, if the pictures are exchangeable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log

import numpy as np

from camera.figures import Figures, Map

FEWEST = 20
"""Fewer pictures say nothing: half of them are held against limits that the other half laid out."""

_BY_RATIO = frozenset({"focus", "brightness"})  # half and twice are equally far
_FLOORS = {"focus": 0.02, "brightness": 0.01, "saturated": 0.001, "dark": 0.001, "x": 0.005, "y": 0.005, "uneven": 0.01}
"""Least spread of a figure, so that pictures that hardly differ leave room: a ratio for focus and brightness."""
_HIGHEST = {"focus": float("inf"), "brightness": 255.0, "uneven": float("inf")}


@dataclass(frozen=True, slots=True)
class Limit:
    """One side of one figure: the key that holds it, whether it is the lower side, and what is wrong beyond it.

    trouble: a name that has words in the catalogues (`alarm_value`).
    """

    figure: str
    key: str
    is_lower: bool
    trouble: str


LIMITS = (
    Limit("focus", "focus_min", True, "BLURRED"),
    Limit("brightness", "brightness_min", True, "TOO_DARK"),
    Limit("brightness", "brightness_max", False, "TOO_BRIGHT"),
    Limit("saturated", "saturated_max", False, "TOO_BRIGHT"),
    Limit("dark", "dark_max", False, "TOO_DARK"),
    Limit("x", "x_min", True, "MISPLACED"),
    Limit("x", "x_max", False, "MISPLACED"),
    Limit("y", "y_min", True, "MISPLACED"),
    Limit("y", "y_max", False, "MISPLACED"),
    Limit("uneven", "uneven_max", False, "LIGHT_MOVED"),
    Limit("dirt", "dirt_max", False, "DIRT"),
    Limit("smear", "smear_max", False, "DIRT"),
)
"""In the order in which they are told: what is listed first is what the operator reads."""


def named(measured: Figures) -> dict[str, float]:
    """Return the figures of one frame that are numbers, by name."""
    return {
        "focus": measured.focus,
        "brightness": measured.brightness,
        "saturated": measured.saturated,
        "dark": measured.dark,
        "x": measured.x,
        "y": measured.y,
    }


def single(measured: Figures, light: Map) -> dict[str, float]:
    """Return the figures of one picture that need no other picture but the reference of the light."""
    return {**named(measured), "uneven": float(np.abs(measured.light - light).max())}


@dataclass(frozen=True, slots=True)
class Room:
    """What figures usually are, and how far the furthest are off below and above: a plain value.

    The furthest, not a share of the middle: a figure that is 0 but now and then (the saturated share) has such a tail
    that it would otherwise set the limits of all the others.
    """

    usual: Mapping[str, float]
    spreads: Mapping[tuple[str, bool], float]

    @classmethod
    def of(cls, pictures: Sequence[Mapping[str, float]]) -> Room:
        """Lay it out from the figures of pictures."""
        usual, spreads = {}, {}
        for figure in pictures[0]:
            values = np.array([one[figure] for one in pictures])
            usual[figure] = float(np.median(values))
            scaled = [_scaled(figure, value) for value in values]
            middle = _scaled(figure, usual[figure])
            spreads[figure, True] = max(middle - min(scaled), _FLOORS[figure])
            spreads[figure, False] = max(max(scaled) - middle, _FLOORS[figure])
        return cls(usual, spreads)

    def furthest(self, picture: Mapping[str, float]) -> float:
        """Return how many spreads the furthest figure of a picture is off, on the sides that have a limit."""
        far = [0.0]
        for limit in LIMITS:
            if limit.figure in self.usual:
                off = _scaled(limit.figure, picture[limit.figure]) - _scaled(limit.figure, self.usual[limit.figure])
                far.append((-off if limit.is_lower else off) / self.spreads[limit.figure, limit.is_lower])
        return max(far)

    def limits(self, furthest: float) -> dict[str, float]:
        """Return the limits so many spreads off, by key; none that no picture could ever break."""
        found = {}
        for limit in LIMITS:
            if limit.figure in self.usual and (value := self._limit(limit, furthest)) is not None:
                found[limit.key] = rounded(value)
        return found

    def _limit(self, limit: Limit, furthest: float) -> float | None:
        way = furthest * self.spreads[limit.figure, limit.is_lower]
        middle = _scaled(limit.figure, self.usual[limit.figure])
        value = middle - way if limit.is_lower else middle + way
        if limit.figure in _BY_RATIO:
            value = exp(value)
        return value if 0.0 < value < _HIGHEST.get(limit.figure, 1.0) else None


def outside(figures: Mapping[str, float], limits: Sequence[tuple[Limit, float]]) -> tuple[str, ...]:
    """Return the keys of the limits that the figures break; one that is no number breaks its own."""
    return tuple(
        limit.key
        for limit, value in limits
        if not (figures[limit.figure] >= value if limit.is_lower else figures[limit.figure] <= value)
    )


def rounded(value: float) -> float:
    """Return a figure with the four digits that count."""
    return float(f"{value:.4g}")


def _scaled(figure: str, value: float) -> float:
    return log(max(value, 1e-9)) if figure in _BY_RATIO else value
