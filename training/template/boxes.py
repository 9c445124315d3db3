"""Defects as boxes, found in a map of types, and how good they are: average precision, type by type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.card import Estimate

# DeepPCB counts a box as found above this overlap with one of the same type (its readme, "Benchmarks").
DEEPPCB_IOU = 0.33
_CLEAR, _FAINT = 0.3, 0.02
_LEAST_SHARE = 0.02
_BOOTSTRAPS = 200

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Box:
    """A defect: its type, its corners in pixels, and how sure it is (1 where somebody marked it): a plain value."""

    label: int
    left: float
    top: float
    right: float
    bottom: float
    score: float = 1.0


def find_boxes(odds: Floats, stride: int, shift: tuple[int, int] = (0, 0)) -> tuple[Box, ...]:
    """Return the boxes of a map of log odds against good (types, h, w), cells of `stride` pixels, moved (down, right).

    A box is a spot that is not good: cells of a defect probability above 0.3, or else cells above 0.02 and half of the
    spot's highest. The mean odds of all its cells tell its types. Each that has a chance is a box of the spot; together
    they have the spot's highest mean of 3×3 cells as score. Cell by cell a spot of a type that is hard to tell would
    fall apart.
    """
    whole = np.concatenate([np.zeros_like(odds[:1]), odds]).astype(np.float64)
    places = 1.0 - _softmax(whole)[0]
    smooth: Floats = np.asarray(cv2.blur(places.astype(np.float32), (3, 3), borderType=cv2.BORDER_REPLICATE))
    found: list[Box] = []
    for spot in _clear_and_faint(places):
        shares = _softmax(odds[:, spot].astype(np.float64).mean(1))
        corners, sure = _corners(spot, stride, shift), float(smooth[spot].max())
        found += [Box(label, *corners, sure * float(s)) for label, s in enumerate(shares) if s > _LEAST_SHARE]
    return tuple(found)


def overlap(one: Box, other: Box) -> float:
    """Return the intersection over union of two boxes."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (_area(one) + _area(other) - both)


@dataclass(frozen=True, slots=True)
class Precision:
    """Average precision of each type (None: not marked anywhere) and their mean, with its interval: a plain value."""

    of: tuple[float | None, ...]
    mean: Estimate
    iou: float


def measure_boxes(
    found: Sequence[Sequence[Box]], marked: Sequence[Sequence[Box]], types: int, iou: float = DEEPPCB_IOU, seed: int = 0
) -> Precision:
    """Measure found boxes against marked ones, both image by image; the interval is a bootstrap over images.

    Raises ValueError where nothing is marked.
    """
    judged = [_judge(*pair, iou) for pair in zip(found, marked, strict=True)]
    counts = np.array([[sum(box.label == label for box in boxes) for label in range(types)] for boxes in marked])
    if counts.sum() == 0:
        raise ValueError("nothing is marked, so that no box can be right")
    everything = np.arange(len(judged))
    of = _precisions(judged, counts, everything)
    random = np.random.default_rng(seed)
    means = [_mean(_precisions(judged, counts, random.choice(everything, len(judged)))) for _ in range(_BOOTSTRAPS)]
    value = _mean(of)
    low, high = (float(np.quantile(means, share)) for share in (0.025, 0.975))
    mean = Estimate(
        value=value, low=min(low, value), high=max(high, value), method=f"bootstrap {_BOOTSTRAPS} over images"
    )
    return Precision(of, mean, iou)


def average_precision(scores: Floats, right: NDArray[np.bool_], marked: int) -> float:
    """Return the area under precision over recall, at all points, of the found boxes of one type.

    The precision at a recall is the highest at that recall or a higher one (Everingham et al., The PASCAL visual object
    classes challenge: a retrospective, 2015).
    """
    if marked == 0 or len(scores) == 0:
        return 0.0
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(right[order])
    precision = hits / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float((best * right[order]).sum() / marked)


_Judged = list[tuple[int, float, bool]]


def _judge(found: Sequence[Box], marked: Sequence[Box], iou: float) -> _Judged:
    """Return type, score and rightness of each box of an image: the surest first, each marked one is found once."""
    free = list(marked)
    judged: _Judged = []
    for box in sorted(found, key=lambda box: -box.score):
        rivals = [other for other in free if other.label == box.label]
        best = max(rivals, key=lambda other: overlap(box, other), default=None)
        right = best is not None and overlap(box, best) > iou
        if right and best is not None:
            free.remove(best)
        judged.append((box.label, box.score, right))
    return judged


def _precisions(
    judged: Sequence[_Judged], counts: NDArray[np.int_], images: NDArray[np.int_]
) -> tuple[float | None, ...]:
    every = [one for image in images for one in judged[image]]
    labels = np.array([one[0] for one in every], dtype=np.intp)
    scores = np.array([one[1] for one in every], dtype=np.float64)
    right = np.array([one[2] for one in every], dtype=np.bool_)
    totals = counts[images].sum(0)
    return tuple(
        average_precision(scores[labels == label], right[labels == label], int(total)) if total else None
        for label, total in enumerate(totals)
    )


def _mean(of: Sequence[float | None]) -> float:
    there = [value for value in of if value is not None]
    return float(np.mean(there)) if there else 0.0


def _clear_and_faint(places: Floats) -> Iterator[NDArray[np.bool_]]:
    clear = np.asarray(places > _CLEAR)
    yield from _spots(clear)
    for spot in _spots(np.asarray(places > _FAINT)):
        if not (clear & spot).any():
            yield spot & np.asarray(places >= 0.5 * float(places[spot].max()))


def _spots(mask: NDArray[np.bool_]) -> Iterator[NDArray[np.bool_]]:
    number, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    for spot in range(1, number):
        yield labels == spot


def _corners(spot: NDArray[np.bool_], stride: int, shift: tuple[int, int]) -> tuple[float, float, float, float]:
    rows, columns = np.nonzero(spot)
    down, right = shift
    return (
        float(columns.min() * stride + right),
        float(rows.min() * stride + down),
        float((columns.max() + 1) * stride + right),
        float((rows.max() + 1) * stride + down),
    )


def _softmax(odds: Floats) -> Floats:
    powers = np.exp(odds - odds.max(0))
    return np.asarray(powers / powers.sum(0))


def _area(box: Box) -> float:
    return (box.right - box.left) * (box.bottom - box.top)
