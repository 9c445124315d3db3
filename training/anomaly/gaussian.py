"""The method 'gaussian': at each place of the grid a normal distribution; a place is as strange as it is improbable."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from training.anomaly.judge import Distance
from training.anomaly.memory import root
from training.errors import SettingsError

DIMENSIONS = 64
MOST_PLACES = 4096
_FOLDS = 3
_SHARED = 0.2  # weight of the covariance of all places together: a few dozen images do not tell 64×64 numbers
_RIDGE = 0.01


class Mahalanobis(Distance):
    """Distance in standard deviations from the mean of the place; the detector owns it."""

    middle: Tensor
    whitening: Tensor

    def __init__(self, middle: Tensor, whitening: Tensor) -> None:
        super().__init__()
        self.register_buffer("middle", middle)
        self.register_buffer("whitening", whitening)

    def forward(self, features: Tensor) -> Tensor:
        """Give the distances: whiten each place by its own matrix, then take the length."""
        height, width = features.shape[1:3]
        flat = features.reshape(-1, height * width, features.shape[3]).transpose(0, 1) - self.middle[:, None, :]
        white = torch.bmm(flat, self.whitening) / features.shape[3] ** 0.5
        return root((white * white).sum(2)).transpose(0, 1).reshape(-1, height, width)


class Gaussian:
    """Learns means and covariances: owned by the fitting, used from its thread.

    It keeps sums over the images in three folds of pieces, so that a piece can be judged by the two others: memory is
    3 × places × 64² × 8 bytes (77 MB at 224×224), whatever the number of images. Distributions per place follow Defard
    et al., "PaDiM", ICPR 2021; covariances of neighbouring places are averaged, and shrunk towards that of all places.
    """

    def __init__(self, grid: tuple[int, int], dimensions: int) -> None:
        places = grid[0] * grid[1]
        if places > MOST_PLACES:
            raise SettingsError(
                f"--method gaussian: {grid[1]}×{grid[0]} places would take a table of "
                f"{places * dimensions**2 * 4 / 1e6:.0f} MB in the model — at most {MOST_PLACES} places are allowed — "
                "choose a smaller --size or --method memory"
            )
        self._grid = grid
        self._count = torch.zeros(_FOLDS, dtype=torch.float64)
        self._sum = torch.zeros((_FOLDS, places, dimensions), dtype=torch.float64)
        self._square = torch.zeros((_FOLDS, places, dimensions, dimensions), dtype=torch.float64)
        self._others: dict[int, Mahalanobis] = {}

    def add(self, features: Tensor, pieces: Tensor) -> None:
        """Add the images to the sums of their folds."""
        for fold in range(_FOLDS):
            flat = features[pieces % _FOLDS == fold].flatten(1, 2).transpose(0, 1).double()
            self._count[fold] += flat.shape[1]
            self._sum[fold] += flat.sum(1)
            self._square[fold].baddbmm_(flat.transpose(1, 2), flat)

    def finish(self) -> Mahalanobis:
        """Give the judge of all folds, and make ready those that leave one out."""
        for fold in range(_FOLDS):
            self._others[fold] = self._judge([other for other in range(_FOLDS) if other != fold])
        return self._judge(list(range(_FOLDS)))

    def leave_out(self, features: Tensor, pieces: Tensor) -> Tensor:
        """Give the distances by the folds that the piece is not in."""
        apart = torch.empty(features.shape[:3])
        for fold, judge in self._others.items():
            own = pieces % _FOLDS == fold
            apart[own] = judge(features[own])
        return apart

    def _judge(self, folds: list[int]) -> Mahalanobis:
        count = self._count[folds].sum().clamp_min(1.0)
        middle = self._sum[folds].sum(0) / count
        spread = self._square[folds].sum(0) / count - middle[:, :, None] * middle[:, None, :]
        shared = spread.mean(0)
        height, width = self._grid
        size = spread.shape[1]
        table = spread.reshape(1, height, width, size * size).permute(0, 3, 1, 2)
        near = functional.avg_pool2d(table, 3, 1, 1, count_include_pad=False).permute(0, 2, 3, 1).reshape(spread.shape)
        level = shared.diagonal().mean().clamp_min(1e-6)
        cover = (1.0 - _SHARED) * near + _SHARED * shared + _RIDGE * level * torch.eye(size, dtype=torch.float64)
        whitening = torch.linalg.cholesky(torch.linalg.inv(cover))
        return Mahalanobis(middle.float(), whitening.float())
