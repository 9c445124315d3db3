"""The golden images inside the graph: constants of a byte or, where they are binarised, of a bit a value."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.template.goldens import all_binarised
from training.template.scan import two_levels


class GoldenStore(nn.Module):
    """Golden images that are taken out by their number; `Comparing` owns it."""

    packed: Tensor
    levels: Tensor
    bits: Tensor

    def __init__(self, goldens: NDArray[np.uint8]) -> None:
        super().__init__()
        number, height, width, channels = goldens.shape
        self.shape = (channels, height, width)
        self.binarised = all_binarised(goldens)
        rows = []
        levels = np.zeros((number, 2), dtype=np.float32)
        for index, golden in enumerate(goldens):
            flat = np.ascontiguousarray(golden.transpose(2, 0, 1)).reshape(-1)
            if self.binarised:
                found = two_levels(golden) or (golden.min(), golden.max())
                levels[index] = found
                flat = np.packbits(flat == found[1])
            rows.append(flat)
        self.register_buffer("packed", torch.from_numpy(np.stack(rows)))
        self.register_buffer("levels", torch.from_numpy(levels))
        table = np.unpackbits(np.arange(256, dtype=np.uint8)[:, np.newaxis], axis=1).astype(np.float32)
        self.register_buffer("bits", torch.from_numpy(table))

    @property
    def number(self) -> int:
        """Give how many golden images there are."""
        return int(self.packed.shape[0])

    @property
    def stored_bytes(self) -> int:
        """Give what they take in the model."""
        return int(self.packed.numel())

    def forward(self, rows: Tensor) -> Tensor:
        """Turn numbers int64 (n,) into golden images float32 (n, c, h, w), 0..255."""
        channels, height, width = self.shape
        taken = self.packed.index_select(0, rows)
        if not self.binarised:
            return taken.view(-1, channels, height, width).float()
        unpacked = self.bits.index_select(0, taken.reshape(-1).int()).view(-1, self.packed.shape[1] * 8)
        values = unpacked[:, : channels * height * width].view(-1, channels, height, width)
        low, high = self.levels.index_select(0, rows).view(-1, 2, 1, 1, 1).unbind(1)
        return low + values * (high - low)
