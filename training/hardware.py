"""Which processor learns, and in which precision."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from training.errors import SettingsError
from training.settings import TrainSettings

DEVICE_TASKS = ("classify", "segment")  # the others learn on the CPU wherever they are


def choose_device(asked: str) -> torch.device:
    """Return the processor for 'auto' (CUDA where there is a GPU), 'cpu' or 'cuda'; raise SettingsError without one.

    Of several processes, each takes the GPU of its own number.
    """
    if asked == "cuda" and not torch.cuda.is_available():
        built = f"is built for CUDA {torch.version.cuda}" if torch.version.cuda else "is built without CUDA"
        raise SettingsError(
            f"--device cuda: there is no GPU that torch can use (torch {torch.__version__} {built}) — allowed here "
            "are auto and cpu — install the driver and a torch with CUDA, or leave --device out"
        )
    if asked == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())


def device_asked(settings: TrainSettings) -> str:
    """Give what the settings ask for where the task can learn there, else 'cpu'."""
    return settings.device if settings.task in DEVICE_TASKS else "cpu"


class Hardware:
    """A processor and its precision; owned by one fitting, used from its thread.

    amp: 'auto' mixes precisions on a GPU alone, 'on' also on a CPU (bfloat16, slow there), 'off' never. bfloat16 where
    the processor has it; float16 takes a scaler, since small gradients would vanish.
    """

    def __init__(self, asked: str, amp: str) -> None:
        self.device = choose_device(asked)
        cuda = self.device.type == "cuda"
        if cuda:
            torch.cuda.set_device(self.device)
            # cuBLAS repeats itself only with a workspace of fixed size; it is read when the first kernel starts.
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        # A few kernels of CUDA have no form that repeats itself; a warning names them. All of the CPU have.
        torch.use_deterministic_algorithms(True, warn_only=cuda)
        self.mixed = amp == "on" or (amp == "auto" and cuda)
        self._type = torch.bfloat16 if not cuda or torch.cuda.is_bf16_supported() else torch.float16
        self._scaler = torch.amp.GradScaler(enabled=self.mixed and self._type is torch.float16)

    def mixing(self) -> AbstractContextManager[object]:
        """Give the context in which the forward pass and the loss are computed."""
        return torch.autocast(self.device.type, self._type, enabled=self.mixed)

    def descend(self, loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
        """Go back through the graph and make one step."""
        torch.autograd.backward(self._scaler.scale(loss))
        self._scaler.step(optimizer)
        self._scaler.update()

    def put(self, batch: Tensor) -> Tensor:
        """Bring a tensor to the processor; to a GPU while it still computes."""
        if self.device.type == "cpu":
            return batch
        return batch.pin_memory().to(self.device, non_blocking=True)

    def state(self) -> dict[str, object]:
        """Give what the next step depends on."""
        return dict(self._scaler.state_dict())

    def restore(self, state: dict[str, object]) -> None:
        """Go back to a state that `state` gave."""
        if state:
            self._scaler.load_state_dict(state)
