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

    rows: for each step which images it learns from. masks: uint8 (n, h, w), changed as the images are. Of several
    processes, each makes its share of every batch, with the changes that one process alone would have made.
    """

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        truth: NDArray[np.intp] | NDArray[np.float32],
        rows: Sequence[NDArray[np.intp]],
        settings: TrainSettings,
        epoch: int,
        team: Team,
        masks: NDArray[np.uint8] | None = None,
    ) -> None:
        self._pixels, self._truth, self._rows, self._masks = pixels, truth, rows, masks
        self._settings, self._epoch, self._team = settings, epoch, team
        self._own = threading.local()

    def make(self, step: int) -> tuple[Tensor, ...]:
        """Give a step's changed images, uint8 (n, h, w, c), what is to be learned of them, and the masks, if any."""
        places = range(len(self._rows[step]))[self._team.rank :: self._team.size]
        rows = self._rows[step][places]
        changed = [self._changed(step, place, int(row)) for place, row in zip(places, rows, strict=True)]
        images, *masks = (torch.from_numpy(np.stack(kind)) for kind in zip(*changed, strict=True))
        return images, torch.from_numpy(self._truth[rows]), *masks

    def _changed(self, step: int, place: int, row: int) -> tuple[NDArray[np.uint8], ...]:
        augment = self._augmentation()
        augment.seed(self._settings.seed, self._epoch, step, place)
        if self._masks is None:
            return (augment(self._pixels[row]),)
        return augment.with_mask(self._pixels[row], self._masks[row])

    def _augmentation(self) -> Augmentation:
        if not hasattr(self._own, "augment"):
            self._own.augment = Augmentation(
                flips=self._settings.flips, moves=self._settings.moves, light=self._settings.light
            )
        augment: Augmentation = self._own.augment
        return augment
