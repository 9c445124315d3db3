"""The truth beside the pixels: for each pixel at the input size its class, or that nobody said; free of torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.files import read_bytes
from datasets.images import inspect_bytes
from datasets.marks import Defect, class_map, defects_of, read_mask
from datasets.sample import Sample
from training.ahead import each_of

Mask = NDArray[np.uint8]

UNKNOWN = 255


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of one image: a plain value. mask: class index uint8 (h, w), `UNKNOWN` where nobody marked.

    contradicts: whether something is marked although the image passes. defects: each one that is marked, with its
    area at that size.
    """

    mask: Mask
    contradicts: bool = False
    defects: tuple[Defect, ...] = ()


def truth_of(sample: Sample, classes: Sequence[str], height: int, width: int) -> Truth:
    """Return the truth of an image at (height, width), the good class first in `classes`, at most 255.

    Nothing that is marked vanishes, however small (`datasets.marks.class_map`). Of a defective image on which nothing
    is marked no pixel is known. Raises DatasetError, ImageError.
    """
    header = inspect_bytes(sample.path, read_bytes(sample.path))
    size = (header.width, header.height)
    if sample.label == classes[0]:
        wrong = bool(sample.marks) or (sample.mask is not None and bool(read_mask(sample, size).any()))
        return Truth(np.zeros((height, width), np.uint8), contradicts=wrong)
    mask = class_map(sample, classes, height, width, size=size)
    if not mask.any():
        return Truth(np.full((height, width), UNKNOWN, np.uint8))
    return Truth(mask, defects=defects_of(sample, height, width, size=size))


def fill_masks(
    samples: Sequence[Sample],
    classes: Sequence[str],
    out: NDArray[np.uint8],
    threads: int,
    advance: Callable[[], None] = lambda: None,
) -> list[Truth]:
    """Write the mask of each sample into its row of `out`, uint8 (n, h, w); gives the rest, with masks of no pixels.

    A bounded number is in memory at once. Raises DatasetError, ImageError.
    """  # fmt: skip
    _, height, width = out.shape
    nothing = np.zeros((0, 0), np.uint8)

    def place(index: int) -> Truth:
        truth = truth_of(samples[index], classes, height, width)
        out[index] = truth.mask
        return Truth(nothing, truth.contradicts, truth.defects)

    told: list[Truth] = []
    for truth in each_of(len(samples), place, threads):
        told.append(truth)
        advance()
    return told


def has_marks(sample: Sample) -> bool:
    """Tell whether somebody marked where the defect of a sample lies."""
    return sample.mask is not None or bool(sample.marks)


def cells_of(masks: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Bring masks (n, h, w) to the cells of a map (n, height, width): a defect counts in each cell that it touches.

    Of two defect classes in a cell the later one counts; a cell is `UNKNOWN` where nothing in it is marked and a pixel
    is unknown.
    """
    rows, columns = cell_starts(masks.shape[1], height), cell_starts(masks.shape[2], width)
    unknown = masks == UNKNOWN
    found = _highest(np.where(unknown, np.uint8(0), masks), rows, columns)
    found[(found == 0) & (_highest(unknown.astype(np.uint8), rows, columns) > 0)] = UNKNOWN
    return found


def cell_starts(pixels: int, cells: int) -> NDArray[np.intp]:
    """Give the first pixel of each cell along an axis (cells,), which is that of a strided convolution where it fits.

    Such cells are all of one size, and the last one may stick out; others divide the pixels evenly.
    """
    stride = -(-pixels // cells)
    places = np.arange(cells, dtype=np.intp)
    return places * stride if (cells - 1) * stride < pixels else places * pixels // cells


def _highest(values: NDArray[np.uint8], rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.uint8]:
    return np.asarray(np.maximum.reduceat(np.maximum.reduceat(values, rows, axis=1), columns, axis=2), np.uint8)
