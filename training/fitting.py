"""The training loop: a new head on frozen features first, then all layers that are not frozen, epoch by epoch."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.score import defect_probability
from training.augment import Augmentation
from training.deployed import Deployed
from training.memory import keep_freed_memory
from training.metrics import auroc
from training.network import head_of
from training.settings import TrainSettings

Pixels = NDArray[np.uint8]
Truth = NDArray[np.intp] | NDArray[np.float32]  # class of each image (n,), or shares (n, classes) of several types

MIN_DRAWS = 256  # a handful of photos still gets enough steps per epoch
_HEAD_STEPS = 300
_HEAD_LR = 0.01
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

    Everything random in an epoch comes from (seed, epoch), so that a run which was interrupted between two epochs ends
    with the same weights as one which was not.
    """

    def __init__(self, model: Deployed, settings: TrainSettings, *, pretrained: bool, good_index: int) -> None:
        keep_freed_memory()
        torch.set_num_threads(settings.threads)
        torch.use_deterministic_algorithms(True)
        self.model = model.to(memory_format=torch.channels_last)
        self.history: list[Epoch] = []
        self._settings = settings
        self._pretrained = pretrained
        self._good_index = good_index
        self._augment = Augmentation(flips=settings.flips, moves=settings.moves, light=settings.light)
        trained = [weights for weights in model.parameters() if weights.requires_grad]
        self._optimizer = torch.optim.AdamW(trained, lr=settings.lr, weight_decay=_WEIGHT_DECAY)

    def start_head(self, pixels: Pixels, truth: Truth, advance: Callable[[], None]) -> None:
        """Fit the head alone on the features of the training images; pretrained weights only.

        A random head would send large wrong gradients through good weights in the first steps.
        """
        head = head_of(self.model.network, self._settings.backbone)
        features = []
        hook = head.register_forward_pre_hook(lambda _module, inputs: features.append(inputs[0].detach()))
        score_pixels(self.model, pixels, self._settings.batch_size, advance)
        hook.remove()
        inputs, wanted = torch.cat(features).clone(), torch.from_numpy(truth)
        share = torch.from_numpy(draw_shares(truth)).float()
        optimizer = torch.optim.AdamW(head.parameters(), lr=_HEAD_LR, weight_decay=_WEIGHT_DECAY)
        for _ in range(_HEAD_STEPS):
            optimizer.zero_grad()
            losses = nn.functional.cross_entropy(head(inputs), wanted, reduction="none")
            torch.autograd.backward((losses * share).sum())
            optimizer.step()

    def run_epoch(self, pixels: Pixels, truth: Truth, advance: Callable[[], None]) -> float:
        """Draw, change and learn from one epoch's images; gives the mean loss."""
        number = len(self.history)
        self._augment.seed(self._settings.seed + 1000 * number)
        torch.manual_seed(self._settings.seed + 1000 * number)
        self._train_mode()
        steps = steps_per_epoch(len(truth), self._settings.batch_size)
        total = 0.0
        for step, rows in enumerate(self._batches(truth, number, steps)):
            self._set_rate((number * steps + step + 1) / (self._settings.epochs * steps))
            batch = np.stack([self._augment(pixels[row]) for row in rows])
            total += self._learn(torch.from_numpy(batch), torch.from_numpy(truth[rows]))
            advance()
        return total / steps

    def close_epoch(self, train_loss: float, pixels: Pixels, truth: Truth) -> Epoch:
        """Measure the validation images and add the epoch to the history."""
        raw = score_pixels(self.model, pixels, self._settings.batch_size)
        loss = nn.functional.cross_entropy(torch.from_numpy(raw), torch.from_numpy(truth)).item()
        defective = truth != self._good_index if truth.ndim == 1 else truth[:, self._good_index] == 0
        both = bool(defective.any() and not defective.all())
        area = auroc(defect_probability(raw, self._good_index), defective) if both else None
        self.history.append(Epoch(len(self.history) + 1, train_loss, loss, area))
        return self.history[-1]

    def seconds_per_step(self, pixels: Pixels, truth: Truth) -> float:
        """Time a step on a copy of the model: the quicker of two, after one that is not counted."""
        trial = copy.deepcopy(self.model).eval()
        rows = np.arange(self._settings.batch_size) % len(truth)
        batch, wanted = torch.from_numpy(pixels[rows]), torch.from_numpy(truth[rows])
        times_ns = []
        for _ in range(3):
            started_ns = time.monotonic_ns()
            torch.autograd.backward(nn.functional.cross_entropy(trial(batch), wanted))
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

    def _train_mode(self) -> None:
        self.model.train()
        if self._pretrained:
            # Batches of a few similar parts would overwrite statistics that come from a million photographs.
            for module in self.model.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()

    def _batches(self, truth: Truth, number: int, steps: int) -> Iterator[NDArray[np.intp]]:
        random = np.random.default_rng([self._settings.seed, number])
        drawn = random.choice(len(truth), size=steps * self._settings.batch_size, p=draw_shares(truth))
        yield from np.split(drawn.astype(np.intp), steps)

    def _set_rate(self, progress: float) -> None:
        warm = min(1.0, progress / _WARM_UP_SHARE)
        for group in self._optimizer.param_groups:
            group["lr"] = self._settings.lr * warm * 0.5 * (1.0 + math.cos(math.pi * progress))

    def _learn(self, batch: Tensor, wanted: Tensor) -> float:
        self._optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(batch), wanted)
        torch.autograd.backward(loss)
        self._optimizer.step()
        return loss.item()


def steps_per_epoch(images: int, batch_size: int) -> int:
    """Give the steps of an epoch: as many draws as images, at least `MIN_DRAWS`."""
    return math.ceil(max(images, MIN_DRAWS) / batch_size)


def draw_shares(truth: Truth) -> NDArray[np.float64]:
    """Give the probability of drawing each image (n,): rare classes more often, by the root of their rarity.

    The full inverse would show the few images of a rare class so often that they are learned by heart. An image of
    several types is as rare as the rarest of them.
    """
    if truth.ndim == 1:
        weights = 1.0 / np.sqrt(np.bincount(truth)[truth])
    else:
        counts = np.count_nonzero(truth, axis=0)
        weights = (1.0 / np.sqrt(np.maximum(counts, 1)) * (truth > 0)).max(axis=1)
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def score_pixels(
    model: Deployed, pixels: Pixels, batch_size: int, advance: Callable[[], None] = lambda: None
) -> NDArray[np.float32]:
    """Score uint8 (n, h, w, c) in evaluation mode: raw scores float32 (n, classes)."""
    model.eval()
    scores: list[NDArray[np.float32]] = []
    with torch.inference_mode():
        for start in range(0, len(pixels), batch_size):
            scores.append(model(torch.from_numpy(np.array(pixels[start : start + batch_size]))).numpy())
            advance()
    return np.concatenate(scores)


def run_module(
    model: nn.Module, pixels: Pixels, batch_size: int
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Give the scores (n, classes) of uint8 (n, h, w, c) in evaluation mode and, where the model has one, the map."""
    model.eval()
    scores: list[NDArray[np.float32]] = []
    maps: list[NDArray[np.float32]] = []
    with torch.inference_mode():
        for start in range(0, len(pixels), batch_size):
            given = model(torch.from_numpy(np.array(pixels[start : start + batch_size])))
            scores.append((given[0] if isinstance(given, tuple) else given).numpy())
            maps += [given[1].numpy()] if isinstance(given, tuple) else []
    return np.concatenate(scores), np.concatenate(maps) if maps else None


def fit_temperature(raw: NDArray[np.float32], truth: Truth) -> float:
    """Give the divisor of the scores (n, classes) that makes their softmax likeliest, within 0.5..5.

    Source: temperature scaling, Guo et al., ICML 2017. The bounds keep a small sample without mistakes from claiming
    certainty.
    """
    divisors = np.exp(np.linspace(math.log(0.5), math.log(5.0), 200))
    scores, wanted = torch.from_numpy(raw), torch.from_numpy(truth)
    losses: Sequence[float] = [nn.functional.cross_entropy(scores / float(t), wanted).item() for t in divisors]
    return float(divisors[int(np.argmin(losses))])
