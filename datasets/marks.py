"""Where the defects of a sample lie: a map of class indices at any size, and how many pixels each defect has there."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.errors import DatasetError
from datasets.files import read_bytes
from datasets.images import decode, inspect_bytes
from datasets.readers.shapes import Outline, area, clipped
from datasets.sample import Sample

_GREY_LEVEL = 128  # masks drawn in grey are soft at their edge; masks of class indices never come near it

_THIN_PX = 0.999


@dataclass(frozen=True, slots=True)
class Defect:
    """One marked defect: its image, its type, and its area in pixels at the size that was asked for."""

    path: Path
    label: str
    area_px: float


def class_map(
    sample: Sample, classes: Sequence[str], height: int, width: int, *, size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Return for each pixel of the sample's image or place, brought to (height, width), the index of its class.

    What is not marked is 0, so the good class comes first in `classes`. A mask counts as the sample's label; outlines
    lie on top of it, small ones on large ones. A pixel is marked where its middle is; a defect that is too thin for
    that keeps the pixels that it touches, so none gets lost. size: (width, height) of the image file, else read.
    Raises DatasetError for a class that is not listed or a mask of another size, ImageError for an unreadable file.
    """
    index = {name: number for number, name in enumerate(classes)}
    missing = {sample.label, *(mark.label for mark in sample.marks)} - index.keys()
    if missing or len(classes) > 256:
        raise DatasetError(
            f"{sample.path}: marked {', '.join(sorted(missing)) or len(classes)} — the classes of the map are "
            f"{', '.join(classes[:20])}, at most 256 — give the classes of the data set"
        )
    found = np.zeros((height, width), dtype=np.uint8)
    image = size or _size_of(sample.path)
    if sample.mask is not None:
        found[shrink(read_mask(sample, image), height, width)] = index[sample.label]
    for mark in sorted(sample.marks, key=lambda mark: -area(mark.outline)):
        _draw(found, _moved(sample, mark.outline, height, width, image), index[mark.label])
    return found


def defects_of(sample: Sample, height: int, width: int, *, size: tuple[int, int] | None = None) -> tuple[Defect, ...]:
    """Return each marked defect of a sample with its area at (height, width): outlines, or the spots of its mask."""
    image = size or _size_of(sample.path)
    if sample.marks:
        outlines = ((mark.label, _moved(sample, mark.outline, height, width, image)) for mark in sample.marks)
        sizes = ((label, _area_inside(outline, height, width)) for label, outline in outlines)
        return tuple(Defect(sample.path, label, area_px) for label, area_px in sizes if area_px > 0)
    if sample.mask is None:
        return ()
    mask = read_mask(sample, image)
    scale = height * width / mask.size
    _, _, spots, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return tuple(Defect(sample.path, sample.label, float(n) * scale) for n in spots[1:, cv2.CC_STAT_AREA])


def smallest_defect(samples: Iterable[Sample], height: int, width: int) -> Defect | None:
    """Return the marked defect with the fewest pixels where each image (or place) is brought to (height, width).

    None where nothing is marked. Reads the head of every image, and every mask. Raises DatasetError, ImageError.
    """
    found = (defect for sample in samples for defect in defects_of(sample, height, width))
    return min(found, key=lambda defect: defect.area_px, default=None)


def read_mask(sample: Sample, size: tuple[int, int] | None = None) -> NDArray[np.bool_]:
    """Return what the sample's mask marks, of its image or place (h, w): what is not 0.

    In a grey picture whose edges are soft, the lighter half counts. size: (width, height) of the image file, else read.
    Raises DatasetError where there is no mask or it is of another size than the image, ImageError.
    """
    if sample.mask is None:
        raise DatasetError(f"{sample.path}: has no mask; a picture of the same size is needed")
    data = read_bytes(sample.mask)
    inspect_bytes(sample.mask, data)
    pixels = decode(sample.mask, data)
    width, height = size or _size_of(sample.path)
    if pixels.shape[:2] != (height, width):
        raise DatasetError(
            f"{sample.mask}: {pixels.shape[1]}×{pixels.shape[0]} pixels — its image has {width}×{height} — "
            "export the mask again at the image's size"
        )
    planes = [pixels] if pixels.ndim == 2 else [pixels[:, :, number] for number in range(3)]
    brightest = functools.reduce(np.maximum, planes)
    grey = all(np.array_equal(plane, planes[0]) for plane in planes[1:])
    level = _GREY_LEVEL if grey and int(brightest.max()) >= _GREY_LEVEL else 1
    marked: NDArray[np.bool_] = brightest >= level
    place = sample.place
    return marked if place is None else marked[place.y : place.y + place.height, place.x : place.x + place.width]


def shrink(mask: NDArray[np.bool_], height: int, width: int) -> NDArray[np.bool_]:
    """Return a mask at (height, width): pixels of which half is marked, and all that a spot touches that would vanish.

    A spot vanishes where fewer pixels stay of it than half its area.
    """
    if mask.shape == (height, width):
        return mask
    smaller = height * width < mask.size
    share = cv2.resize(
        mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_NEAREST
    )
    found = np.asarray(share >= 0.5, dtype=np.bool_)
    number, labels, spots, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    for spot in range(1, number):
        x, y, w, h, pixels = (int(value) for value in spots[spot])
        ys, xs = np.nonzero(labels[y : y + h, x : x + w] == spot)
        cells = np.unique((ys + y) * height // mask.shape[0] * width + (xs + x) * width // mask.shape[1])
        if found.flat[cells].sum() < pixels * height * width / mask.size / 2:
            found.flat[cells] = True
    return found


def fill(outline: Outline, height: int, width: int) -> NDArray[np.bool_]:
    """Return the pixels (height, width) whose middle lies inside an outline, by the even-odd rule."""
    toggles = np.zeros((height, width + 1), dtype=np.bool_)
    for (x0, y0), (x1, y1) in zip(outline, outline[1:] + outline[:1], strict=True):
        first, last = (int(np.ceil(np.clip(y - 0.5, 0, height))) for y in sorted((y0, y1)))
        rows = np.arange(first, last)
        if len(rows):
            xs = x0 + (rows + 0.5 - y0) * ((x1 - x0) / (y1 - y0))
            toggles[rows, np.ceil(np.clip(xs - 0.5, 0, width)).astype(np.intp)] ^= True
    return np.asarray(np.logical_xor.accumulate(toggles, axis=1)[:, :width])


def _draw(found: NDArray[np.uint8], outline: Outline, value: int) -> None:
    """Write a value into the pixels of an outline; one too thin for its pixels' middles gets those that it touches."""
    height, width = found.shape
    inside = fill(outline, height, width)
    if _width_of(outline) < _THIN_PX or not inside.any():
        limit = np.array([width - 1, height - 1])
        cells = np.clip(np.floor(np.array(outline)), 0, limit).astype(np.int32)
        line = np.zeros((height, width), dtype=np.uint8)
        cv2.polylines(line, [cells.reshape(-1, 1, 2)], isClosed=True, color=1)
        inside |= line > 0
    found[inside] = value


def _width_of(outline: Outline) -> float:
    """Return the short side of the rectangle that has an outline's area and length (of a bent one as well)."""
    half = math.fsum(math.dist(a, b) for a, b in zip(outline, outline[1:] + outline[:1], strict=True)) / 2
    return (half - math.sqrt(max(half * half - 4 * area(outline), 0.0))) / 2


def _area_inside(outline: Outline, height: int, width: int) -> float:
    """Return the area of an outline in square pixels as far as it lies inside (0, 0) … (width, height)."""
    return area(clipped(outline, width, height))


def _moved(sample: Sample, outline: Outline, height: int, width: int, size: tuple[int, int]) -> Outline:
    """Return an outline in pixels of the sample's image, or of its place, brought to (height, width)."""
    place = sample.place
    x0, y0, w, h = (0, 0, *size) if place is None else (place.x, place.y, place.width, place.height)
    return tuple(((x - x0) * width / w, (y - y0) * height / h) for x, y in outline)


def _size_of(path: Path) -> tuple[int, int]:
    header = inspect_bytes(path, read_bytes(path))
    return header.width, header.height
