"""The segmenting network as it is released: raw pixels in, scores of the part and the map out."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from training.deployed import DEVIATION, MEAN
from training.novelty import Novelty, run_and_see
from training.segment.network import Segmenter

_SHARPNESS = 2.0


class DeployedSegmenter(nn.Module):
    """Normalisation, network, pooling and calibration in one graph; fitting and export use this same module.

    The good class is the first one. A part's score of a defect class is that class's evidence pooled over the map; the
    good score is always 0.
    """

    mean: Tensor
    deviation: Tensor
    temperature: Tensor
    shift: Tensor
    cell_temperature: Tensor
    cell_shift: Tensor
    beside_good: Tensor
    novelty: Novelty | None

    def __init__(self, network: Segmenter, classes: int) -> None:
        super().__init__()
        self.network = network
        self.middle = network.middle
        self.novelty = None
        self.gain = nn.Parameter(torch.ones(classes - 1))
        self.offset = nn.Parameter(torch.zeros(classes - 1))
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1) * 255.0)
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(1, 3, 1, 1) * 255.0)
        self.register_buffer("temperature", torch.ones(()))
        self.register_buffer("shift", torch.zeros(()))
        self.register_buffer("cell_temperature", torch.ones(()))
        self.register_buffer("cell_shift", torch.zeros(()))
        self.register_buffer("beside_good", torch.eye(classes)[1:])

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Turn uint8 (n, h, w, 1 or 3) into calibrated scores (n, classes) and the map (n, map height, map width).

        The map is the calibrated probability that a cell is defective, whatever the class. Where the novelty is set it
        is given, too (n,).
        """
        if self.novelty is None:
            return self._told(self.logits(pixels))
        logits, features = run_and_see(self.network, self.middle, self._normal(pixels))
        return (*self._told(logits), self.novelty(features))

    def features(self, pixels: Tensor) -> Tensor:
        """Give the mean over all places of the middle features of uint8 (n, h, w, 1 or 3): (n, features)."""
        return run_and_see(self.network, self.middle, self._normal(pixels))[1].mean(dim=(2, 3))

    def _told(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        return self.scores(logits), torch.sigmoid(self.cell_odds(logits) / self.cell_temperature + self.cell_shift)

    def calibrate(self, parts: tuple[float, float], cells: tuple[float, float]) -> None:
        """Take divisor and shift of the parts' scores and of the cells' odds (`training.segment.calibrate`)."""
        for value, buffer in zip(
            (*parts, *cells), (self.temperature, self.shift, self.cell_temperature, self.cell_shift), strict=True
        ):
            buffer.fill_(value)

    def logits(self, pixels: Tensor) -> Tensor:
        """Turn uint8 (n, h, w, 1 or 3) into logits (n, classes, map height, map width); grey becomes three channels."""
        return cast(Tensor, self.network(self._normal(pixels)))

    def _normal(self, pixels: Tensor) -> Tensor:
        images = pixels.permute(0, 3, 1, 2).float()
        return ((images - self.mean) / self.deviation).contiguous(memory_format=torch.channels_last)

    def cell_odds(self, logits: Tensor) -> Tensor:
        """Give the log-odds of any defect in each cell (n, map height, map width), not yet calibrated."""
        odds = logits[:, 1:] - logits[:, :1]
        top = odds.amax(dim=1, keepdim=True)
        return top[:, 0] + torch.log(torch.exp(odds - top).sum(dim=1))

    def scores(self, logits: Tensor) -> Tensor:
        """Pool the logits of the cells into scores of the part (n, classes).

        Pooled is log-mean-exp with a sharpness of 2 over the log-odds of each defect class against good: nearly the
        largest one for a small defect, higher for a large one; a few cells are enough, and every cell learns from it.
        Source of the pooling: Pinheiro and Collobert, CVPR 2015, equation 4.
        """
        odds = (logits[:, 1:] - logits[:, :1]) * _SHARPNESS
        top = odds.amax(dim=(2, 3), keepdim=True)
        pooled = (top[:, :, 0, 0] + torch.log(torch.exp(odds - top).mean(dim=(2, 3)))) / _SHARPNESS
        raw = (pooled * self.gain + self.offset) / self.temperature + self.shift
        # A product, since after a concatenation the exporter no longer knows how many scores there are.
        return raw @ self.beside_good
