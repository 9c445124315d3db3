"""The boxes of a fold with golden images: kept beside its scores, pooled with those of others, measured by type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.card import Estimate
from training.judging import Judged
from training.metrics import Scored, measure
from training.template.boxes import Box, measure_boxes
from training.template.measure import Seen, see_pairs
from training.template.rebuilt import compares, rebuild

FILE = "boxes.npz"
_KINDS = ("photo", "repaired")  # those of golden images shown once more are among the scores of the whole fold
_FIELDS = 6  # of a Box
Figures = dict[str, object]


def keep_boxes(place: Path, judged: Judged, threads: int) -> None:
    """Find and keep the boxes of the judged photos that are marked and have a golden image, where there are such.

    The boxes come from the released graph's own weights, in torch: `training.template.rebuilt` holds them against the
    bundle's golden scores.
    """
    samples = [sample for sample in judged.samples if sample.marks and sample.template is not None]
    if not samples or not compares(judged.bundle):
        return
    card = judged.bundle.card
    torch.set_num_threads(threads)
    size = card.input
    seen = see_pairs(rebuild(judged.bundle), samples, card.classes, size.height, size.width, _KINDS[1:])
    np.savez(
        place / FILE,
        found=_rows(seen.found),
        marked=_rows(seen.marked),
        truth=seen.truth,
        groups=np.array(seen.groups),
        **{kind: seen.raw[kind] for kind in _KINDS},  # type: ignore[arg-type]  # the stub knows no further arrays
    )


def read_boxes(place: Path) -> Seen | None:
    """Return what a finished fold kept; None where it has no boxes."""
    if not (place / FILE).exists():
        return None
    with np.load(place / FILE) as kept:
        photos = len(kept["truth"])
        return Seen(
            _boxes(kept["found"], photos),
            _boxes(kept["marked"], photos),
            {kind: kept[kind] for kind in _KINDS},
            kept["truth"],
            tuple(kept["groups"].tolist()),
        )


def box_figures(parts: Sequence[Seen], classes: Sequence[str]) -> Figures:
    """Give the mean average precision of the boxes with that of each type, and the AUROC against repaired photos.

    The scores of several folds come from as many models, as those of whole images do.
    """
    types = classes[1:]
    precision = measure_boxes(
        [boxes for part in parts for boxes in part.found],
        [boxes for part in parts for boxes in part.marked],
        len(types),
    )
    pairs = [part.against("repaired") for part in parts]
    repaired = Scored(
        np.concatenate([one.raw for one in pairs]),
        np.concatenate([one.truth for one in pairs]),
        tuple(group for one in pairs for group in one.groups),
        0,
    )
    found: Figures = {
        "map_of_types": {
            **_estimate(precision.mean),
            "overlap_above": precision.iou,
            "by_type": {
                name: None if value is None else round(value, 4)
                for name, value in zip(types, precision.of, strict=True)
            },
            "boxes_marked": sum(len(boxes) for part in parts for boxes in part.marked),
        }
    }
    area = measure(repaired, 0.5, classes, "test").auroc
    return found if area is None else found | {"auroc_of_repaired": _estimate(area)}


def _rows(boxes: Sequence[Sequence[Box]]) -> NDArray[np.float64]:
    """Give boxes as rows: photo, then the fields."""
    rows = [(photo, *astuple(box)) for photo, some in enumerate(boxes) for box in some]
    return np.array(rows, dtype=np.float64).reshape(-1, 1 + _FIELDS)


def _boxes(rows: NDArray[np.float64], photos: int) -> tuple[tuple[Box, ...], ...]:
    found: list[list[Box]] = [[] for _ in range(photos)]
    for photo, label, *rest in rows.tolist():
        found[int(photo)].append(Box(int(label), *rest))
    return tuple(map(tuple, found))


def _estimate(given: Estimate) -> Figures:
    return {
        "value": round(given.value, 4),
        "low": round(given.low, 4),
        "high": round(given.high, 4),
        "method": given.method,
    }
