"""The network as it is released: raw uint8 pixels in, scores out, so that training and runtime cannot disagree."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from training.novelty import Novelty, run_and_see

# The means and deviations of ImageNet's channels in 0..1, which torchvision's backbones were trained with.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


class Deployed(nn.Module):
    """Normalisation, network and temperature in one graph; the fitting and the export use this same module.

    middle: path of the layer whose features tell of pictures unlike those of the training, '' where nobody asks.
    novelty: then set after the fitting.
    """

    mean: Tensor
    deviation: Tensor
    temperature: Tensor
    novelty: Novelty | None

    def __init__(self, network: nn.Module, middle: str = "") -> None:
        super().__init__()
        self.network = network
        self.middle = middle
        self.novelty = None
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1) * 255.0)
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(1, 3, 1, 1) * 255.0)
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, pixels: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Turn uint8 (n, h, w, 1 or 3) into logits (n, classes); grey is repeated to three channels.

        Where the novelty is set it is given, too (n,).
        """
        normal = self._normal(pixels)
        if self.novelty is None:
            return cast(Tensor, self.network(normal)) / self.temperature
        logits, features = run_and_see(self.network, self.middle, normal)
        return logits / self.temperature, self.novelty(features)

    def features(self, pixels: Tensor) -> Tensor:
        """Give the mean over all places of the middle features of uint8 (n, h, w, 1 or 3): (n, features)."""
        return run_and_see(self.network, self.middle, self._normal(pixels))[1].mean(dim=(2, 3))

    def _normal(self, pixels: Tensor) -> Tensor:
        images = pixels.permute(0, 3, 1, 2).float()
        # A subtraction of (1, 3, 1, 1) also repeats the one channel of a grey image.
        return ((images - self.mean) / self.deviation).contiguous(memory_format=torch.channels_last)
