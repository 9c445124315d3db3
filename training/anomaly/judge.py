"""What a way of telling strange places from known ones does: it takes in features one batch at a time, then judges."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn


class Distance(nn.Module):
    """Features (n, height, width, dimensions) -> how far each place is from good ones, float32 (n, height, width)."""

    def forward(self, features: Tensor) -> Tensor:
        """Give the distances."""
        raise NotImplementedError


class Learner(Protocol):
    """One family of methods while it learns; owned by the fitting, used from its thread, bounded in memory."""

    def add(self, features: Tensor, pieces: Tensor) -> None:
        """Take in features (n, height, width, dimensions) of good images that show these pieces (n,)."""
        ...

    def finish(self) -> Distance:
        """Give what judges; nothing is added after that."""
        ...

    def leave_out(self, features: Tensor, pieces: Tensor) -> Tensor:
        """Give the distances (n, height, width) of images, each as if its own piece had not been learned from."""
        ...


def squared_distances(features: Tensor, known: Tensor) -> Tensor:
    """Give |features - known|² less |features|², (n, m): the part that decides which known one is nearest."""
    return torch.addmm((known * known).sum(1), features, known.T, alpha=-2.0)
