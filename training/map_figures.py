"""What a map is worth beside the truth: which defects it shows, by their size, and how well it tells places apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.card import Estimate, Metrics, SizeRecall
from training.masks import UNKNOWN, cell_starts, cells_of
from training.metrics import make_rate

EDGES_PX = (4.0, 16.0, 64.0, 256.0, 1024.0)
SHOWN_FROM = 0.5
_BINS = 512
_RANGE = 16.0  # of the log-odds of a cell; float32 cannot tell probabilities beyond
_BLOCKS = 500
_RESAMPLES = 300

_Figure = Callable[[NDArray[np.int64], NDArray[np.int64]], float]


@dataclass(frozen=True, slots=True)
class _Spot:
    """One connected defect: its pixels at the input, the highest value of the map on it, its part's probability."""

    area_px: float
    shown: float
    probability: float


class MapTally:
    """Counts over images, added in batches, so that no map must be kept; owned by whoever measures, one thread."""

    def __init__(self) -> None:
        self._spots: list[_Spot] = []
        self._places: dict[str, int] = {}
        self._counts = np.zeros((0, 2, _BINS), np.int64)
        self._good = self._good_shown = 0

    def add(
        self,
        masks: NDArray[np.uint8],
        maps: NDArray[np.float32],
        probability: NDArray[np.float64],
        groups: tuple[str, ...],
    ) -> None:
        """Count images: masks (n, h, w) with 255 where unknown, maps (n, rows, columns) in 0..1, probabilities (n,)."""
        cells = cells_of(masks, *maps.shape[1:])
        for row, group in enumerate(groups):
            self._count(cells[row], maps[row], self._places.setdefault(group, len(self._places)) % _BLOCKS)
            self._spots += _spots_of(masks[row], maps[row], float(probability[row]))
            clean = not masks[row].any()
            self._good += clean
            self._good_shown += clean and bool(maps[row].max() >= SHOWN_FROM)

    def figures(self, threshold: float) -> dict[str, object]:
        """Give the fields of `models.card.Metrics` that tell of the map, at a threshold of the part's probability."""
        return {
            "recall_by_size": _by_size(self._spots, threshold),
            "shown_on_good": make_rate(self._good_shown, self._good),
            "map_auroc": self._estimate(_auroc_of),
            "map_average_precision": self._estimate(_precision_of),
        }

    def _count(self, cells: NDArray[np.uint8], shown: NDArray[np.float32], block: int) -> None:
        if block >= len(self._counts):
            self._counts = np.concatenate((self._counts, np.zeros((block + 1 - len(self._counts), 2, _BINS), np.int64)))
        share = np.clip(shown.astype(np.float64), 1e-9, 1.0 - 1e-9)
        odds = np.log(share) - np.log1p(-share)
        bins = np.clip((odds / (2 * _RANGE) + 0.5) * _BINS, 0, _BINS - 1).astype(np.intp)
        known = cells != UNKNOWN
        for kind, chosen in enumerate((known & (cells == 0), known & (cells != 0))):
            self._counts[block, kind] += np.bincount(bins[chosen], minlength=_BINS)

    def _estimate(self, figure: _Figure) -> Estimate | None:
        """Give a figure of all cells with an interval from whole pieces that are drawn again."""
        good, bad = self._counts.sum(axis=0)
        if not good.any() or not bad.any():
            return None
        value = figure(good, bad)
        random = np.random.default_rng(0)
        blocks = len(self._counts)
        drawn = []
        for _ in range(_RESAMPLES):
            times = np.bincount(random.integers(0, blocks, blocks), minlength=blocks)
            again_good, again_bad = np.tensordot(times, self._counts, axes=1)
            if again_good.any() and again_bad.any():
                drawn.append(figure(again_good, again_bad))
        low, high = np.quantile(drawn, [0.025, 0.975]).tolist() if drawn else (0.0, 1.0)
        method = f"cells of the map, bootstrap of whole groups, {len(drawn)} resamples"
        return Estimate(value=value, low=min(low, value), high=max(high, value), method=method)


def add_map_figures(metrics: Metrics, tally: MapTally | None, threshold: float) -> Metrics:
    """Return the metrics with the figures of the map, where there are maps and truth."""
    return metrics if tally is None else metrics.model_copy(update=tally.figures(threshold))


def _spots_of(mask: NDArray[np.uint8], shown: NDArray[np.float32], probability: float) -> list[_Spot]:
    """Give each connected defect of a mask; shown is the highest value of the cells that it touches or borders on."""
    found = []
    rows, columns = (cell_starts(size, cells) for size, cells in zip(mask.shape, shown.shape, strict=True))
    for label in np.unique(mask[(mask > 0) & (mask < UNKNOWN)]).tolist():
        number, spots, boxes, _ = cv2.connectedComponentsWithStats((mask == label).astype(np.uint8), connectivity=8)
        for spot in range(1, number):
            x, y, w, h, area = (int(value) for value in boxes[spot])
            ys, xs = np.nonzero(spots[y : y + h, x : x + w] == spot)
            touched = np.zeros(shown.shape, np.uint8)
            touched[np.searchsorted(rows, ys + y, "right") - 1, np.searchsorted(columns, xs + x, "right") - 1] = 1
            around = cv2.dilate(touched, np.ones((3, 3), np.uint8)) > 0
            found.append(_Spot(float(area), float(shown[around].max()), probability))
    return found


def _by_size(spots: list[_Spot], threshold: float) -> tuple[SizeRecall, ...]:
    """Count the defects in bins of their size; bins without a defect are left out."""
    bins = []
    for low, high in zip((0.0, *EDGES_PX), (*EDGES_PX, None), strict=True):
        inside = [spot for spot in spots if low <= spot.area_px and (high is None or spot.area_px < high)]
        shown = make_rate(sum(spot.shown >= SHOWN_FROM for spot in inside), len(inside))
        rejected = make_rate(sum(spot.probability >= threshold for spot in inside), len(inside))
        if shown is not None and rejected is not None:
            bins.append(SizeRecall(low_px=low, high_px=high, shown=shown, rejected=rejected))
    return tuple(bins)


def _auroc_of(good: NDArray[np.int64], bad: NDArray[np.int64]) -> float:
    """Give the AUROC from counts by level, ties counted half."""
    below = np.cumsum(good) - good / 2.0
    return float((bad * below).sum() / (float(bad.sum()) * float(good.sum())))


def _precision_of(good: NDArray[np.int64], bad: NDArray[np.int64]) -> float:
    """Give the average precision from counts by level: precision × gained recall from the highest level down."""
    found, taken = np.cumsum(bad[::-1]), np.cumsum((good + bad)[::-1])
    precision = found / np.maximum(taken, 1)
    return float((precision * bad[::-1]).sum() / bad.sum())
