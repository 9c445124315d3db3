"""What a fitted model finds on marked photos: boxes by type, and parts against two honest kinds of good ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from datasets.reader import load_image, load_sample
from datasets.readers.shapes import bounds
from datasets.sample import Sample
from models.card import Metrics
from models.resize import fit
from training.metrics import Scored, measure
from training.template.boxes import DEEPPCB_IOU, Box, Precision, find_boxes, measure_boxes
from training.template.model import Aligned, Comparing
from training.template.network import STRIDE
from training.template.scan import rescan

_MARGIN_PX = 4


@dataclass(frozen=True, slots=True)
class Seen:
    """What a model says of marked photos and of good parts made from them: a plain value.

    found, marked: boxes photo by photo; labels count the classes after the good one. raw: scores (n, classes) of each
    kind, 'photo' and the good ones. truth: class of each photo (n,), of all the others the good one.
    """

    found: tuple[tuple[Box, ...], ...]
    marked: tuple[tuple[Box, ...], ...]
    raw: dict[str, NDArray[np.float32]]
    truth: NDArray[np.intp]
    groups: tuple[str, ...]

    def against(self, kind: str) -> Scored:
        """Give the photos beside good parts of a kind."""
        raw = np.concatenate([self.raw["photo"], self.raw[kind]])
        return Scored(raw, np.concatenate([self.truth, np.zeros_like(self.truth)]), self.groups * 2, 0)


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of marked photos: a plain value. repaired, rescanned: parts against the two kinds of good ones."""

    boxes: Precision
    repaired: Metrics
    rescanned: Metrics
    photos: int


def see_pairs(
    model: Comparing, samples: Sequence[Sample], classes: Sequence[str], height: int, width: int,
    kinds: Sequence[str] = ("repaired", "rescanned"),
) -> Seen:  # fmt: skip
    """Show a model samples with marks and golden images, brought to (height, width); the good class comes first.

    Good parts are made in two ways. repaired: the photo itself with its golden image painted over each mark (and 4 px
    around), so that what is left is how two real pictures of one part differ. rescanned: the golden image as
    `training.template.scan.rescan` shows it. The golden images must lie in the model, which finds them by itself.
    """
    channels = model.store.shape[0]
    raw: dict[str, list[NDArray[np.float32]]] = {kind: [] for kind in ("photo", *kinds)}
    found: list[tuple[Box, ...]] = []
    for sample in samples:
        photo, golden = load_sample(sample), _golden_of(sample)
        goods = [repair(sample, photo, golden) if kind == "repaired" else rescan(golden) for kind in kinds]
        pixels = np.stack([fit(image, height, width, channels) for image in (photo, *goods)])
        with torch.inference_mode():
            aligned = model.align(torch.from_numpy(pixels))
            cells = model.cells(aligned)
            scores = model.judged(aligned, cells)[0].numpy()
            found.append(_boxes(aligned, cells))
        for rows, row in zip(raw.values(), scores, strict=True):
            rows.append(row)
    return Seen(
        tuple(found),
        tuple(_marked(sample, classes, height, width) for sample in samples),
        {kind: np.stack(rows) for kind, rows in raw.items()},
        np.array([classes.index(sample.label) for sample in samples], dtype=np.intp),
        tuple(sample.group for sample in samples),
    )


def measure_pairs(
    model: Comparing, samples: Sequence[Sample], classes: Sequence[str], height: int, width: int, *, threshold: float,
    iou: float = DEEPPCB_IOU,
) -> Measured:  # fmt: skip
    """Measure a model on samples with marks and golden images, as `see_pairs` shows them."""
    seen = see_pairs(model, samples, classes, height, width)
    repaired, rescanned = (
        measure(seen.against(kind), threshold, classes, kind) for kind in ("repaired", "rescanned")
    )  # fmt: skip
    boxes = measure_boxes(seen.found, seen.marked, len(classes) - 1, iou)
    return Measured(boxes, repaired, rescanned, len(samples))


def repair(sample: Sample, photo: NDArray[np.uint8], golden: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the photo with its golden image painted over each mark and 4 px around it."""
    mended = photo.copy()
    for mark in sample.marks:
        left, top, right, bottom = bounds(mark.outline)
        rows = slice(max(0, int(top) - _MARGIN_PX), int(bottom) + _MARGIN_PX + 1)
        columns = slice(max(0, int(left) - _MARGIN_PX), int(right) + _MARGIN_PX + 1)
        mended[rows, columns] = golden[rows, columns]
    return mended


def _boxes(aligned: Aligned, cells: torch.Tensor) -> tuple[Box, ...]:
    """Find the boxes of the first photo."""
    down, right = (int(step) for step in aligned.shift[0])
    return find_boxes(cells[0].numpy(), STRIDE, (down, right))


def _golden_of(sample: Sample) -> NDArray[np.uint8]:
    if sample.template is None:
        raise ValueError(f"{sample.path}: names no golden image")
    return load_image(sample.template)


def _marked(sample: Sample, classes: Sequence[str], height: int, width: int) -> tuple[Box, ...]:
    high, wide = load_sample(sample).shape[:2]
    found = []
    for mark in sample.marks:
        left, top, right, bottom = bounds(mark.outline)
        x, y = width / wide, height / high
        found.append(Box(classes.index(mark.label) - 1, left * x, top * y, right * x, bottom * y))
    return tuple(found)
