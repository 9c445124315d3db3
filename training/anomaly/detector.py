"""The detector of anomalies as it is released: raw uint8 pixels in, calibrated scores and a map out."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training.anomaly.calibration import Scale
from training.anomaly.judge import Distance
from training.anomaly.patches import Patches

_STRAIGHT = 8.0  # a logit beyond that says nothing more; it goes on as a logarithm and a probability never becomes 1
_BEND = 2.0
_FARTHEST = 1e6
_NEAR = 1.5  # cells; deviation of the bell that levels what is usual at a place
_LEAST_SHARE = 0.5
_LEAST_SPREAD = 0.01


class Detector(nn.Module):
    """Features, distances, what is usual at each place, and the scale, in one graph; the task and the export share it.

    A place's strangeness is (distance - usual) / spread, an image's that of its strangest place, so the map is on the
    scale of the score: the highest value of the map is the defect probability of the image.
    """

    usual: Tensor
    spread: Tensor
    slope: Tensor
    offset: Tensor

    def __init__(self, patches: Patches, distance: Distance) -> None:
        super().__init__()
        self.patches = patches
        self.distance = distance
        self.register_buffer("usual", torch.zeros(patches.grid))
        self.register_buffer("spread", torch.ones(patches.grid))
        self.register_buffer("slope", torch.ones(()))
        self.register_buffer("offset", torch.zeros(()))

    def expect(self, distances: Tensor) -> None:
        """Learn from distances (n, grid height, grid width) of good images, each left out, what is usual where.

        Parts differ more at some places than at others (an edge, a print). The mean and the deviation are levelled
        over neighbouring places, and the deviation is never much below that of the whole image.
        """
        self.usual = levelled(distances.mean(0))
        variance = levelled(((distances - self.usual) ** 2).mean(0))
        floor = max(_LEAST_SHARE * float(variance.sqrt().mean()), _LEAST_SPREAD)
        self.spread = (variance + floor**2).sqrt()

    def calibrate(self, scale: Scale) -> None:
        """Take over the scale from strangeness to logit."""
        self.slope = torch.tensor(scale.slope, dtype=torch.float32)
        self.offset = torch.tensor(scale.offset, dtype=torch.float32)

    def strangeness(self, distances: Tensor) -> NDArray[np.float64]:
        """Give how strange images (n,) are by the distances of their places."""
        strange: Tensor = (distances - self.usual) / self.spread
        return strange.flatten(1).amax(1).double().numpy()

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Turn uint8 (n, h, w, 1 or 3) into scores (n, 2), which are (0, logit), and the map (n, grid h, grid w)."""
        strange = (self.distance(self.patches(pixels)) - self.usual) / self.spread
        logit = _bent(strange * self.slope + self.offset)
        strongest = logit.flatten(1).amax(1, keepdim=True)
        return torch.cat((torch.zeros_like(strongest), strongest), dim=1), torch.sigmoid(logit)


def levelled(values: Tensor) -> Tensor:
    """Blur a table (height, width) by a bell of 1.5 cells; its border is continued outwards."""
    reach = min(int(3 * _NEAR + 0.5), *(side - 1 for side in values.shape))
    steps = torch.arange(-reach, reach + 1, dtype=values.dtype)
    bell = torch.exp(-steps * steps / (2 * _NEAR * _NEAR))
    bell = bell / bell.sum()
    wide = functional.pad(values[None, None], (reach, reach, reach, reach), mode="replicate")
    rows = functional.conv2d(wide, bell.view(1, 1, 1, -1))
    return functional.conv2d(rows, bell.view(1, 1, -1, 1))[0, 0]


def _bent(logit: Tensor) -> Tensor:
    """Go on as a logarithm above `_STRAIGHT`, with the same slope there; the order stays."""
    above = torch.clamp(logit - _STRAIGHT, 0.0, _FARTHEST)
    return torch.clamp(logit, max=_STRAIGHT) + _BEND * torch.log(1.0 + above / _BEND)
