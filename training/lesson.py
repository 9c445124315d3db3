"""What a task gives to the training loop: what is drawn for a step, what a mistake costs, how well it is learned."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from training.team import Team


@dataclass(frozen=True, slots=True)
class Measured:
    """What unchanged validation images came to: a plain value.

    probability: float (n,), of a defect. defective: (n,), whether it is there.
    """

    loss: float
    probability: NDArray[np.floating]
    defective: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Pace:
    """Weights that learn at one pace: a plain value. factor: times the learning rate of the settings."""

    weights: tuple[nn.Parameter, ...]
    factor: float = 1.0


class Lesson(nn.Module):
    """What one task learns: a module whose forward gives the loss of a batch; owned by one fitting.

    network: how it is called in messages. steps: of an epoch.
    """

    network: str
    steps: int

    @property
    @abstractmethod
    def kept(self) -> nn.Module:
        """Give the module whose weights and buffers an interrupted run goes on from."""

    @abstractmethod
    def paces(self) -> Iterator[Pace]:
        """Give the weights that are to be learned."""

    @abstractmethod
    def maker(self, epoch: int, team: Team) -> Callable[[int], tuple[Tensor, ...]]:
        """Give what makes the batch of a step, or this process' share of it, on the CPU.

        It may be called from several threads at once, in any order: a batch depends on seed, epoch and step alone.
        """

    @abstractmethod
    def train_mode(self) -> None:
        """Prepare the modules for learning."""

    @abstractmethod
    def measure(self) -> Measured:
        """Measure the validation images, in evaluation mode."""


def train_but_statistics(model: nn.Module, pretrained: nn.Module | None) -> None:
    """Put a model in training mode, but for the batch statistics of the part of it that is pretrained.

    Batches of a few similar parts would overwrite statistics that come from a million photographs.
    """
    model.train()
    for module in () if pretrained is None else pretrained.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
