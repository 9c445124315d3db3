"""How far a picture is off those that a network was fitted on: a distance of its features, inside the graph.

Source of the distance: Lee et al., "A simple unified framework for detecting out-of-distribution samples and
adversarial attacks", NeurIPS 2018, section 2.1: Mahalanobis, to the nearest class mean, with one covariance for all.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Floats = NDArray[np.float64]

_LEAST = 1e-6  # of the mean variance: features that never differed leave room for rounding


class Novelty(nn.Module):
    """The distance as a part of a graph; made once after the fitting, and never learned from.

    means: of the classes, whitened (classes, features). whitening: brings features to a covariance of the identity.
    limit: the distance that is told as 1.
    """

    means: Tensor
    whitening: Tensor
    limit: Tensor

    def __init__(self, means: Floats, whitening: Floats) -> None:
        """Take class means (classes, features) and the whitening matrix (features, features)."""
        super().__init__()
        self.register_buffer("means", torch.from_numpy(means @ whitening).float())
        self.register_buffer("whitening", torch.from_numpy(whitening).float())
        self.register_buffer("limit", torch.ones(()))

    def forward(self, features: Tensor) -> Tensor:
        """Turn features (n, features, rows, columns) into the distance to the nearest class mean, in limits (n,)."""
        pooled = features.mean(dim=(2, 3))
        off = torch.matmul(pooled, self.whitening).unsqueeze(1) - self.means
        # The sum hands on what is no number, which a minimum may pass over.
        nearest = off.square().sum(dim=2).amin(dim=1) + 0.0 * pooled.sum(dim=1)
        return torch.sqrt(nearest) / self.limit


def fit_novelty(features: NDArray[np.float32], truth: NDArray[np.intp]) -> Novelty:
    """Lay out the distance from the features (n, features) of training images and the class of each (n,)."""
    values = features.astype(np.float64)
    labels, place = np.unique(truth, return_inverse=True)
    means = np.stack([values[place == index].mean(axis=0) for index in range(len(labels))])
    spread = shrunk_covariance(values - means[place])
    variances, directions = np.linalg.eigh(spread)
    floor = max(_LEAST * float(variances.mean()), float(np.finfo(np.float32).tiny))
    # Divided by the root of their number, so that a usual distance is about 1 for networks of any width.
    scale = 1.0 / np.sqrt(np.maximum(variances, floor) * len(variances))
    return Novelty(means, directions * scale)


def shrunk_covariance(centred: Floats) -> Floats:
    """Estimate the covariance (d, d) of samples (n, d) around 0, shrunk towards a multiple of the identity.

    Source: Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", Journal of
    Multivariate Analysis 88 (2004), section 3.2.
    """
    count, size = centred.shape
    sample = centred.T @ centred / count
    mean = float(np.trace(sample)) / size
    far = float((sample**2).sum()) / size - mean**2
    noise = (float(((centred**2).sum(axis=1) ** 2).mean()) - float((sample**2).sum())) / count / size
    share = min(1.0, max(0.0, noise / far)) if far > 0.0 else 1.0
    return np.asarray((1.0 - share) * sample + share * mean * np.eye(size))


def run_and_see(network: nn.Module, layer: str, images: Tensor) -> tuple[Tensor, Tensor]:
    """Run a network and give also the features of one of its layers (n, features, rows, columns).

    layer: its path in the network.
    """
    seen: list[Tensor] = []
    hook = network.get_submodule(layer).register_forward_hook(lambda _module, _inputs, given: seen.append(given))
    try:
        given = cast(Tensor, network(images))
    finally:
        hook.remove()
    return given, seen[0]
