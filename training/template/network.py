"""The comparing network: small, fully convolutional, from planes at the input's size to a map of defect types."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

NAME = "comparing-2"
STRIDE = 4  # pixels in a cell of the map
GRAIN = 16  # sides that the network takes are multiples of it; others are filled up
_STEM = 16  # channels at half the size of the input: edges and gaps of a few pixels tell the types apart
_WIDTHS = (24, 40, 56)
_PRIOR = 4.0  # what the good class starts with: nearly every cell of nearly every part is good


class ComparingNetwork(nn.Module):
    """An hourglass of three sizes (4, 8 and 16 pixels a cell) whose picture of 280 pixels around a cell decides it."""

    def __init__(self, planes: int, types: int) -> None:
        super().__init__()
        first, second, third = _WIDTHS
        self.enter = nn.Sequential(
            _layer(planes, _STEM, size=4, stride=2, padding=1), _layer(_STEM, first, size=4, stride=2, padding=1)
        )
        self.fine = _layer(first, first)
        self.down = _layer(first, second, stride=2)
        self.middle = nn.Sequential(_layer(second, second), _layer(second, second))
        self.deeper = _layer(second, third, stride=2)
        self.coarse = nn.Sequential(_layer(third, third), _layer(third, third, dilation=2), _layer(third, third))
        self.narrow = _layer(third, second, size=1, padding=0)
        self.joined = nn.Sequential(_layer(second, second), _layer(second, second))
        self.shrink = _layer(second, first, size=1, padding=0)
        self.last = _layer(first, first)
        self.cells = nn.Conv2d(first, types + 1, 1)
        with torch.no_grad():
            self.cells.weight.mul_(0.1)
            self.cells.bias.zero_()  # type: ignore[union-attr]
            self.cells.bias[0] = _PRIOR  # type: ignore[index]

    def forward(self, planes: Tensor) -> Tensor:
        """Turn planes (n, p, h, w), h and w multiples of 16, into logits (n, 1 + types, h / 4, w / 4), good first."""
        fine = self.fine(self.enter(planes))
        middle = self.middle(self.down(fine))
        coarse = self.coarse(self.deeper(middle))
        middle = self.joined(middle + functional.interpolate(self.narrow(coarse), scale_factor=2.0, mode="nearest"))
        fine = self.last(fine + functional.interpolate(self.shrink(middle), scale_factor=2.0, mode="nearest"))
        cells: Tensor = self.cells(fine)
        return cells


def _layer(
    before: int, after: int, *, size: int = 3, stride: int = 1, padding: int | None = None, dilation: int = 1
) -> nn.Sequential:
    around = dilation * (size // 2) if padding is None else padding
    return nn.Sequential(
        nn.Conv2d(before, after, size, stride, around, dilation, bias=False), nn.BatchNorm2d(after), nn.ReLU()
    )
