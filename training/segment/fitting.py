"""The training loop of a segmenting network: images with their masks, epoch by epoch."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.score import defect_probability
from training.augment import Augmentation
from training.draws import draw_shares, steps_per_epoch
from training.fitting import Epoch
from training.masks import UNKNOWN, cells_of
from training.material import Part
from training.memory import keep_freed_memory
from training.metrics import auroc
from training.segment.deployed import DeployedSegmenter
from training.segment.loss import map_loss, part_loss
from training.settings import TrainSettings

_WEIGHT_DECAY = 0.01
_WARM_UP_SHARE = 0.1
_NEW_LAYERS_FASTER = 10.0  # than a pretrained backbone, which already knows what it sees


class SegmentFitting:
    """One segmenting model being fitted; whoever made it owns it and calls it from one thread.

    Everything random in an epoch comes from (seed, epoch), so that a run which was interrupted between two epochs ends
    with the same weights as one which was not.
    """

    def __init__(self, model: DeployedSegmenter, settings: TrainSettings, *, pretrained: bool) -> None:
        keep_freed_memory()
        torch.set_num_threads(settings.threads)
        torch.use_deterministic_algorithms(True)
        self.model = model.to(memory_format=torch.channels_last)
        self.history: list[Epoch] = []
        self._settings = settings
        self._pretrained = pretrained
        self._augment = Augmentation(flips=settings.flips, moves=settings.moves, light=settings.light)
        self._optimizer = torch.optim.AdamW(self._groups(), lr=settings.lr, weight_decay=_WEIGHT_DECAY)

    def run_epoch(self, part: Part, advance: Callable[[], None]) -> float:
        """Draw, change and learn from one epoch's images; gives the mean loss."""
        number = len(self.history)
        self._augment.seed(self._settings.seed + 1000 * number)
        torch.manual_seed(self._settings.seed + 1000 * number)
        self._train_mode()
        steps = steps_per_epoch(len(part.truth), self._settings.batch_size)
        total = 0.0
        for step, rows in enumerate(self._batches(part.truth, number, steps)):
            self._set_rate((number * steps + step + 1) / (self._settings.epochs * steps))
            total += self._learn(*self._changed(part, rows))
            advance()
        return total / steps

    def close_epoch(self, train_loss: float, part: Part) -> Epoch:
        """Measure the validation images and add the epoch to the history."""
        loss, raw = measure_part(self.model, part, self._settings.batch_size)
        defective = part.truth != 0
        both = bool(defective.any() and not defective.all())
        area = auroc(defect_probability(raw, 0), defective) if both else None
        self.history.append(Epoch(len(self.history) + 1, train_loss, loss, area))
        return self.history[-1]

    def seconds_per_step(self, part: Part) -> float:
        """Time a step on a copy of the model: the quicker of two, after one that is not counted."""
        trial = copy.deepcopy(self.model).eval()
        rows = (np.arange(self._settings.batch_size) % len(part.truth)).astype(np.intp)
        pixels, truth = torch.from_numpy(np.array(part.pixels[rows])), torch.from_numpy(part.truth[rows])
        cells = _cells(np.array(_masks_of(part)[rows]), self.model.network.map_size)
        times_ns = []
        for _ in range(3):
            started_ns = time.monotonic_ns()
            torch.autograd.backward(_loss(trial, pixels, cells, truth))
            times_ns.append(time.monotonic_ns() - started_ns)
        return min(times_ns[1:]) / 1e9

    def state(self) -> dict[str, object]:
        """Give everything that the next epoch depends on."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "history": [epoch.as_dict() for epoch in self.history],
        }

    def restore(self, state: dict[str, object]) -> None:
        """Go back to a state that `state` gave."""
        self.model.load_state_dict(state["model"])  # type: ignore[arg-type]
        self._optimizer.load_state_dict(state["optimizer"])  # type: ignore[arg-type]
        self.history = [Epoch(**fields) for fields in state["history"]]  # type: ignore[attr-defined]

    def _groups(self) -> list[dict[str, object]]:
        """Give the weights to be fitted, the new layers with a faster rate where the others are pretrained."""
        own = {
            id(weights) for weights in (*self.model.network.decoder_parameters(), self.model.gain, self.model.offset)
        }
        trained = [weights for weights in self.model.parameters() if weights.requires_grad]
        faster = _NEW_LAYERS_FASTER if self._pretrained else 1.0
        return [
            {"params": [w for w in trained if id(w) not in own], "faster": 1.0},
            {"params": [w for w in trained if id(w) in own], "faster": faster},
        ]

    def _train_mode(self) -> None:
        self.model.train()
        if self._pretrained:
            # Batches of a few similar parts would overwrite statistics that come from a million photographs.
            for module in self.model.network.stages.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()

    def _batches(self, truth: NDArray[np.intp], number: int, steps: int) -> Iterator[NDArray[np.intp]]:
        random = np.random.default_rng([self._settings.seed, number])
        drawn = random.choice(len(truth), size=steps * self._settings.batch_size, p=draw_shares(truth))
        yield from np.split(drawn.astype(np.intp), steps)

    def _changed(self, part: Part, rows: NDArray[np.intp]) -> tuple[Tensor, Tensor, Tensor]:
        """Give drawn images, changed at random, with their cells and classes."""
        masks = _masks_of(part)
        changed = [self._augment.with_mask(part.pixels[row], masks[row]) for row in rows]
        pixels = torch.from_numpy(np.stack([image for image, _ in changed]))
        cells = _cells(np.stack([mask for _, mask in changed]), self.model.network.map_size)
        return pixels, cells, torch.from_numpy(part.truth[rows])

    def _set_rate(self, progress: float) -> None:
        warm = min(1.0, progress / _WARM_UP_SHARE)
        rate = self._settings.lr * warm * 0.5 * (1.0 + math.cos(math.pi * progress))
        for group in self._optimizer.param_groups:
            group["lr"] = rate * group["faster"]

    def _learn(self, pixels: Tensor, cells: Tensor, truth: Tensor) -> float:
        self._optimizer.zero_grad()
        loss = _loss(self.model, pixels, cells, truth)
        torch.autograd.backward(loss)
        self._optimizer.step()
        return loss.item()


def measure_part(model: DeployedSegmenter, part: Part, batch_size: int) -> tuple[float, NDArray[np.float32]]:
    """Give the mean loss and the scores (n, classes) of unchanged images, in evaluation mode."""
    model.eval()
    scores, total = [], 0.0
    with torch.inference_mode():
        for start in range(0, len(part.truth), batch_size):
            rows = slice(start, start + batch_size)
            logits = model.logits(torch.from_numpy(np.array(part.pixels[rows])))
            cells = _cells(np.array(_masks_of(part)[rows]), model.network.map_size)
            found = model.scores(logits)
            loss = map_loss(logits, cells) + part_loss(found, torch.from_numpy(part.truth[rows]))
            total += loss.item() * len(found)
            scores.append(found.numpy())
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
            cells = _cells(np.array(_masks_of(part)[rows]), model.network.map_size).numpy()
            found = model.cell_odds(model.logits(torch.from_numpy(np.array(part.pixels[rows])))).numpy()
            chosen = (cells != UNKNOWN) & (random.random(cells.shape) < share)
            odds.append(found[chosen])
            truth.append(cells[chosen] > 0)
    told = np.concatenate(odds)
    return np.stack((np.zeros_like(told), told), axis=1), np.concatenate(truth).astype(np.intp)


def _loss(model: DeployedSegmenter, pixels: Tensor, cells: Tensor, truth: Tensor) -> Tensor:
    logits = model.logits(pixels)
    return map_loss(logits, cells) + part_loss(model.scores(logits), truth)


def _cells(masks: NDArray[np.uint8], map_size: tuple[int, int]) -> Tensor:
    return torch.from_numpy(cells_of(masks, *map_size).astype(np.int64))


def _masks_of(part: Part) -> NDArray[np.uint8]:
    if part.masks is None:
        raise ValueError("images without masks cannot be segmented: load them with training.segment.material")
    return part.masks
