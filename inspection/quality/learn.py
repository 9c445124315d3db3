"""What good pictures look like, the limits that follow, and the share of good ones that these may cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Any

import numpy as np

from camera.figures import Figures, Map
from inspection.errors import ConfigError
from inspection.quality.gate import REMEMBERED, Traces, named
from inspection.quality.limits import LIMITS, Limit

FEWEST = 20
"""Fewer pictures say nothing: half of them are held against limits that the other half laid out."""

_RUNS = 20  # orders in which the pictures are shown to the traces
_BY_RATIO = frozenset({"focus", "brightness"})  # half and twice are equally far
_FLOORS = {"focus": 0.02, "brightness": 0.01, "saturated": 0.001, "dark": 0.001, "x": 0.005, "y": 0.005, "uneven": 0.01}
"""Least spread of a figure, so that pictures that hardly differ leave room: a ratio for focus and brightness."""
_TRACE_ROOM = 2.0  # times the furthest of clean pictures: running means come in few independent pieces
_LEAST_TRACE = 0.02  # nobody sees dirt that takes less than a fiftieth of the light
_MOST_SMEAR = 0.9  # where parts differ so much that all detail of a place may be gone, it says nothing


@dataclass(frozen=True, slots=True)
class Learned:
    """What [quality] may say. values: its keys. pictures: how many it comes from. held_out: half of those.

    expected_false_rejects: the share of pictures like these that the limits of single pictures would put outside, at
    most and before they were widened; those of dirt and smears come on top, where parts come in long runs of one kind.
    """

    values: dict[str, Any]
    pictures: int
    held_out: int
    widened: float
    expected_false_rejects: float

    @property
    def statement(self) -> str:
        """One sentence for people."""
        return (
            f"from {self.pictures} pictures: of good ones like these at most {self.expected_false_rejects:.2%} are "
            f"expected outside (1 in {self.held_out + 1}, before each limit was put {self.widened:g} times as far off)"
        )


def learn(pictures: Sequence[Figures], *, widened: float = 1.2, seed: int = 0) -> Learned:
    """Lay out limits from good pictures.

    Split conformal prediction (Lei et al., "Distribution-free predictive inference for regression", JASA 113 (2018),
    section 2.2): one half gives the medians, the spreads and the maps; the score of a picture of the other half is its
    furthest figure in spreads; the largest of n scores is exceeded by a new picture with a probability of at most
    1 / (n + 1), whatever the distribution, if the pictures are exchangeable. Raises ConfigError for too few.
    """
    if len(pictures) < FEWEST:
        raise ConfigError(
            f"{len(pictures)} pictures are too few to learn limits from; at least {FEWEST} are needed, 200 are better"
        )
    shuffle = np.random.default_rng(seed)
    order = shuffle.permutation(len(pictures))
    laid_out = [pictures[place] for place in order[: len(order) // 2]]
    held_out = [pictures[place] for place in order[len(order) // 2 :]]
    light = np.median([one.light for one in laid_out], axis=0).astype(np.float32)
    detail = np.median([one.detail for one in laid_out], axis=0).astype(np.float32)
    usual, spreads = _spreads([_single(one, light) for one in laid_out])
    furthest = max(_score(_single(one, light), usual, spreads) for one in held_out) * widened
    values: dict[str, Any] = {}
    for limit in LIMITS:
        if limit.figure in usual and (value := _limit(limit, usual, spreads, furthest)) is not None:
            values[limit.key] = _rounded(value)
    for figure, shown in _traces(held_out, light, detail, shuffle).items():
        usual[figure] = float(np.median(shown))
        furthest = max(shown) * _TRACE_ROOM
        if figure == "dirt" or furthest < _MOST_SMEAR:
            values[f"{figure}_max"] = _rounded(max(furthest, _LEAST_TRACE))
    values["usual"] = {figure: _rounded(value) for figure, value in usual.items()}
    values["light"] = [round(float(value), 4) for value in light.ravel()]
    values["detail"] = [round(float(value), 4) for value in detail.ravel()]
    return Learned(values, len(pictures), len(held_out), widened, 1.0 / (len(held_out) + 1))


def _single(picture: Figures, light: Map) -> dict[str, float]:
    """Return the figures of one picture that need no other picture."""
    return {**named(picture), "uneven": float(np.abs(picture.light - light).max())}


def _spreads(pictures: Sequence[dict[str, float]]) -> tuple[dict[str, float], dict[tuple[str, bool], float]]:
    """Return each figure's median, and how far the furthest are off below and above, on the figure's own scale.

    The furthest, not a share of the middle: a figure that is 0 but now and then (the saturated share) has such a tail
    that it would otherwise set the limits of all the others.
    """
    usual, spreads = {}, {}
    for figure in pictures[0]:
        values = np.array([one[figure] for one in pictures])
        usual[figure] = float(np.median(values))
        scaled = [_scaled(figure, value) for value in values]
        middle = _scaled(figure, usual[figure])
        spreads[figure, True] = max(middle - min(scaled), _FLOORS[figure])
        spreads[figure, False] = max(max(scaled) - middle, _FLOORS[figure])
    return usual, spreads


def _score(picture: dict[str, float], usual: dict[str, float], spreads: dict[tuple[str, bool], float]) -> float:
    """Return how many spreads the furthest figure of a picture is off, on the sides that have a limit."""
    far = [0.0]
    for limit in LIMITS:
        if limit.figure in usual:
            off = _scaled(limit.figure, picture[limit.figure]) - _scaled(limit.figure, usual[limit.figure])
            far.append((-off if limit.is_lower else off) / spreads[limit.figure, limit.is_lower])
    return max(far)


def _limit(
    limit: Limit, usual: dict[str, float], spreads: dict[tuple[str, bool], float], furthest: float
) -> float | None:
    """Return the value of a limit so many spreads off; None where no picture could ever break it."""
    way = furthest * spreads[limit.figure, limit.is_lower]
    middle = _scaled(limit.figure, usual[limit.figure])
    value = middle - way if limit.is_lower else middle + way
    if limit.figure in _BY_RATIO:
        value = exp(value)
    highest = {"focus": float("inf"), "brightness": 255.0, "uneven": float("inf")}.get(limit.figure, 1.0)
    return value if 0.0 < value < highest else None


def _traces(
    pictures: Sequence[Figures], light: Map, detail: Map, shuffle: np.random.Generator
) -> dict[str, list[float]]:
    """Return the dirt and the smears that clean pictures show, over many orders in which they could come."""
    shown: dict[str, list[float]] = {"dirt": [], "smear": []}
    for _ in range(_RUNS):
        traces = Traces(light, detail)
        for place in shuffle.integers(0, len(pictures), max(len(pictures), 3 * REMEMBERED)):
            for figure, value in traces.add(pictures[place]).items():
                shown[figure].append(value)
    return shown


def _scaled(figure: str, value: float) -> float:
    return log(max(value, 1e-9)) if figure in _BY_RATIO else value


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
