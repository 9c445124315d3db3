"""Where on the belt something lies: grey level and gradient against an empty belt that was learned and is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camera.frame import Pixels

Grey = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PresenceSettings:
    """When a cell differs from the empty belt, in its noise (sigmas) and at least in grey levels.

    share_high, share_low: the share of the band's rows that must differ for a column to begin or to go on being
    occupied. learn_frames: frames that the empty belt is the median of; each place must be empty in most of them.
    adapt: share by which the learned belt follows in one frame where nothing lies on it.
    """

    sigmas: float = 5.0
    floor: float = 10.0
    share_high: float = 0.06
    share_low: float = 0.03
    close_cells: int = 2
    learn_frames: int = 24
    adapt: float = 1 / 64


class Run(NamedTuple):
    """A stretch [tail, lead) of occupied columns, the ends to a fraction; the belt runs towards greater columns."""

    tail: float
    lead: float


@dataclass(frozen=True, slots=True)
class View:
    """What one frame showed: the occupied stretches, downstream first, and how it differs from the empty belt.

    profile: float32 (4, columns), the mean difference in grey levels in four strips along the belt. rows: (low, high)
    of the grid that differ in each run.
    """

    runs: list[Run]
    rows: list[tuple[int, int]]
    profile: Grey


class Presence:
    """The empty belt as it looks now, and what does not look like it. Pure; owned by one `FreeRunTriggers`.

    Light that changes evenly is divided out in each frame; slow change is learned where the belt is empty. What lies
    on the belt is never learned, however long it lies.
    """

    _ADAPT_EVERY = 4

    def __init__(self, settings: PresenceSettings) -> None:
        self._settings = settings
        self._learning: list[Pixels] = []
        self._belt: Grey | None = None
        self._gain = np.float32(1.0)
        self._frames = 0

    @property
    def ready(self) -> bool:
        """True once the empty belt is known; before that nothing is seen."""
        return self._belt is not None

    @property
    def light(self) -> float:
        """Brightness now, in that of the time of learning."""
        return float(self._gain)

    def feed(self, grid: Pixels) -> View | None:
        """Take the band of one frame, uint8 (rows across the belt, columns along it); None while learning."""
        if self._belt is None:
            self._learning.append(grid.copy())
            if len(self._learning) >= self._settings.learn_frames:
                self._learn(np.stack(self._learning))
                self._learning = []
            return None
        return self._look(self._belt, grid.astype(np.float32))

    def _learn(self, frames: Pixels) -> None:
        """Take the median of the frames for the empty belt, and the spread of each row for its noise."""
        settings = self._settings
        self._belt = np.median(frames, axis=0).astype(np.float32)
        spread = np.median(np.abs(frames - self._belt), axis=0)
        noise = 1.4826 * np.median(spread, axis=1, keepdims=True)
        slope = np.abs(np.diff(frames.astype(np.int16), axis=2))
        slope_noise = 1.4826 * np.median(slope, axis=(0, 2))[:, None]
        self._limit = np.maximum(settings.sigmas * noise, settings.floor).astype(np.float32)
        self._slope_limit = np.maximum(settings.sigmas * slope_noise, settings.floor).astype(np.float32)
        self._free = np.ones(frames.shape[2], bool)

    def _look(self, belt: Grey, grid: Grey) -> View:
        self._measure_light(belt, grid)
        difference = grid - belt * self._gain
        size = np.abs(difference)
        margin = max(np.float32(1.0), self._gain)
        differs = size > self._limit * margin
        differs[:, 1:] |= np.abs(grid[:, 1:] - grid[:, :-1]) > self._slope_limit * margin
        shares = np.count_nonzero(differs, axis=0) / grid.shape[0]
        spans = self._spans(shares)
        self._free = shares < self._settings.share_low
        for tail, lead in spans:
            self._free[max(0, tail - 2) : lead + 2] = False
        self._follow(belt, grid)
        rows = [_extent(differs[:, tail:lead].any(axis=1)) for tail, lead in spans]
        strips = difference[: grid.shape[0] // 4 * 4].reshape(4, -1, grid.shape[1]).mean(axis=1)
        strength = size.mean(axis=0)
        bare = float(strength[self._free].mean()) if self._free.any() else 0.0
        return View([_refined(span, strength - bare) for span in spans], rows, strips)

    def _measure_light(self, belt: Grey, grid: Grey) -> None:
        """Divide the empty belt's light now by that of its learning, over places that were free in the frame before.

        Parts have entered some of them since; what is far off the last light is left out, unless nearly all is.
        """
        if np.count_nonzero(self._free) < max(4, self._free.size // 8):
            return
        step = 1 + grid.shape[0] // 32
        ratios = grid[::step, self._free] / np.maximum(belt[::step, self._free], 1.0)
        near = ratios[np.abs(ratios - self._gain) < 0.25 * self._gain]
        self._gain = np.float32(max(float(np.median(near if near.size >= 0.2 * ratios.size else ratios)), 0.05))

    def _spans(self, shares: NDArray[np.float64]) -> list[tuple[int, int]]:
        """Return the stretches above the low mark that reach the high one, small gaps closed, downstream first."""
        settings, runs = self._settings, list[tuple[int, int]]()
        edges = np.flatnonzero(np.diff(np.concatenate(([0], shares >= settings.share_low, [0]))))
        for tail, lead in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            if runs and tail - runs[-1][1] <= settings.close_cells:
                runs[-1] = runs[-1][0], lead
            else:
                runs.append((tail, lead))
        return [(tail, lead) for tail, lead in reversed(runs) if shares[tail:lead].max() >= settings.share_high]

    def _follow(self, belt: Grey, grid: Grey) -> None:
        self._frames += 1
        if self._frames % self._ADAPT_EVERY == 0:
            weight = (self._free * min(1.0, self._ADAPT_EVERY * self._settings.adapt)).astype(np.float32)
            belt += (grid * (1 / self._gain) - belt) * weight


def _refined(span: tuple[int, int], strength: Grey) -> Run:
    """Place the ends inside their columns by how much of each is covered, judged by the column further in.

    Outer columns that hardly differ are left out first: the slope of an edge marks the bare column beside it, too.
    """
    tail, lead = span
    faint = 0.15 * float(np.median(strength[tail:lead]))
    while lead - tail > 4 and strength[lead - 1] < faint:
        lead -= 1
    while lead - tail > 4 and strength[tail] < faint:
        tail += 1
    first, last = float(tail), float(lead)
    if lead - tail >= 4:
        if tail > 0:
            first += 1 - min(1.0, max(0.0, float(strength[tail]) / max(1.0, float(strength[tail + 1]))))
        if lead < strength.size:
            last -= 1 - min(1.0, max(0.0, float(strength[lead - 1]) / max(1.0, float(strength[lead - 2]))))
    return Run(first, last)


def _extent(marked: NDArray[np.bool_]) -> tuple[int, int]:
    places = np.flatnonzero(marked)
    return (int(places[0]), int(places[-1]) + 1) if places.size else (0, marked.size)
