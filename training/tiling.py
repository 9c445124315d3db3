"""Which tile shows which defect, as far as somebody outlined it, and which tiles are learned from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.marks import class_map
from datasets.sample import Sample
from training.cut import Cut
from training.errors import TrainingDataError

UNKNOWN = -1
_WHOLE = 0.5  # share of a defect that makes a tile defective
_LARGE = 0.05  # share of a tile that makes it defective, whatever the share of the defect
_GOOD_PER_BAD, _LEAST_GOOD, _MOST = 4, 512, 4000

Chosen = list[tuple[int, int, int]]  # image, box, class


def label_tiles(marked: NDArray[np.uint8], cut: Cut) -> NDArray[np.intp]:
    """Give the class of each tile (boxes,) by a map of classes (h, w), 0 where good; -1 for a tile with a sliver.

    A tile is of the class of which it shows the most pixels, of defects that lie in it by half or take a twentieth of
    it; each defect makes at least the tile defective that shows most of it. What touches a defect otherwise is neither
    good nor bad.
    """
    shown = np.zeros((len(cut.boxes), int(marked.max(initial=0)) + 1))
    touched = np.zeros(len(cut.boxes), dtype=np.bool_)
    for label in range(1, shown.shape[1]):
        number, spots, facts, _ = cv2.connectedComponentsWithStats(
            np.asarray(marked == label, dtype=np.uint8), connectivity=8
        )
        for spot in range(1, number):
            inside = _inside(np.asarray(spots) == spot, facts[spot], cut)
            touched |= inside > 0
            counts = inside >= min(_WHOLE * facts[spot, cv2.CC_STAT_AREA], _LARGE * cut.side**2)
            counts[inside.argmax()] = True
            shown[counts, label] += inside[counts]
    labels: NDArray[np.intp] = shown.argmax(axis=1)
    labels[touched & (labels == 0)] = UNKNOWN
    return labels


def _inside(spot: NDArray[np.bool_], facts: Sequence[int], cut: Cut) -> NDArray[np.int64]:
    """Count the pixels of one spot (h, w) in each box; facts: left, top, width and height of the spot."""
    left, top, width, height = (int(value) for value in facts[:4])
    found = np.zeros(len(cut.boxes), dtype=np.int64)
    for row, (x, y, w, h) in enumerate(cut.boxes):
        if x < left + width and left < x + w and y < top + height and top < y + h:
            found[row] = np.count_nonzero(spot[y : y + h, x : x + w])
    return found


def choose_tiles(
    samples: Sequence[Sample], cut: Cut, classes: Sequence[str], good: str, random: np.random.Generator
) -> Chosen:
    """Choose the tiles to learn from, by image and box: all that show a defect, and some good ones of every image.

    So many good tiles are drawn as make four for each defective one, from 512 up to 4,000. A defective image on which
    nothing is outlined gives no tile: nobody knows which of them is bad.
    """
    bad: Chosen = []
    fine: list[list[int]] = []
    for image, labels in enumerate(_labels(samples, cut, classes, good)):
        bad += [(image, int(box), int(labels[box])) for box in np.flatnonzero(labels > 0)]
        fine.append(random.permutation(np.flatnonzero(labels == 0)).tolist())
    wanted = min(_MOST, max(_LEAST_GOOD, _GOOD_PER_BAD * len(bad)))
    drawn = list(_in_turn(fine, wanted))
    if len(bad) > _MOST:
        bad = [bad[row] for row in random.choice(len(bad), _MOST, replace=False)]
    return sorted([*bad, *((image, box, 0) for image, box in drawn)])


def refuse_unmarked(chosen: Chosen, classes: Sequence[str], where: str) -> None:
    """Raise TrainingDataError where a class has no tile to learn from."""
    have = {label for _, _, label in chosen}
    lacking = [name for number, name in enumerate(classes) if number not in have]
    if lacking:
        raise TrainingDataError(
            f"{where}: no training tile shows {', '.join(lacking)} — tiles learn from outlined defects (masks, boxes "
            "or polygons) — outline some with labelme or CVAT, train without --tile, or learn from good parts "
            "alone with --task anomaly"
        )


def _labels(samples: Sequence[Sample], cut: Cut, classes: Sequence[str], good: str) -> Iterator[NDArray[np.intp]]:
    for sample in samples:
        marked = np.zeros((cut.height, cut.width), np.uint8)
        if sample.label != good and (sample.mask is not None or sample.marks):
            marked = class_map(sample, classes, cut.height, cut.width)
        unknown = sample.label != good and not marked.any()
        yield np.full(len(cut.boxes), UNKNOWN) if unknown else label_tiles(marked, cut)


def _in_turn(queues: Sequence[list[int]], wanted: int) -> Iterator[tuple[int, int]]:
    """Take one of each queue in turn until so many were taken as are wanted, or none is left."""
    taken, depth = 0, 0
    while taken < wanted and any(depth < len(queue) for queue in queues):
        for image, queue in enumerate(queues):
            if depth < len(queue) and taken < wanted:
                yield image, queue[depth]
                taken += 1
        depth += 1
