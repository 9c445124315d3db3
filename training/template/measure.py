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
from training.template.model import Comparing
from training.template.network import STRIDE
from training.template.scan import rescan

_BATCH = 4
_MARGIN_PX = 4


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of marked photos: a plain value. repaired, rescanned: parts against the two kinds of good ones."""

    boxes: Precision
    repaired: Metrics
    rescanned: Metrics
    photos: int


def measure_pairs(
    model: Comparing, samples: Sequence[Sample], classes: Sequence[str], height: int, width: int, *, threshold: float,
    iou: float = DEEPPCB_IOU,
) -> Measured:  # fmt: skip
    """Measure a model on samples with marks and golden images, brought to (height, width); the good class comes first.

    Good parts are made in two ways. repaired: the photo itself with its golden image painted over each mark (and 4 px
    around), so that what is left is how two real pictures of one part differ. rescanned: the golden image as
    `training.template.scan.rescan` shows it. The golden images must lie in the model, which finds them by itself.
    """
    channels = model.store.shape[0]
    kinds: dict[str, list[NDArray[np.float32]]] = {"photo": [], "repaired": [], "rescanned": []}
    found: list[Sequence[Box]] = []
    for sample in samples:
        photo, golden = load_sample(sample), _golden_of(sample)
        shown = {"photo": photo, "repaired": repair(sample, photo, golden), "rescanned": rescan(golden)}
        pixels = np.stack([fit(image, height, width, channels) for image in shown.values()])
        with torch.inference_mode():
            scores = model(torch.from_numpy(pixels))[0].numpy()
            found.append(boxes_of(model, pixels[:1]))
        for kind, row in zip(shown, scores, strict=True):
            kinds[kind].append(row)
    marked = [_marked(sample, classes, height, width) for sample in samples]

    def against(kind: str) -> Metrics:
        raw = np.stack([*kinds["photo"], *kinds[kind]])
        truth = np.array([classes.index(sample.label) for sample in samples] + [0] * len(samples), dtype=np.intp)
        return measure(Scored(raw, truth, tuple(s.group for s in samples) * 2, 0), threshold, classes, kind)

    boxes = measure_boxes(found, marked, len(classes) - 1, iou)
    return Measured(boxes, against("repaired"), against("rescanned"), len(samples))


def boxes_of(model: Comparing, pixels: NDArray[np.uint8]) -> tuple[Box, ...]:
    """Return the boxes of one photo, uint8 (1, h, w, c), in its pixels; labels count the classes after the good one."""
    with torch.inference_mode():
        aligned = model.align(torch.from_numpy(np.array(pixels)))
        cells = model.cells(aligned)
        padded = torch.cat([torch.zeros_like(cells[:, :1]), cells], 1)
        types = torch.softmax(padded, 1)[0, 1:].numpy()
        down, right = (int(step) for step in aligned.shift[0])
    return find_boxes(types, STRIDE, (down, right))


def repair(sample: Sample, photo: NDArray[np.uint8], golden: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the photo with its golden image painted over each mark and 4 px around it."""
    mended = photo.copy()
    for mark in sample.marks:
        left, top, right, bottom = bounds(mark.outline)
        rows = slice(max(0, int(top) - _MARGIN_PX), int(bottom) + _MARGIN_PX + 1)
        columns = slice(max(0, int(left) - _MARGIN_PX), int(right) + _MARGIN_PX + 1)
        mended[rows, columns] = golden[rows, columns]
    return mended


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
