"""The truth beside the pixels: for each pixel at the input size its class, or that nobody said; free of torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.files import read_bytes
from datasets.images import inspect_bytes
from datasets.marks import Defect, class_map, defects_of, read_mask
from datasets.sample import Sample

Mask = NDArray[np.uint8]

UNKNOWN = 255
_AHEAD = 32


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
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(samples), _AHEAD):
            for truth in pool.map(place, range(start, min(start + _AHEAD, len(samples)))):
                told.append(truth)
                advance()
    return told


def has_marks(sample: Sample) -> bool:
    """Tell whether somebody marked where the defect of a sample lies."""
    return sample.mask is not None or bool(sample.marks)


def cells_of(masks: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Bring masks (n, h, w) to the cells of a map (n, height, width): a defect counts in each cell that it touches.

    Of two defect classes in a cell the later one counts; a cell is `UNKNOWN` where nothing in it is marked and a pixel
    is unknown. Each cell covers ceil(h / height) × ceil(w / width) pixels; the last ones stick out.
    """
    n, h, w = masks.shape
    rows, columns = -(-h // height), -(-w // width)
    whole = np.zeros((n, height * rows, width * columns), np.uint8)
    whole[:, :h, :w] = masks
    blocks = whole.reshape(n, height, rows, width, columns).transpose(0, 1, 3, 2, 4).reshape(n, height, width, -1)
    unknown = blocks == UNKNOWN
    found: NDArray[np.uint8] = np.where(unknown, 0, blocks).max(axis=3)
    found[(found == 0) & unknown.any(axis=3)] = UNKNOWN
    return found
