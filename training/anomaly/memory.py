"""The method 'memory': a fixed number of remembered places; a place is as strange as its nearest ones are far."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from training.anomaly.judge import Distance, squared_distances

REMEMBERED = 1000
NEIGHBOURS = 3  # one remembered place may be odd itself; of three, two have to be, too
WAITING = 20_000  # places that are held before they are thinned out: 10 MB at 128 dimensions
_FAR = 1e9


class Nearest(Distance):
    """Mean Euclidean distance to the three nearest remembered places; the detector owns it."""

    twice: Tensor
    squares: Tensor

    def __init__(self, known: Tensor) -> None:
        super().__init__()
        self.register_buffer("twice", -2.0 * known)
        self.register_buffer("squares", (known * known).sum(1))
        self._remembered = len(known)  # a number to the exporter, which would follow a shape

    def forward(self, features: Tensor) -> Tensor:
        """Give the distances as |a|² + (|b|² - 2ab): one matrix product, whatever the batch."""
        flat = features.reshape(-1, features.shape[3])
        apart = functional.linear(flat, self.twice, self.squares)
        return _mean_of_nearest(apart, flat, self._remembered).reshape(-1, features.shape[1], features.shape[2])


class Memory:
    """Learns a coreset: owned by the fitting, used from its thread.

    From each image `per_image` places are drawn. They wait, at most `WAITING`; whenever these are full they are thinned
    out to `REMEMBERED` by taking the place farthest from all taken ones, again and again (Gonzalez 1985: the cover
    radius is at most twice the best), and these stay beside what comes next. So a rare look of a good part is kept
    however many images follow, and memory does not grow with them. The idea of a coreset of patches is that of Roth et
    al., "Towards total recall in industrial anomaly detection", CVPR 2022.
    """

    def __init__(self, dimensions: int, per_image: int, seed: int) -> None:
        self._per_image = per_image
        self._random = torch.Generator().manual_seed(seed)
        self._known = torch.empty((WAITING, dimensions))
        self._pieces = torch.empty(WAITING, dtype=torch.long)
        self._count = 0

    def add(self, features: Tensor, pieces: Tensor) -> None:
        """Draw places of each image and let them wait."""
        for image, piece in zip(features, pieces.tolist(), strict=True):
            flat = image.reshape(-1, image.shape[2])
            drawn = flat[torch.randperm(len(flat), generator=self._random)[: self._per_image]]
            for begin in range(0, len(drawn), WAITING - REMEMBERED):
                self._wait(drawn[begin : begin + WAITING - REMEMBERED], piece)

    def finish(self) -> Nearest:
        """Thin out what waits and give the judge of it."""
        self._thin_out()
        return Nearest(self._known[: self._count].clone())

    def leave_out(self, features: Tensor, pieces: Tensor) -> Tensor:
        """Give the distances to the remembered places of other pieces."""
        flat = features.reshape(-1, features.shape[3])
        apart = squared_distances(flat, self._known[: self._count])
        own = (
            pieces.repeat_interleave(features.shape[1] * features.shape[2])[:, None]
            == self._pieces[None, : self._count]
        )
        return _mean_of_nearest(apart.masked_fill_(own, _FAR), flat, self._count).reshape(features.shape[:3])

    def _wait(self, places: Tensor, piece: int) -> None:
        if self._count + len(places) > WAITING:
            self._thin_out()
        end = self._count + len(places)
        self._known[self._count : end] = places
        self._pieces[self._count : end] = piece
        self._count = end

    def _thin_out(self) -> None:
        chosen = spread_out(self._known[: self._count], REMEMBERED)
        self._count = len(chosen)
        self._known[: self._count], self._pieces[: self._count] = self._known[chosen], self._pieces[chosen]


def spread_out(rows: Tensor, count: int) -> Tensor:
    """Choose `count` of the rows (n, d), the first one and then always the one farthest from all chosen ones."""
    if len(rows) <= count:
        return torch.arange(len(rows))
    squares = (rows * rows).sum(1)
    apart = torch.full((len(rows),), float("inf"))
    chosen = [0]
    while len(chosen) < count:
        last = chosen[-1]
        apart = torch.minimum(apart, squares + squares[last] - 2.0 * (rows @ rows[last]))
        chosen.append(int(apart.argmax()))
    return torch.tensor(chosen)


def _mean_of_nearest(apart: Tensor, flat: Tensor, remembered: int) -> Tensor:
    """Give the mean distance (n,) of features (n, d) to their nearest places, of |b|² - 2ab (n, remembered)."""
    nearest = apart.topk(min(NEIGHBOURS, remembered), 1, largest=False).values + (flat * flat).sum(1, keepdim=True)
    return root(nearest).mean(1)


def root(square: Tensor) -> Tensor:
    """Give the root; what is left of a difference of equal numbers counts as a thousandth."""
    return square.clamp_min(1e-6).sqrt()
