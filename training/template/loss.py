"""What wrong cells, wrong types and wrong parts cost while the comparing network learns."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.template.crops import Batch
from training.template.locate import filled_up
from training.template.network import GRAIN
from training.template.tolerance import difference

_HARDEST = 0.01  # share of the good cells of a batch that count once more
_HARDEST_WEIGHT = 0.1
_DEFECT_WEIGHT = 2.0
_TYPE_WEIGHT = 0.5
_SHARPNESS = 0.05  # of 0..1; noise differs by less, missing or extra material by several times that


def loss_of(network: nn.Module, batch: Batch) -> Tensor:
    """Give the loss of a step: of each cell where marks tell what it shows, of the whole photo where they do not.

    The hundredth of the good cells that looks worst counts once more, since the worst cell alone rejects a part.
    """
    # Both kinds go through the network at once: normalised by its own batch each would be told apart by that alone.
    logits = network(filled_up(batch.planes, GRAIN))[:, :, : batch.cells.shape[1], : batch.cells.shape[2]]
    total = torch.zeros(())
    if batch.marked.any():
        seen, cells = logits[batch.marked], batch.cells[batch.marked]
        total = total + _loss_of_cells(seen, cells) + _TYPE_WEIGHT * loss_of_marks(seen, cells)
    if not batch.marked.all():
        odds = (logits[:, 1:] - logits[:, :1])[~batch.marked]
        parts = where_it_differs(odds, difference(batch.planes[~batch.marked]))
        wanted = batch.types[~batch.marked].float()
        total = total + functional.binary_cross_entropy_with_logits(parts, wanted)
    return total


def loss_of_marks(logits: Tensor, cells: Tensor) -> Tensor:
    """Give the loss of the types of what is marked, each type of a crop once: the mean odds of its cells decide.

    Most cells of a box show nothing of its type. Cell by cell the types of a defect stayed at chance for hundreds of
    steps, while where it is was known after a few.
    """
    own = functional.one_hot(cells, logits.shape[1]).permute(0, 3, 1, 2)[:, 1:].to(logits.dtype)
    count = own.sum((2, 3))
    mean = torch.einsum("nthw,nkhw->ntk", own, logits[:, 1:]) / count.clamp_min(1.0)[:, :, None]
    photo, kind = torch.nonzero(count, as_tuple=True)
    if len(kind) == 0:
        return torch.zeros(())
    return functional.cross_entropy(mean[photo, kind], kind)


def where_it_differs(odds: Tensor, differences: Tensor) -> Tensor:
    """Give the odds of photos (n, types), the mean over cells weighed by how much each differs from the golden image.

    odds: (n, types, h, w); differences: (n, 1, h, w), 0..1. Nobody marked where the defect is, but it is where the
    photo differs most; the worst odds of all cells taught nothing in the first 64 steps.
    """
    weights = torch.softmax(differences.flatten(2) / _SHARPNESS, 2)
    return (odds.flatten(2) * weights).sum(2)


def _loss_of_cells(logits: Tensor, cells: Tensor) -> Tensor:
    losses = functional.cross_entropy(logits, cells, reduction="none")
    good, defects = losses[cells == 0], losses[cells > 0]
    total = (good.sum() + _DEFECT_WEIGHT * defects.sum()) / cells.numel()
    if good.numel():
        total = total + _HARDEST_WEIGHT * good.topk(max(1, int(_HARDEST * good.numel()))).values.mean()
    return total
