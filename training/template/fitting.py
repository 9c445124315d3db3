"""The loop that fits the comparing network, and what makes its scores frequencies."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.score import defect_probability
from training.draws import MIN_DRAWS
from training.fitting import Epoch
from training.memory import keep_freed_memory
from training.metrics import auroc
from training.odds import fit_odds_among
from training.settings import TrainSettings
from training.template.crops import Aligned, Batch, draw
from training.template.locate import filled_up
from training.template.model import Aligned as OnGolden
from training.template.model import Comparing
from training.template.network import GRAIN, ComparingNetwork
from training.template.tolerance import difference

_RATE = 4.0  # times the rate of the settings, which suits networks twenty times as large
_WEIGHT_DECAY = 0.01
_FEW = 4
_CROPS_OF_A_PHOTO = 2
_WARM_UP_SHARE = 0.1
_HARDEST = 0.01  # share of the good cells of a batch that count once more
_HARDEST_WEIGHT = 0.1
_DEFECT_WEIGHT = 2.0
_SHARPNESS = 0.05  # of 0..1; noise differs by less, missing or extra material by several times that
_GAINS = np.exp(np.linspace(math.log(0.2), math.log(5.0), 60))


class Fitting:
    """One comparing network being fitted; whoever made it owns it and calls it from one thread.

    Everything random in an epoch comes from (seed, epoch), so that a run which was interrupted between two epochs ends
    with the same weights as one which was not.
    """

    def __init__(self, model: Comparing, network: ComparingNetwork, settings: TrainSettings) -> None:
        keep_freed_memory()
        torch.set_num_threads(settings.threads)
        torch.use_deterministic_algorithms(True)
        self.model, self.network = model, network
        self.history: list[Epoch] = []
        self._settings = settings
        self._optimizer = torch.optim.AdamW(network.parameters(), lr=settings.lr, weight_decay=_WEIGHT_DECAY)

    def run_epoch(self, aligned: Aligned, advance: Callable[[], None]) -> float:
        """Draw and learn from one epoch's crops; gives the mean loss."""
        number, settings = len(self.history), self._settings
        torch.manual_seed(settings.seed + 1000 * number)
        self.network.train()
        steps = steps_of(len(aligned.rows), settings.batch_size)
        total = 0.0
        batches = draw(
            aligned, settings.seed, number, steps, settings.batch_size, flips=settings.flips, moves=settings.moves
        )
        for step, batch in enumerate(batches):
            self._set_rate((number * steps + step + 1) / (settings.epochs * steps))
            self._optimizer.zero_grad()
            loss = loss_of(self.network, batch)
            torch.autograd.backward(loss)
            self._optimizer.step()
            total += loss.item()
            advance()
        return total / steps

    def close_epoch(self, train_loss: float, shown: Sequence[Shown], defective: NDArray[np.bool_]) -> Epoch:
        """Measure validation photos, which `show` aligned once, as parts and add the epoch to the history."""
        self.model.eval()
        with torch.inference_mode():
            found = [photos.whole() for photos in shown]
            raw = np.concatenate([self.model.judged(one, self.model.cells(one))[0].numpy() for one in found])
        probability = np.clip(defect_probability(raw, 0), 1e-7, 1 - 1e-7)
        loss = float(-np.where(defective, np.log(probability), np.log(1 - probability)).mean())
        both = bool(defective.any() and not defective.all())
        area = auroc(probability, defective) if both else None
        self.history.append(Epoch(len(self.history) + 1, train_loss, loss, area))
        return self.history[-1]

    def state(self) -> dict[str, object]:
        """Give everything that the next epoch depends on."""
        return {
            "model": self.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "history": [epoch.as_dict() for epoch in self.history],
        }

    def restore(self, state: dict[str, object]) -> None:
        """Go back to a state that `state` gave."""
        self.network.load_state_dict(state["model"])  # type: ignore[arg-type]
        self._optimizer.load_state_dict(state["optimizer"])  # type: ignore[arg-type]
        self.history = [Epoch(**fields) for fields in state["history"]]  # type: ignore[attr-defined]

    def _set_rate(self, progress: float) -> None:
        warm = min(1.0, progress / _WARM_UP_SHARE)
        for group in self._optimizer.param_groups:
            group["lr"] = _RATE * self._settings.lr * warm * 0.5 * (1.0 + math.cos(math.pi * progress))


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


def steps_of(photos: int, batch_size: int) -> int:
    """Give the steps of an epoch: two crops of each photo, of a handful more."""
    return math.ceil(max(_CROPS_OF_A_PHOTO * photos, MIN_DRAWS) / batch_size)


def loss_of(network: nn.Module, batch: Batch) -> Tensor:
    """Give the loss of a step: of each cell where marks tell what it shows, of the whole photo where they do not.

    The hundredth of the good cells that looks worst counts once more, since the worst cell alone rejects a part.
    """
    # Both kinds go through the network at once: normalised by its own batch each would be told apart by that alone.
    logits = network(filled_up(batch.planes, GRAIN))[:, :, : batch.cells.shape[1], : batch.cells.shape[2]]
    total = torch.zeros(())
    if batch.marked.any():
        total = total + _loss_of_cells(logits[batch.marked], batch.cells[batch.marked])
    if not batch.marked.all():
        odds = (logits[:, 1:] - logits[:, :1])[~batch.marked]
        parts = where_it_differs(odds, difference(batch.planes[~batch.marked]))
        wanted = batch.types[~batch.marked].float()
        total = total + functional.binary_cross_entropy_with_logits(parts, wanted)
    return total


def where_it_differs(odds: Tensor, differences: Tensor) -> Tensor:
    """Give the odds of photos (n, types), the mean over cells weighed by how much each differs from the golden image.

    odds: (n, types, h, w); differences: (n, 1, h, w), 0..1. Nobody marked where the defect is, but it is where the
    photo differs most; the worst odds of all cells taught nothing in the first 64 steps.
    """
    weights = torch.softmax(differences.flatten(2) / _SHARPNESS, 2)
    return (odds.flatten(2) * weights).sum(2)


def _loss_of_cells(logits: Tensor, cells: Tensor) -> Tensor:
    losses = functional.cross_entropy(logits, cells, reduction="none")
    good, defects = losses[cells == 0], losses[cells > 0]
    total = (good.sum() + _DEFECT_WEIGHT * defects.sum()) / cells.numel()
    if good.numel():
        total = total + _HARDEST_WEIGHT * good.topk(max(1, int(_HARDEST * good.numel()))).values.mean()
    return total


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A line through the log odds of parts: a plain value. Their logit becomes gain · logit + offset."""

    gain: float
    offset: float


def calibrate(raw: NDArray[np.float32], defective: NDArray[np.bool_]) -> Calibrated:
    """Fit the logit of the defect probability to how often parts are defective.

    raw: scores (n, classes), the good class first; both kinds of parts weigh the same. The gain stays within 0.2..5.
    """
    scores = raw[:, 1:].astype(np.float64)
    top = scores.max(1)
    logits = top + np.log(np.exp(scores - top[:, None]).sum(1))
    return Calibrated(*fit_odds_among(_GAINS, logits, defective, balanced=True))
