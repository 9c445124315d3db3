"""The training loop: all layers that are not frozen, step by step, epoch by epoch."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.score import defect_probability
from training.batches import Batches, seed_of
from training.deployed import Deployed
from training.draws import Truth, draw_rows, steps_per_epoch
from training.errors import UnfinishedRunError
from training.hardware import Hardware
from training.memory import keep_freed_memory
from training.metrics import auroc
from training.prefetch import prefetch
from training.settings import TrainSettings
from training.team import present_team

Pixels = NDArray[np.uint8]

_WEIGHT_DECAY = 0.01
_WARM_UP_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch came to: a plain value. validation_auroc is None where one kind of part is missing."""

    number: int
    train_loss: float
    validation_loss: float
    validation_auroc: float | None

    def as_dict(self) -> dict[str, float | int | None]:
        """Give the fields by name."""
        return asdict(self)


class Fitting:
    """One model being fitted; whoever made it owns it and calls it from one thread.

    Everything random comes from (seed, epoch, step), so that a run which was interrupted anywhere and went on from
    `state` ends with the same weights as one which was not. Of several processes each learns from its share of every
    batch, and all have the same weights after every step.
    """

    def __init__(self, model: Deployed, settings: TrainSettings, *, pretrained: bool, good_index: int) -> None:
        keep_freed_memory()
        torch.set_num_threads(settings.threads)
        self._hardware = Hardware(settings.device, settings.amp)
        self._team = present_team()
        self.model = model.to(self._hardware.device).to(memory_format=torch.channels_last)
        self._learner: nn.Module | None = None
        self.history: list[Epoch] = []
        self._settings, self._pretrained, self._good_index = settings, pretrained, good_index
        self._step, self._loss_sum = 0, 0.0  # of the epoch under way: steps that are done, the sum of their losses
        trained = [weights for weights in model.parameters() if weights.requires_grad]
        self._optimizer = torch.optim.AdamW(trained, lr=settings.lr, weight_decay=_WEIGHT_DECAY)

    def run_epoch(
        self, pixels: Pixels, truth: Truth, advance: Callable[[], None], keep: Callable[[], None] = lambda: None
    ) -> float:
        """Draw, change and learn from one epoch's images, or from what is left of it; gives the mean loss.

        keep: called after each step; `state` of that moment is enough to go on.
        """
        number, size = len(self.history), self._settings.batch_size
        steps = steps_per_epoch(len(truth), size)
        rows = draw_rows(truth, steps, size, [self._settings.seed, number])
        batches = Batches(pixels, truth, rows, self._settings, number, self._team)
        makers = max(1, min(8, self._settings.threads // 2))
        self._train_mode()
        with closing(prefetch(batches.make, range(self._step, steps), threads=makers)) as ahead:
            for batch, wanted in ahead:
                torch.manual_seed(seed_of(self._settings.seed, number, self._step, self._team.rank))
                self._set_rate((number * steps + self._step + 1) / (self._settings.epochs * steps))
                self._loss_sum += self._learn(batch, wanted)
                self._step += 1
                advance()
                keep()
        self._team.share_states(self.model)
        return self._loss_sum / steps

    def close_epoch(self, train_loss: float, pixels: Pixels, truth: Truth) -> Epoch:
        """Measure the validation images and add the epoch to the history, in the leading process for all."""
        self._step, self._loss_sum = 0, 0.0
        measured = self._measure(train_loss, pixels, truth) if self._team.leads else None
        self.history.append(Epoch(**self._team.tell(measured.as_dict() if measured else {})))  # type: ignore[arg-type]
        return self.history[-1]

    def _measure(self, train_loss: float, pixels: Pixels, truth: Truth) -> Epoch:
        raw = score_pixels(self.model, pixels, self._settings.batch_size)
        loss = nn.functional.cross_entropy(torch.from_numpy(raw), torch.from_numpy(truth)).item()
        defective = truth != self._good_index if truth.ndim == 1 else truth[:, self._good_index] == 0
        both = bool(defective.any() and not defective.all())
        area = auroc(defect_probability(raw, self._good_index), defective) if both else None
        return Epoch(len(self.history) + 1, train_loss, loss, area)

    def seconds_per_step(self, pixels: Pixels, truth: Truth) -> float:
        """Time a step on a copy of the model: the quicker of two, after one that is not counted."""
        trial = copy.deepcopy(self.model).eval()
        rows = np.arange(self._settings.batch_size) % len(truth)
        batch, wanted = map(self._hardware.put, (torch.from_numpy(pixels[rows]), torch.from_numpy(truth[rows])))
        times_ns = []
        for _ in range(3):
            started_ns = time.monotonic_ns()
            with self._hardware.mixing():
                loss = nn.functional.cross_entropy(trial(batch), wanted)
            torch.autograd.backward(loss)
            loss.item()
            times_ns.append(time.monotonic_ns() - started_ns)
        return min(times_ns[1:]) / 1e9

    @property
    def steps_done(self) -> int:
        """Give how many steps of the epoch under way are done: more than none after an interruption."""
        return self._step

    @property
    def rate(self) -> float:
        """Give the learning rate of the last step."""
        return float(self._optimizer.param_groups[0]["lr"])

    def state(self) -> dict[str, object]:
        """Give everything that the next step depends on."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "history": [epoch.as_dict() for epoch in self.history],
            "step": self._step,
            "loss_sum": self._loss_sum,
            "scaler": self._hardware.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state that `state` gave; raise UnfinishedRunError for one of another network."""
        try:
            self.model.load_state_dict(state["model"])
            self._optimizer.load_state_dict(state["optimizer"])
            self.history = [Epoch(**fields) for fields in state["history"]]
            self._step, self._loss_sum = int(state["step"]), float(state["loss_sum"])
            self._hardware.restore(state["scaler"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise UnfinishedRunError(
                f"the state of the unfinished run is not one of {self._settings.backbone} with these classes "
                f"({str(error).splitlines()[0]}) — it must be of the same network — begin anew with --restart"
            ) from error

    def _train_mode(self) -> None:
        self.model.train()
        if self._pretrained:
            # Batches of a few similar parts would overwrite statistics that come from a million photographs.
            for module in self.model.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()

    def _set_rate(self, progress: float) -> None:
        warm = min(1.0, progress / _WARM_UP_SHARE)
        for group in self._optimizer.param_groups:
            group["lr"] = self._settings.lr * warm * 0.5 * (1.0 + math.cos(math.pi * progress))

    def _learn(self, batch: Tensor, wanted: Tensor) -> float:
        if self._learner is None:
            self._learner = self._team.together(self.model)
        self._optimizer.zero_grad()
        with self._hardware.mixing():
            loss = nn.functional.cross_entropy(self._learner(self._hardware.put(batch)), self._hardware.put(wanted))
        self._hardware.descend(loss, self._optimizer)
        return loss.item()


def score_pixels(
    model: Deployed, pixels: Pixels, batch_size: int, advance: Callable[[], None] = lambda: None
) -> NDArray[np.float32]:
    """Score uint8 (n, h, w, c) in evaluation mode: raw scores float32 (n, classes)."""
    model.eval()
    scores: list[NDArray[np.float32]] = []
    with torch.inference_mode():
        for start in range(0, len(pixels), batch_size):
            batch = torch.from_numpy(np.array(pixels[start : start + batch_size]))
            scores.append(model(batch.to(model.mean.device)).cpu().numpy())
            advance()
    return np.concatenate(scores)


def run_outputs(model: nn.Module, pixels: Pixels, batch_size: int) -> tuple[NDArray[np.float32], ...]:
    """Give all that a model says of uint8 (n, h, w, c) in evaluation mode, the scores (n, classes) first."""
    model.eval()
    found: list[tuple[Tensor, ...]] = []
    with torch.inference_mode():
        for start in range(0, len(pixels), batch_size):
            given = model(torch.from_numpy(np.array(pixels[start : start + batch_size])))
            found.append(given if isinstance(given, tuple) else (given,))
    return tuple(torch.cat(parts).numpy() for parts in zip(*found, strict=True))


def run_module(
    model: nn.Module, pixels: Pixels, batch_size: int
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Give the scores (n, classes) of uint8 (n, h, w, c) in evaluation mode and, where the model has one, the map.

    The model tells no novelty yet.
    """
    given = run_outputs(model, pixels, batch_size)
    return given[0], given[1] if len(given) > 1 else None


def fit_temperature(raw: NDArray[np.float32], truth: Truth) -> float:
    """Give the divisor of the scores (n, classes) that makes their softmax likeliest, within 0.5..5.

    Source: temperature scaling, Guo et al., ICML 2017. The bounds keep a small sample without mistakes from claiming
    certainty.
    """
    divisors = np.exp(np.linspace(math.log(0.5), math.log(5.0), 200))
    scores, wanted = torch.from_numpy(raw), torch.from_numpy(truth)
    losses: Sequence[float] = [nn.functional.cross_entropy(scores / float(t), wanted).item() for t in divisors]
    return float(divisors[int(np.argmin(losses))])
