"""A driver of another package for the contract suite: a belt as a device, which runs in a process of its own."""

from __future__ import annotations

import threading

import numpy as np
from pydantic import Field

from camera import Frame, Pixels, simulated
from camera.backends import Backend
from camera.device import DeviceOptions
from camera.simulated import SimulatedCamera


class Options(DeviceOptions, simulated.Options):
    """A device whose scene comes along. per_start: it ends acquisition by itself after so many frames."""

    per_start: int | None = Field(default=None, ge=1)


class NumberedParts:
    """A grey level for each part."""

    def render(self, part: int) -> Pixels:
        return np.full((48, 64, 3), 15 * ((part - 1) % 16) + 7, np.uint8)

    def truth(self, part: int) -> str:
        return ""


class BeltedCamera(SimulatedCamera):
    """The simulated camera with a scene of its own."""

    def __init__(self, name: str, options: Options) -> None:
        super().__init__(name, options, NumberedParts())
        self._per_start = options.per_start
        self._given = 0
        self._halted = threading.Event()

    def _start(self) -> None:
        self._given = 0
        self._halted.clear()
        super()._start()

    def _grab(self, into: Pixels | None, timeout_s: float) -> Frame | None:
        if self._given == self._per_start and not self.exhausted:
            self._halted.wait(timeout_s)
            return None
        frame = super()._grab(into, timeout_s)
        self._given += frame is not None
        return frame

    def _stop(self) -> None:
        self._halted.set()
        super()._stop()


BACKEND = Backend(
    "belted", "belted_camera", "BeltedCamera", "a belt of the tests", library="belted_camera", is_device=True
)
