"""What good pictures look like, the limits that follow, and the share of good ones that these may cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from camera.figures import Figures, Map
from camera.picture_limits import FEWEST as FEWEST
from camera.picture_limits import Room, rounded, single
from inspection.errors import ConfigError
from inspection.quality.gate import REMEMBERED, Traces

_RUNS = 20  # orders in which the pictures are shown to the traces
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

    One half gives the medians, the spreads and the maps, the other half says how far off the limits must be:
    `camera.picture_limits` has the guarantee and its source. Raises ConfigError for too few.
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
    room = Room.of([single(one, light) for one in laid_out])
    usual = dict(room.usual)
    values: dict[str, Any] = {**room.limits(max(room.furthest(single(one, light)) for one in held_out) * widened)}
    for figure, shown in _traces(held_out, light, detail, shuffle).items():
        usual[figure] = float(np.median(shown))
        furthest = max(shown) * _TRACE_ROOM
        if figure == "dirt" or furthest < _MOST_SMEAR:
            values[f"{figure}_max"] = rounded(max(furthest, _LEAST_TRACE))
    values["usual"] = {figure: rounded(value) for figure, value in usual.items()}
    values["light"] = [round(float(value), 4) for value in light.ravel()]
    values["detail"] = [round(float(value), 4) for value in detail.ravel()]
    return Learned(values, len(pictures), len(held_out), widened, 1.0 / (len(held_out) + 1))


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
