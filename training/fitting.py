"""The training loop of every task: step by step, epoch by epoch, from any step on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.memory import keep_freed_memory
from training.draws import seed_of
from training.errors import DivergedError, UnfinishedRunError
from training.hardware import Hardware, device_asked
from training.lesson import Lesson
from training.metrics import auroc
from training.prefetch import prefetch
from training.settings import TrainSettings
from training.team import present_team

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
    """One lesson being learned; whoever made it owns it and calls it from one thread.

    Everything random comes from (seed, epoch, step), so that a run which was interrupted anywhere and went on from
    `state` ends with the same weights as one which was not. Of several processes each learns from its share of every
    batch, and all have the same weights after every step.
    """

    def __init__(self, lesson: Lesson, settings: TrainSettings) -> None:
        keep_freed_memory()
        torch.set_num_threads(settings.threads)
        self._hardware = Hardware(device_asked(settings), settings.amp)
        self.team = present_team()
        self.lesson = lesson.to(self._hardware.device)
        self.model = lesson.kept.to(memory_format=torch.channels_last)
        self._learner: nn.Module | None = None
        self.history: list[Epoch] = []
        self._settings = settings
        self._step, self._loss_sum = 0, 0.0  # of the epoch under way: steps that are done, the sum of their losses
        groups = [{"params": list(pace.weights), "faster": pace.factor} for pace in lesson.paces()]
        self._optimizer = torch.optim.AdamW(groups, lr=settings.lr, weight_decay=_WEIGHT_DECAY)

    def run_epoch(self, advance: Callable[[], None], keep: Callable[[], None] = lambda: None) -> float:
        """Draw, change and learn from one epoch's images, or from what is left of it; gives the mean loss.

        keep: called after each step; `state` of that moment is enough to go on. Raises DivergedError.
        """
        number, steps = len(self.history), self.lesson.steps
        makers = max(1, min(8, self._settings.threads // 2))
        make = self.lesson.maker(number, self.team)
        self.lesson.train_mode()
        with closing(prefetch(make, range(self._step, steps), threads=makers)) as ahead:
            for batch in ahead:
                torch.manual_seed(seed_of(self._settings.seed, number, self._step, self.team.rank))
                self._set_rate((number * steps + self._step + 1) / (self._settings.epochs * steps))
                self._loss_sum += self._finite(self._learn(batch))
                self._step += 1
                advance()
                keep()
        self.team.share_states(self.model)
        return self._loss_sum / steps

    def close_epoch(self, train_loss: float) -> Epoch:
        """Measure the validation images and add the epoch to the history, in the leading process for all."""
        self._step, self._loss_sum = 0, 0.0
        measured = self._measure(train_loss) if self.team.leads else None
        self.history.append(Epoch(**self.team.tell(measured.as_dict() if measured else {})))  # type: ignore[arg-type]
        return self.history[-1]

    def seconds_per_step(self) -> float:
        """Time a step that teaches nothing: the quicker of two, after one that is not counted."""
        batch = [self._hardware.put(given) for given in self.lesson.maker(len(self.history), self.team)(0)]
        self.lesson.eval()
        times_ns = []
        for _ in range(3):
            started_ns = time.monotonic_ns()
            with self._hardware.mixing():
                loss = self.lesson(*batch)
            torch.autograd.backward(loss)
            loss.item()
            times_ns.append(time.monotonic_ns() - started_ns)
        self._optimizer.zero_grad()
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
                f"the state of the unfinished run is not one of {self.lesson.network} with these classes "
                f"({str(error).splitlines()[0]}) — it must be of the same network — begin anew with --restart"
            ) from error

    def _measure(self, train_loss: float) -> Epoch:
        found = self.lesson.measure()
        both = bool(found.defective.any() and not found.defective.all())
        area = auroc(found.probability.astype(np.float64), found.defective) if both else None
        return Epoch(len(self.history) + 1, train_loss, found.loss, area)

    def _set_rate(self, progress: float) -> None:
        warm = min(1.0, progress / _WARM_UP_SHARE)
        rate = self._settings.lr * warm * 0.5 * (1.0 + math.cos(math.pi * progress))
        for group in self._optimizer.param_groups:
            group["lr"] = rate * group["faster"]

    def _finite(self, loss: float) -> float:
        if not math.isfinite(loss):
            raise DivergedError(
                f"epoch {len(self.history) + 1}, step {self._step + 1}: the loss is {loss:g} — the weights ran away, "
                f"as they do with too high a learning rate ({self._settings.lr:g}) — give a lower --lr, and --restart"
            )
        return loss

    def _learn(self, batch: tuple[Tensor, ...]) -> float:
        if self._learner is None:
            self._learner = self.team.together(self.lesson)
        self._optimizer.zero_grad()
        with self._hardware.mixing():
            loss: Tensor = self._learner(*(self._hardware.put(given) for given in batch))
        self._hardware.descend(loss, self._optimizer)
        return loss.item()
