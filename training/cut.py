"""Where an input is cut into boxes that one network judges: named places, or a grid of overlapping tiles; no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.parts import Parts
from models.card import MapSpec, PlaceSpec
from training.errors import SettingsError, TrainingDataError

MAX_BOXES = 128  # the graph repeats the network for every few boxes: more of them make it slow to load
OVERLAP = 8  # tiles overlap by this part of their side, so that a defect up to that size lies whole in one of them
MIN_BOX_PX = 8
_MAP_CELLS = 64  # along the longer side of the map

Box = tuple[int, int, int, int]  # x, y, width, height


@dataclass(frozen=True, slots=True)
class Cut:
    """Which boxes (x, y, width, height) of an input of height × width pixels are judged: a plain value.

    side: what each box is brought to before the network sees it, side × side pixels. names: of the places, in the order
    of the boxes; empty for tiles.
    """

    height: int
    width: int
    boxes: tuple[Box, ...]
    side: int
    names: tuple[str, ...] = ()

    @property
    def places(self) -> tuple[PlaceSpec, ...]:
        """Give the places as the card lists them; none for tiles."""
        return tuple(
            PlaceSpec(name=name, x=x, y=y, width=width, height=height)
            for name, (x, y, width, height) in zip(self.names, self.boxes, strict=bool(self.names))
        )

    @property
    def tile(self) -> int | None:
        """Give the side of the tiles; None for places."""
        return None if self.names else self.side

    @property
    def map(self) -> MapSpec:
        """Give the size of the map that shows what is said of each box."""
        cells = max(1, math.ceil(max(self.height, self.width) / _MAP_CELLS))
        return MapSpec(height=math.ceil(self.height / cells), width=math.ceil(self.width / cells))

    def cover(self) -> NDArray[np.bool_]:
        """Tell for each box which cells of the map (boxes, map height, map width) it covers: at least one."""
        return cover(self.boxes, self.height, self.width, self.map)


def cover(boxes: Sequence[Box], height: int, width: int, size: MapSpec) -> NDArray[np.bool_]:
    """Tell for each box of an input which cells of its map (boxes, map height, map width) lie in it: at least one."""
    found = np.zeros((len(boxes), size.height, size.width), dtype=np.bool_)
    for row, (x, y, w, h) in enumerate(boxes):
        top, bottom = _cells(y, y + h, size.height / height, size.height)
        left, right = _cells(x, x + w, size.width / width, size.width)
        found[row, top:bottom, left:right] = True
    return found


def _cells(begin: int, end: int, scale: float, count: int) -> tuple[int, int]:
    """Give the cells whose middle lies in begin…end, or the one that the middle of begin…end lies in."""
    first, last = math.ceil(begin * scale - 0.5), math.ceil(end * scale - 0.5)
    if last <= first:
        first = min(count - 1, int((begin + end) / 2 * scale))
        last = first + 1
    return first, last


def cut_places(parts: Parts, height: int, width: int, side: int) -> Cut:
    """Give the places of all parts as boxes of an input of height × width pixels.

    Raises TrainingDataError where a place would have fewer than 8 pixels, or where there are too many.
    """
    if len(parts.places) > MAX_BOXES:
        raise TrainingDataError(
            f"{len(parts.places)} places: one model judges at most {MAX_BOXES} — make several sets of them"
        )
    boxes = []
    for place in parts.places:
        left, right = (round(x * width / parts.size[0]) for x in (place.x, place.x + place.width))
        top, bottom = (round(y * height / parts.size[1]) for y in (place.y, place.y + place.height))
        if right - left < MIN_BOX_PX or bottom - top < MIN_BOX_PX:
            raise TrainingDataError(
                f"place '{place.name}' has {right - left}×{bottom - top} pixels of an input of {width}×{height} — at "
                f"least {MIN_BOX_PX}×{MIN_BOX_PX} are needed — give a larger --size, or --size native"
            )
        boxes.append((left, top, right - left, bottom - top))
    return Cut(height, width, tuple(boxes), side, tuple(place.name for place in parts.places))


def cut_tiles(height: int, width: int, side: int) -> Cut:
    """Give a grid of tiles over an input, row by row; neighbours overlap by an eighth of their side or more.

    Raises SettingsError where a tile is larger than the input, or where there would be more than 128 of them.
    """
    if side > min(height, width):
        raise SettingsError(
            f"--tile {side}: is larger than the input of {width}×{height} pixels — a tile must fit into it — give a "
            "smaller --tile or a larger --size"
        )
    tops, lefts = _starts(height, side), _starts(width, side)
    if len(tops) * len(lefts) > MAX_BOXES:
        raise SettingsError(
            f"--tile {side}: an input of {width}×{height} pixels would be cut into {len(lefts)}×{len(tops)} tiles — at "
            f"most {MAX_BOXES} are judged in one graph — give a larger --tile or a smaller --size"
        )
    return Cut(height, width, tuple((x, y, side, side) for y in tops for x in lefts), side)


def _starts(length: int, side: int) -> list[int]:
    step = side - side // OVERLAP
    count = 1 + math.ceil((length - side) / step)
    return [round(start) for start in np.linspace(0, length - side, count).tolist()]


def weights_of(length: int, side: int) -> NDArray[np.float32]:
    """Give the matrix (side, length) that brings a line of pixels to another length, each row adding up to 1.

    Shrinking takes the mean of what each new pixel covers (area); growing interpolates between the two nearest middles.
    """
    matrix = np.zeros((side, length))
    ratio = length / side
    for row in range(side):
        if ratio >= 1.0:
            begin, end = row * ratio, (row + 1) * ratio
            cells = np.arange(length)
            matrix[row] = np.clip(np.minimum(end, cells + 1) - np.maximum(begin, cells), 0.0, 1.0)
        else:
            middle = min(max((row + 0.5) * ratio - 0.5, 0.0), length - 1.0)
            below = min(int(middle), length - 1)
            above = min(below + 1, length - 1)
            matrix[row, below] += 1.0 - (middle - below)
            matrix[row, above] += middle - below
    matrix /= matrix.sum(axis=1, keepdims=True)
    return matrix.astype(np.float32)


def crop(pixels: NDArray[np.uint8], box: Box, side: int) -> NDArray[np.uint8]:
    """Give what the network sees of a box of one image (h, w, c): uint8 (side, side, c)."""
    x, y, width, height = box
    inside = pixels[y : y + height, x : x + width]
    if (height, width) == (side, side):
        return np.ascontiguousarray(inside)
    rows, columns = weights_of(height, side), weights_of(width, side)
    scaled = np.einsum("ab,bcd,ec->aed", rows, inside.astype(np.float32), columns, optimize=True)
    return np.asarray(scaled.round().clip(0, 255), dtype=np.uint8)
