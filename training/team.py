"""The processes that fit one model together, as `torchrun` starts them; without it there is one, which leads."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import distributed, nn

from training.errors import TeamError

T = TypeVar("T")

_PATIENCE = timedelta(hours=12)  # the others wait while one loads the images; a process that died is noticed at once


@dataclass(frozen=True, slots=True)
class Team:
    """Which of how many processes this is: a plain value. The first leads: it alone reads, writes and talks."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Tell whether this is the process that writes."""
        return self.rank == 0

    def tell(self, value: T) -> T:
        """Give every process the value that the leading one has; raise TeamError when a process is gone."""
        if self.size == 1:
            return value
        held: list[T] = [value]
        try:
            distributed.broadcast_object_list(held, src=0)
        except RuntimeError as error:
            raise self.lost(error) from error
        return held[0]

    def after_the_first(self, work: Callable[[], T]) -> T:
        """Do a piece of work in the leading process, then in the others, which find its files there.

        Where the leading process fails, it alone says why; the others end with 1.
        """
        if self.size == 1:
            return work()
        if not self.leads:
            if not self.tell(False):
                raise SystemExit(1)
            return work()
        done = False
        try:
            result = work()
            done = True
        finally:
            self.tell(done)
        return result

    def together(self, model: nn.Module) -> nn.Module:
        """Begin with the weights of the leading process, and average the gradients of all from then on."""
        if self.size == 1:
            return model
        try:
            return nn.parallel.DistributedDataParallel(model)
        except RuntimeError as error:
            raise self.lost(error) from error

    def share_states(self, model: nn.Module) -> None:
        """Give every process the buffers (running means and the like) of the leading one."""
        if self.size > 1:
            for buffer in model.buffers():
                distributed.broadcast(buffer, src=0)

    def lost(self, error: Exception) -> TeamError:
        """Give the error of a process that cannot go on without the others."""
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return TeamError(
            f"process {self.rank} of {self.size} cannot go on ({reason}) — all that torchrun has started must run to "
            "the end — see what the others said; the same command goes on from the last kept state"
        )


def join_team(device: torch.device) -> Team:
    """Join the processes that torchrun has started (it sets WORLD_SIZE), over gloo or, with GPUs, NCCL."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_PATIENCE)
    return present_team()


def present_team() -> Team:
    """Return the team that this process has joined, else itself alone."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return Team()
    return Team(distributed.get_rank(), distributed.get_world_size())


def leave_team() -> None:
    """Take leave of the other processes; each works alone from then on."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
