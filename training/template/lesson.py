"""What is learned of golden images: crops of photos on them, judged cell by cell."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.score import defect_probability
from training.draws import MIN_DRAWS
from training.lesson import Lesson, Measured, Pace
from training.material import Part
from training.settings import TrainSettings
from training.team import Team
from training.template.crops import Aligned, Batch, Crops
from training.template.loss import loss_of
from training.template.model import Aligned as OnGolden
from training.template.model import Comparing
from training.template.network import NAME, ComparingNetwork

_RATE = 4.0  # times the rate of the settings, which suits networks twenty times as large
_FEW = 4
_CROPS_OF_A_PHOTO = 2
_LOOKED_AT = 48  # validation photos after each epoch; all of them at the end


class CompareLesson(Lesson):
    """Training photos on their golden images, and validation photos as they are; owned by one fitting.

    Only the comparing network of the model is learned and kept: the golden images are those of the photos.
    """

    def __init__(
        self, model: Comparing, network: ComparingNetwork, settings: TrainSettings, aligned: Aligned, validation: Part
    ) -> None:
        super().__init__()
        self.model, self.compare = model, network
        self.network = NAME
        self.steps = math.ceil(max(_CROPS_OF_A_PHOTO * len(aligned.rows), MIN_DRAWS) / settings.batch_size)
        self._settings, self._aligned = settings, aligned
        looked = np.unique(np.linspace(0, len(validation.truth) - 1, _LOOKED_AT).round().astype(np.intp))
        self._shown, self._defective = show(model, validation.pixels[looked]), validation.truth[looked] != 0

    @property
    def kept(self) -> ComparingNetwork:
        """Give the comparing network."""
        return self.compare

    def forward(self, planes: Tensor, cells: Tensor, marked: Tensor, types: Tensor) -> Tensor:
        """Give the loss of the crops of a `Batch`."""
        return loss_of(self.compare, Batch(planes, cells, marked, types))

    def paces(self) -> Iterator[Pace]:
        """Give the weights of the comparing network."""
        yield Pace(tuple(self.compare.parameters()), _RATE)

    def maker(self, epoch: int, team: Team) -> Callable[[int], tuple[Tensor, ...]]:
        """Give what makes the crops of a step, in the order of a `Batch`."""
        crops = Crops(self._aligned, self._settings, epoch, team)
        return lambda step: crops.make(step).tensors()

    def train_mode(self) -> None:
        """Prepare the comparing network for learning."""
        self.compare.train()

    def measure(self) -> Measured:
        """Measure some validation photos as parts."""
        self.model.eval()
        with torch.inference_mode():
            found = [photos.whole() for photos in self._shown]
            raw = np.concatenate([self.model.judged(one, self.model.cells(one))[0].numpy() for one in found])
        probability = np.clip(defect_probability(raw, 0), 1e-7, 1 - 1e-7)
        loss = float(-np.where(self._defective, np.log(probability), np.log(1 - probability)).mean())
        return Measured(loss, probability, self._defective)


class Shown:
    """A few photos on their golden images, a byte a value, so that they are aligned once; `show` makes them."""

    def __init__(self, aligned: OnGolden) -> None:
        self._kept = replace(aligned, level=aligned.level.round().byte(), golden=aligned.golden.byte())

    def whole(self) -> OnGolden:
        """Give them as the model compares them."""
        return replace(self._kept, level=self._kept.level.float(), golden=self._kept.golden.float())


def show(model: Comparing, pixels: NDArray[np.uint8]) -> tuple[Shown, ...]:
    """Align photos uint8 (n, h, w, c) a few at a time."""
    with torch.inference_mode():
        starts = range(0, len(pixels), _FEW)
        return tuple(Shown(model.align(torch.from_numpy(np.array(pixels[at : at + _FEW])))) for at in starts)
