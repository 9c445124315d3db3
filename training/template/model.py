"""The model of the task 'template' as it is released: pixels in, scores and map out, golden images inside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training.template.locate import Locate, filled_up, fixed_size, shifted
from training.template.network import GRAIN, STRIDE, ComparingNetwork
from training.template.planes import compare, level
from training.template.store import GoldenStore
from training.template.tolerance import Tolerance

_CERTAIN = 30.0  # logit of a part that is none of the golden images
_RAMP = 0.1  # of correlation, from 'does not matter' to 'certainly not'


@dataclass(frozen=True, slots=True)
class Aligned:
    """Photos on their golden images: tensors of n photos.

    level, golden: (n, c, h, w). rows: numbers of the golden images. shift: pixels (n, 2). correlation: (n,), how much a
    photo looks like its golden image.
    """

    level: Tensor
    golden: Tensor
    rows: Tensor
    shift: Tensor
    correlation: Tensor


class Comparing(nn.Module):
    """Finds the golden image, aligns, compares and judges; whoever makes it owns it.

    A photo whose correlation with its golden image lies below `floor` is a defect, whatever the comparison says.
    """

    gain: Tensor
    offset: Tensor
    floor: Tensor

    def __init__(self, goldens: NDArray[np.uint8], judge: ComparingNetwork | Tolerance) -> None:
        super().__init__()
        self.store, self.locate, self.judge = GoldenStore(goldens), Locate(goldens), judge
        self.register_buffer("gain", torch.ones(()))
        self.register_buffer("offset", torch.zeros(()))
        self.register_buffer("floor", torch.full((), -2.0))

    @staticmethod
    def reach_of(goldens: NDArray[np.uint8]) -> int:
        """Give how many pixels beside a golden image of (k, h, w, c) a part may lie."""
        return Locate(goldens[:1]).reach_px

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Turn uint8 (n, h, w, c) into scores (n, 1 + types), the good class first, and the map (n, h / 4, w / 4)."""
        found = self.align(pixels)
        return self.judged(found, self.cells(found))

    def judged(self, found: Aligned, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Give scores and map, as `forward` does, of photos and what `cells` gave of them."""
        parts = part_logits(cells)
        whole = torch.logsumexp(parts, 1, keepdim=True)
        types = parts + (self.gain * whole + self.offset - whole)
        doubt = _CERTAIN * ((self.floor - found.correlation) / _RAMP).clamp(-2.0, 1.0)
        types = torch.maximum(types, doubt[:, None])
        scores = torch.cat([torch.zeros_like(types[:, :1]), types], 1).view(-1, 1 + fixed_size(cells)[0])
        places = torch.sigmoid(self.gain * torch.logsumexp(cells, 1, keepdim=True) + self.offset)
        return scores, shifted(places, cells_of(-found.shift))[:, 0]

    def align(self, pixels: Tensor, rows: Tensor | None = None) -> Aligned:
        """Move photos uint8 (n, h, w, c) onto the golden images that they show, or onto those of the numbers `rows`."""
        images = pixels.permute(0, 3, 1, 2).float()
        if rows is None:
            rows, coarse = self.locate(images)
        else:
            coarse = self.locate.coarse(images, rows)
        golden = self.store(rows)
        shift = self.locate.refine(images, golden, coarse)
        moved = shifted(images, shift)
        return Aligned(level(moved, golden, shift), golden, rows, shift, self.locate.likeness(moved, golden))

    def cells(self, found: Aligned) -> Tensor:
        """Give the log odds of each type against good, (n, types, h / 4, w / 4), in places of the golden image."""
        planes = compare(found.level, found.golden)
        if isinstance(self.judge, Tolerance):
            odds: Tensor = self.judge(planes, found.rows)
            return odds
        return type_odds(self.judge, planes)


def type_odds(network: nn.Module, planes: Tensor) -> Tensor:
    """Give the log odds of each type against good (n, types, h / 4, w / 4), the last cells for what is left over."""
    _, height, width = fixed_size(planes)
    logits: Tensor = network(filled_up(planes, GRAIN))[:, :, : -(-height // STRIDE), : -(-width // STRIDE)]
    return logits[:, 1:] - logits[:, :1]


def part_logits(cells: Tensor) -> Tensor:
    """Give the log odds of a part (n, types): of each type the worst place, smoothed over 3×3 cells."""
    smooth = functional.avg_pool2d(cells, 3, 1, 1, count_include_pad=False)
    return smooth.amax((2, 3))


def cells_of(shift: Tensor) -> Tensor:
    """Turn a shift in pixels into the nearest whole cells of the map, int64 (n, 2)."""
    return (shift.float() / STRIDE).round().long()
