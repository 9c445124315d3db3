"""From a mask to outlines along its pixel edges, one for each connected spot, such that nothing is lost."""

from __future__ import annotations

from collections import defaultdict

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.readers.shapes import Outline

Point = tuple[int, int]


def outlines_of(mask: NDArray[np.bool_], left: float = 0, top: float = 0) -> list[Outline]:
    """Return the outline of each connected spot (8 neighbours) of a mask (h, w), moved by (left, top).

    A spot with holes is one outline that runs into each hole and back on the same line, so that filling it by the
    even-odd rule gives the mask again, pixel for pixel.
    """
    number, labels, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    found = []
    for index in range(1, number):
        x, y, w, h = (int(boxes[index, k]) for k in (cv2.CC_STAT_LEFT, cv2.CC_STAT_TOP, 2, 3))
        loops = _loops(labels[y : y + h, x : x + w] == index)
        corners = [(left + x + px, top + y + py) for px, py in _joined(loops)]
        found.append(tuple((float(px), float(py)) for px, py in corners))
    return found


def _loops(spot: NDArray[np.bool_]) -> list[list[Point]]:
    """Return the closed walks along the edges of a spot, the spot on the right hand; corners only."""
    ways = _edges(np.pad(spot, 1))
    loops = []
    while ways:
        start = next(iter(ways))
        here, walk = start, [start]
        while True:
            ends = ways[here]
            there = ends.pop()
            if not ends:
                del ways[here]
            if there == start:
                break
            walk.append(there)
            here = there
        loops.append(_corners(walk))
    return loops


def _edges(padded: NDArray[np.bool_]) -> dict[Point, list[Point]]:
    """Return the directed unit edges between marked and unmarked pixels: from where -> to where (one or two)."""
    ways: defaultdict[Point, list[Point]] = defaultdict(list)
    inside = padded[1:-1, 1:-1]
    for (dy, dx), begin, end in (
        ((-1, 0), (0, 0), (1, 0)),
        ((0, 1), (1, 0), (1, 1)),
        ((1, 0), (1, 1), (0, 1)),
        ((0, -1), (0, 1), (0, 0)),
    ):
        beside = padded[1 + dy : padded.shape[0] - 1 + dy, 1 + dx : padded.shape[1] - 1 + dx]
        for y, x in np.argwhere(inside & ~beside).tolist():
            ways[x + begin[0], y + begin[1]].append((x + end[0], y + end[1]))
    return dict(ways)


def _corners(walk: list[Point]) -> list[Point]:
    """Return a closed walk without the points that lie straight between their neighbours."""
    around = zip(walk[-1:] + walk[:-1], walk, walk[1:] + walk[:1], strict=True)
    return [b for a, b, c in around if (b[0] - a[0], b[1] - a[1]) != (c[0] - b[0], c[1] - b[1])]


def _joined(loops: list[list[Point]]) -> list[Point]:
    """Return one walk through all loops; each way from the first loop to another is walked there and back."""
    whole = list(loops[0])
    for loop in loops[1:]:
        whole += [loops[0][0], *loop, loop[0]]
    return whole if len(loops) == 1 else [*whole, loops[0][0]]
