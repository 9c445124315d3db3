"""What is learned of classes: changed images, and which of the classes each of them shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from models.score import defect_probability
from training.batches import Batches
from training.deployed import Deployed
from training.draws import Truth, draw_rows, steps_per_epoch
from training.forward import Pixels, score_pixels
from training.lesson import Lesson, Measured, Pace, train_but_statistics
from training.settings import TrainSettings
from training.team import Team


class ClassLesson(Lesson):
    """Images uint8 (n, h, w, c) and their classes (n,) or shares of several (n, classes); owned by one fitting.

    train: what is learned from; validation: what each epoch is measured by.
    """

    def __init__(
        self,
        model: Deployed,
        settings: TrainSettings,
        train: tuple[Pixels, Truth],
        validation: tuple[Pixels, Truth],
        *,
        pretrained: bool,
        good_index: int,
    ) -> None:
        super().__init__()
        self.model = model
        self.network = settings.backbone
        self.steps = steps_per_epoch(len(train[1]), settings.batch_size)
        self._settings, self._train, self._validation = settings, train, validation
        self._pretrained, self._good_index = pretrained, good_index

    @property
    def kept(self) -> Deployed:
        """Give the model."""
        return self.model

    def forward(self, pixels: Tensor, wanted: Tensor) -> Tensor:
        """Give the loss of uint8 (n, h, w, c) whose classes are wanted, (n,) or shares (n, classes)."""
        return nn.functional.cross_entropy(self.model(pixels), wanted)

    def paces(self) -> Iterator[Pace]:
        """Give the weights that are not frozen."""
        yield Pace(tuple(weights for weights in self.model.parameters() if weights.requires_grad))

    def maker(self, epoch: int, team: Team) -> Callable[[int], tuple[Tensor, ...]]:
        """Give what makes the batch of a step: pixels and what is wanted."""
        pixels, truth = self._train
        rows = draw_rows(truth, self.steps, self._settings.batch_size, [self._settings.seed, epoch])
        return Batches(pixels, truth, rows, self._settings, epoch, team).make

    def train_mode(self) -> None:
        """Prepare the modules for learning."""
        train_but_statistics(self.model, self.model if self._pretrained else None)

    def measure(self) -> Measured:
        """Measure the validation images."""
        pixels, truth = self._validation
        raw = score_pixels(self.model, pixels, self._settings.batch_size)
        loss = nn.functional.cross_entropy(torch.from_numpy(raw), torch.from_numpy(truth)).item()
        defective = truth != self._good_index if truth.ndim == 1 else truth[:, self._good_index] == 0
        return Measured(loss, defect_probability(raw, self._good_index), np.asarray(defective))
