"""Our own small network, about 0.3 million weights: for demos and for parts that a coarse look tells apart."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn


class Compact(nn.Module):
    """Five strided stages; the owner trains or exports it, on one thread at a time.

    The head sees the mean and the maximum of each feature over the image: a mean alone hides a defect of a few pixels.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        widths = (16, 32, 64, 96, 128)
        stages: list[nn.Module] = []
        before = 3
        for index, width in enumerate(widths):
            stages.append(_block(before, width, stride=2))
            if index in (1, 2, 3):
                stages.append(_block(width, width, stride=1))
            before = width
        self.features = nn.Sequential(*stages)
        self.head = nn.Linear(2 * before, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Turn normalised RGB (n, 3, h, w) into logits (n, classes)."""
        features = self.features(images)
        pooled = torch.cat((features.mean(dim=(2, 3)), features.amax(dim=(2, 3))), dim=1)
        return cast(Tensor, self.head(pooled))


def _block(before: int, width: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
    )
