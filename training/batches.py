"""The changed images of each step, from (seed, epoch, step, place in the batch) alone, whoever makes them and when."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.augment import Augmentation
from training.settings import TrainSettings
from training.team import Team


class Batches:
    """The batches of one epoch; `make` may be called from several threads at once, in any order.

    rows: for each step which images it learns from. Of several processes, each makes its share of every batch, with the
    changes that one process alone would have made.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        truth: NDArray[np.intp] | NDArray[np.float32],
        rows: Sequence[NDArray[np.intp]],
        settings: TrainSettings,
        epoch: int,
        team: Team,
    ) -> None:
        self._pixels, self._truth, self._rows = pixels, truth, rows
        self._settings, self._epoch, self._team = settings, epoch, team
        self._own = threading.local()

    def make(self, step: int) -> tuple[Tensor, Tensor]:
        """Give the changed images of a step, uint8 (n, h, w, c), and what is to be learned of them."""
        places = range(len(self._rows[step]))[self._team.rank :: self._team.size]
        rows = self._rows[step][places]
        augment = self._augmentation()
        changed = []
        for place, row in zip(places, rows, strict=True):
            augment.seed(self._settings.seed, self._epoch, step, place)
            changed.append(augment(self._pixels[row]))
        return torch.from_numpy(np.stack(changed)), torch.from_numpy(self._truth[rows])

    def _augmentation(self) -> Augmentation:
        if not hasattr(self._own, "augment"):
            self._own.augment = Augmentation(
                flips=self._settings.flips, moves=self._settings.moves, light=self._settings.light
            )
        augment: Augmentation = self._own.augment
        return augment


def seed_of(*numbers: int) -> int:
    """Give the 32 bit seed that belongs to these numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
