"""What each place of an image looks like to a backbone: features of two of its layers on one grid, ready to compare."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.deployed import DEVIATION, MEAN
from training.errors import SettingsError

LEAST_SIDE = 6  # places; below that an edge is everywhere
_STRIDE = 8


@dataclass(frozen=True, slots=True)
class Taps:
    """Which stages of a backbone are read: a plain value. fine: one cell is 8 pixels of the input, coarse: 16."""

    fine: int
    coarse: int


# The deepest stage of each of the two resolutions: what is found there is still tied to a place, and no longer to the
# thousand classes that the backbone was made for.
TAPS: dict[str, Taps] = {
    "mobilenet_v2": Taps(6, 13),
    "mobilenet_v3_small": Taps(3, 8),
    "mobilenet_v3_large": Taps(6, 12),
    "resnet18": Taps(2, 3),
    "efficientnet_b0": Taps(3, 5),
    "compact": Taps(4, 6),
}


class Patches(nn.Module):
    """uint8 (n, h, w, 1 or 3) -> features (n, grid height, grid width, dimensions); the detector owns it, one thread.

    Every channel is centred, every layer scaled to unit variance over the training images, so that both count alike;
    a fixed random projection shortens what is longer than `dimensions` and keeps distances (Johnson & Lindenstrauss
    1984). Layers beyond those that are read are not computed.
    """

    mean: Tensor
    deviation: Tensor
    shift: Tensor
    mix: Tensor

    def __init__(self, network: nn.Module, backbone: str, *, height: int, width: int, dimensions: int, seed: int):
        super().__init__()
        taps = TAPS[backbone]
        stages = _stages(network, backbone)
        self.fine = nn.Sequential(*stages[: taps.fine + 1])
        self.coarse = nn.Sequential(*stages[taps.fine + 1 : taps.coarse + 1])
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1) * 255.0)
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(1, 3, 1, 1) * 255.0)
        self.requires_grad_(False)
        self.eval()
        with torch.inference_mode():
            fine = self.fine(torch.zeros(1, 3, height, width))
            channels = (fine.shape[1], self.coarse(fine).shape[1])
        self.grid = (int(fine.shape[2]), int(fine.shape[3]))
        if min(self.grid) < LEAST_SIDE:
            raise SettingsError(
                f"--size {width}x{height}: gives {self.grid[1]}×{self.grid[0]} places to look at — at least "
                f"{LEAST_SIDE} each way are needed — choose at least {_STRIDE * LEAST_SIDE} pixels for each side"
            )
        self._channels = channels
        random = torch.Generator().manual_seed(seed)
        total = sum(channels)
        chosen = torch.eye(total)
        if total > dimensions:
            chosen = torch.linalg.qr(torch.randn(total, dimensions, generator=random))[0] * (total / dimensions) ** 0.5
        self.register_buffer("shift", torch.zeros(total))
        self.register_buffer("mix", chosen)

    @property
    def dimensions(self) -> int:
        """Give the length of one place's features."""
        return int(self.mix.shape[1])

    def read(self, pixels: Tensor) -> Tensor:
        """Give both layers on the finer grid, as the backbone makes them: (n, grid height, grid width, channels)."""
        images = pixels.permute(0, 3, 1, 2).float()
        normal = ((images - self.mean) / self.deviation).contiguous(memory_format=torch.channels_last)
        fine = self.fine(normal)
        coarse = _around(self.coarse(fine))
        wide = functional.interpolate(coarse, size=self.grid, mode="bilinear", align_corners=False)
        return torch.cat((_around(fine), wide), dim=1).permute(0, 2, 3, 1)

    def settle(self, mean: Tensor, variance: Tensor) -> None:
        """Take over mean and variance of each channel (channels,) over the training images; once, before `forward`."""
        scales = []
        edge = self._channels[0]
        for layer, level in ((variance[:edge], mean[:edge]), (variance[edge:], mean[edge:])):
            # A layer without any variance carries the rounding of its level alone, which must not be blown up.
            spread = layer.mean().sqrt().clamp_min(1e-4 * float(level.abs().mean()) + 1e-20)
            scales.append(torch.full_like(layer, 1.0) / (spread * len(layer) ** 0.5))
        self.shift = mean.float()
        self.mix = torch.cat(scales).float()[:, None] * self.mix

    def forward(self, pixels: Tensor) -> Tensor:
        """Give the features of each place."""
        return (self.read(pixels) - self.shift) @ self.mix


def _around(features: Tensor) -> Tensor:
    """Average each cell with its neighbours: a shift by a few pixels changes little."""
    return functional.avg_pool2d(features, 3, 1, 1, count_include_pad=False)


def _stages(network: nn.Module, backbone: str) -> list[nn.Module]:
    if backbone == "resnet18":
        stem = nn.Sequential(*(network.get_submodule(name) for name in ("conv1", "bn1", "relu", "maxpool")))
        return [stem, *(network.get_submodule(f"layer{number}") for number in (1, 2, 3))]
    return list(network.get_submodule("features").children())
