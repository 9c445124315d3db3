"""Boxes, polygons, circles and run lengths as one thing: an outline of corners (x, y) in pixels.

Coordinates are those of pixel edges: the pixel in the corner covers 0…1, and a box from 2 to 5 is three pixels wide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from datasets.readers.record import MalformedError

Outline = tuple[tuple[float, float], ...]

_CORNERS_OF_ROUND = 64
MAX_MASK_PIXELS = 100_000_000


def box(left: float, top: float, right: float, bottom: float) -> Outline:
    """Return the outline of a box, clockwise from its upper left corner; sides that were swapped are put right."""
    left, right = sorted((float(left), float(right)))
    top, bottom = sorted((float(top), float(bottom)))
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def bounds(outline: Outline) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of an outline."""
    xs, ys = [x for x, _ in outline], [y for _, y in outline]
    return min(xs), min(ys), max(xs), max(ys)


def area(outline: Outline) -> float:
    """Return the area inside an outline in square pixels (shoelace formula; holes that it runs around count not)."""
    around = zip(outline, outline[1:] + outline[:1], strict=True)
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in around)) / 2


def ellipse(x: float, y: float, radius_x: float, radius_y: float) -> Outline:
    """Return 64 corners around a centre, at such a distance that they enclose the ellipse's area."""
    step = 2 * math.pi / _CORNERS_OF_ROUND
    grow = math.sqrt(step / math.sin(step))
    angles = [step * number for number in range(_CORNERS_OF_ROUND)]
    return tuple((x + grow * radius_x * math.cos(a), y + grow * radius_y * math.sin(a)) for a in angles)


def turned(outline: Outline, degrees: float) -> Outline:
    """Return an outline turned clockwise (on the screen) around the centre of its bounds."""
    left, top, right, bottom = bounds(outline)
    x0, y0 = (left + right) / 2, (top + bottom) / 2
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return tuple((x0 + c * (x - x0) - s * (y - y0), y0 + s * (x - x0) + c * (y - y0)) for x, y in outline)


def pairs(numbers: Sequence[float]) -> Outline:
    """Return x0, y0, x1, y1, … as an outline. Raises MalformedError for less than three corners."""
    if len(numbers) % 2 or len(numbers) < 6:
        raise MalformedError(f"a polygon of {len(numbers)} numbers; an even number from 6 on is needed")
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def clipped(outline: Outline, width: float, height: float) -> Outline:
    """Return an outline with each corner moved into the image."""
    return tuple((min(max(x, 0.0), float(width)), min(max(y, 0.0), float(height))) for x, y in outline)


def mask_of_runs(counts: Sequence[int], height: int, width: int, *, by_column: bool) -> NDArray[np.bool_]:
    """Return the mask (height, width) of run lengths that begin with what is not marked.

    by_column: runs go down the columns (COCO) rather than along the rows (CVAT). Raises MalformedError.
    """
    if height < 1 or width < 1 or height * width > MAX_MASK_PIXELS:
        raise MalformedError(f"a mask of {width}×{height} pixels; up to {MAX_MASK_PIXELS // 10**6} megapixels are read")
    if sum(counts) != height * width or min(counts, default=0) < 0:
        raise MalformedError(f"run lengths of {sum(counts)} pixels for a mask of {width}×{height}")
    values = np.arange(len(counts)) % 2 == 1
    flat = np.repeat(values, np.asarray(counts, dtype=np.int64))
    return flat.reshape(width, height).T if by_column else flat.reshape(height, width)


def counts_of_text(text: str) -> list[int]:
    """Return the run lengths in COCO's compressed text: 5 bits a letter, from the third on relative to two before.

    The format is that of pycocotools' `rleToString`. Raises MalformedError.
    """
    counts: list[int] = []
    value = shift = 0
    for letter in text:
        code = ord(letter) - 48
        if not 0 <= code < 64 or shift > 60:
            raise MalformedError(f"run lengths with the letter {letter!r}")
        value |= (code & 0x1F) << shift
        shift += 5
        if not code & 0x20:
            if code & 0x10:
                value -= 1 << shift
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    if shift:
        raise MalformedError("run lengths that end in the middle of a number")
    return counts
