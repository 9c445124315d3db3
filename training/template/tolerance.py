"""Judging without any defect: how far each place of good parts differs from the golden image, and what exceeds that."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training.template.locate import filled_up, fixed_size
from training.template.network import STRIDE

NAME = "tolerance-1"
_NORMAL_OF_MAD = 1.4826
_BELIEF = 8.0  # good parts that the spread of all places together is worth at one place
_LEAST = 1.0 / 255.0


class Tolerance(nn.Module):
    """The middle and the spread of the difference at each place of each golden image; `Comparing` owns it."""

    middle: Tensor
    spread: Tensor

    def __init__(self, middle: NDArray[np.float32], spread: NDArray[np.float32]) -> None:
        super().__init__()
        self.register_buffer("middle", torch.from_numpy(middle.astype(np.float16)))
        self.register_buffer("spread", torch.from_numpy(spread.astype(np.float16)))

    def forward(self, planes: Tensor, rows: Tensor) -> Tensor:
        """Turn planes of photos and numbers of golden images into deviations in spreads, (n, 1, h / 4, w / 4)."""
        middle, spread = (kept.index_select(0, rows).float()[:, None] for kept in (self.middle, self.spread))
        return (difference(planes) - middle) / spread


def difference(planes: Tensor) -> Tensor:
    """Give how much each cell lies outside the tolerance of its golden image, (n, 1, h / 4, w / 4), 0..1.

    Of the colours the one that differs most; the mean over a cell and half a cell around it.
    """
    channels = fixed_size(planes)[0] // 4
    outside = (planes[:, 2 * channels : 3 * channels] + planes[:, 3 * channels :]).amax(1, keepdim=True)
    return functional.avg_pool2d(filled_up(outside, STRIDE), 2 * STRIDE, STRIDE, STRIDE // 2)


def learn_tolerance(differences: NDArray[np.float32], rows: NDArray[np.intp], number: int) -> Tolerance:
    """Learn middle and spread (median and scaled MAD) at each place of each golden image from differences (n, h, w).

    At few parts a place's own spread is a guess: it is weighed against that of all places together as if that came from
    eight parts more. Each place also takes the larger tolerance of its eight neighbours, since parts lie a few pixels
    beside. A golden image without a good part gets the tolerance of all.
    """
    common = _robust_spread(differences - np.median(differences, axis=0))
    whole = float(max(common.mean(), _LEAST))
    middles, spreads = [], []
    for row in range(number):
        own = differences[rows == row]
        if len(own) == 0:
            own = differences
        middle = np.median(own, axis=0)
        spread = _robust_spread(own - middle)
        weighed = np.sqrt((len(own) * spread**2 + _BELIEF * whole**2) / (len(own) + _BELIEF))
        middles.append(_highest_around(middle))
        spreads.append(np.maximum(_highest_around(weighed), _LEAST))
    return Tolerance(np.stack(middles).astype(np.float32), np.stack(spreads).astype(np.float32))


def _robust_spread(free: NDArray[np.floating]) -> NDArray[np.float32]:
    """Give the spread (h, w): the larger of the scaled MAD and the 90th percentile as of a normal one."""
    size = np.abs(free)
    high = np.quantile(size, 0.9, axis=0) / 1.645
    return np.asarray(np.maximum(_NORMAL_OF_MAD * np.median(size, axis=0), high), dtype=np.float32)


def _highest_around(places: NDArray[np.float32]) -> NDArray[np.float32]:
    filled = torch.from_numpy(np.ascontiguousarray(places, dtype=np.float32))[None, None]
    return np.asarray(functional.max_pool2d(filled, 3, 1, 1)[0, 0].numpy())
