"""What is learned of masks: changed images with the class of each cell and of the part."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.score import defect_probability
from training.batches import Batches
from training.draws import draw_rows, steps_per_epoch
from training.lesson import Lesson, Measured, Pace, train_but_statistics
from training.masks import UNKNOWN, cells_of
from training.material import Part
from training.segment.deployed import DeployedSegmenter
from training.segment.loss import map_loss, part_loss
from training.settings import TrainSettings
from training.team import Team

_NEW_LAYERS_FASTER = 10.0  # than a pretrained backbone, which already knows what it sees


class MapLesson(Lesson):
    """Images with their masks; the good class is the first one. Owned by one fitting."""

    def __init__(
        self, model: DeployedSegmenter, settings: TrainSettings, train: Part, validation: Part, *, pretrained: bool
    ) -> None:
        super().__init__()
        self.model = model
        self.network = f"{settings.backbone} with a feature pyramid"
        self.steps = steps_per_epoch(len(train.truth), settings.batch_size)
        self._settings, self._train, self._validation = settings, train, validation
        self._pretrained = pretrained

    @property
    def kept(self) -> DeployedSegmenter:
        """Give the model."""
        return self.model

    def forward(self, pixels: Tensor, cells: Tensor, truth: Tensor) -> Tensor:
        """Give the loss of uint8 (n, h, w, c) with the classes of cells (n, map height, map width) and parts (n,)."""
        logits = self.model.logits(pixels)
        return map_loss(logits, cells) + part_loss(self.model.scores(logits), truth)

    def paces(self) -> Iterator[Pace]:
        """Give the weights that are not frozen, the new layers faster where the others are pretrained."""
        own = {
            id(weights) for weights in (*self.model.network.decoder_parameters(), self.model.gain, self.model.offset)
        }
        learned = [weights for weights in self.model.parameters() if weights.requires_grad]
        yield Pace(tuple(weights for weights in learned if id(weights) not in own))
        faster = _NEW_LAYERS_FASTER if self._pretrained else 1.0
        yield Pace(tuple(weights for weights in learned if id(weights) in own), faster)

    def maker(self, epoch: int, team: Team) -> Callable[[int], tuple[Tensor, ...]]:
        """Give what makes the batch of a step: pixels, cells and classes."""
        part = self._train
        rows = draw_rows(part.truth, self.steps, self._settings.batch_size, [self._settings.seed, epoch])
        batches = Batches(part.pixels, part.truth, rows, self._settings, epoch, team, masks_of(part))

        def make(step: int) -> tuple[Tensor, ...]:
            pixels, truth, masks = batches.make(step)
            return pixels, _cells(masks.numpy(), self.model.network.map_size), truth

        return make

    def train_mode(self) -> None:
        """Prepare the modules for learning."""
        train_but_statistics(self.model, self.model.network.stages if self._pretrained else None)

    def measure(self) -> Measured:
        """Measure the validation images."""
        loss, raw = measure_part(self.model, self._validation, self._settings.batch_size)
        return Measured(loss, defect_probability(raw, 0), self._validation.truth != 0)


def measure_part(model: DeployedSegmenter, part: Part, batch_size: int) -> tuple[float, NDArray[np.float32]]:
    """Give the mean loss and the scores (n, classes) of unchanged images, in evaluation mode."""
    model.eval()
    device = model.mean.device
    scores, total = [], 0.0
    with torch.inference_mode():
        for start in range(0, len(part.truth), batch_size):
            rows = slice(start, start + batch_size)
            logits = model.logits(torch.from_numpy(np.array(part.pixels[rows])).to(device))
            cells = _cells(np.array(masks_of(part)[rows]), model.network.map_size).to(device)
            found = model.scores(logits)
            loss = map_loss(logits, cells) + part_loss(found, torch.from_numpy(part.truth[rows]).to(device))
            total += loss.item() * len(found)
            scores.append(found.cpu().numpy())
    return total / max(1, len(part.truth)), np.concatenate(scores)


def sample_cells(
    model: DeployedSegmenter, part: Part, batch_size: int, count: int = 20_000
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Give the odds of about `count` known cells of unchanged images as scores (k, 2), and whether each is defective.

    Every image gives as many cells, always the same ones.
    """
    model.eval()
    random = np.random.default_rng(0)
    share = min(1.0, count / max(1, len(part.truth) * math.prod(model.network.map_size)))
    odds: list[NDArray[np.float32]] = []
    truth: list[NDArray[np.bool_]] = []
    with torch.inference_mode():
        for start in range(0, len(part.truth), batch_size):
            rows = slice(start, start + batch_size)
            cells = _cells(np.array(masks_of(part)[rows]), model.network.map_size).numpy()
            found = model.cell_odds(model.logits(torch.from_numpy(np.array(part.pixels[rows])))).numpy()
            chosen = (cells != UNKNOWN) & (random.random(cells.shape) < share)
            odds.append(found[chosen])
            truth.append(cells[chosen] > 0)
    told = np.concatenate(odds)
    return np.stack((np.zeros_like(told), told), axis=1), np.concatenate(truth).astype(np.intp)


def _cells(masks: NDArray[np.uint8], map_size: tuple[int, int]) -> Tensor:
    return torch.from_numpy(cells_of(masks, *map_size).astype(np.int64))


def masks_of(part: Part) -> NDArray[np.uint8]:
    """Give the masks of a part; raise ValueError where it was loaded without."""
    if part.masks is None:
        raise ValueError("images without masks cannot be segmented: load them with training.segment.material")
    return part.masks
