"""What a wrong map and a wrong part cost while the network learns."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.masks import UNKNOWN

_SMOOTH = 1.0  # cells; keeps the overlap of a defect of one or two cells from jumping between 0 and 1


def map_loss(logits: Tensor, cells: Tensor) -> Tensor:
    """Give cross-entropy plus overlap loss of logits (n, classes, h, w) against classes int64 (n, h, w).

    Cross-entropy over all known cells keeps the map a probability; but a defect of ten cells in ten thousand would not
    be heard in it. The overlap loss (1 - Dice of 1 - softmax[good], Milletari et al., 3DV 2016) is taken over each
    image with a marked defect by itself, so that a small defect counts as much as a large one.
    """
    known = cells != UNKNOWN
    wanted = torch.where(known, cells, torch.zeros_like(cells))
    each = nn.functional.cross_entropy(logits, wanted, reduction="none")
    entropy = (each * known).sum() / known.sum().clamp(min=1)
    said = (1.0 - torch.softmax(logits, dim=1)[:, 0]) * known
    true = ((wanted > 0) & known).float()
    marked = true.sum(dim=(1, 2)) > 0
    overlap = (2.0 * (said * true).sum(dim=(1, 2)) + _SMOOTH) / (said.sum((1, 2)) + true.sum((1, 2)) + _SMOOTH)
    dice = ((1.0 - overlap) * marked).sum() / marked.sum().clamp(min=1)
    return entropy + dice


def part_loss(scores: Tensor, truth: Tensor) -> Tensor:
    """Give the cross-entropy of the scores of the parts (n, classes) against their classes (n,)."""
    return nn.functional.cross_entropy(scores, truth)
