"""A driver of another package that does what bad drivers do, where and when its options say; nothing is played."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from typing import Literal

import numpy as np
from pydantic import Field

from camera import Camera, CameraError, CameraLostError, CameraOpenError, Frame, Pixels, Trigger
from camera.backends import Backend
from camera.device import Device, DeviceOptions
from camera.errors import Cause, NodeError
from camera.frame import BrokenFrame
from camera.genicam.nodes import Node, Value

Trouble = Literal["none", "segfault", "hang_with_lock", "hang", "abort", "raise", "lost", "exit"]


class Options(DeviceOptions):
    """What goes wrong, in which call, and what its pictures are like."""

    trouble: Trouble = Field(default="none")
    stage: Literal["open", "start", "grab", "stop", "close", "trigger", "node", "devices"] = Field(default="grab")
    after: int = Field(default=3, description="frames before the trouble in grab")
    sizes: tuple[tuple[int, int], ...] = Field(default=((48, 64),), description="rows and columns, one frame each")
    period_s: float = Field(default=0.002, description="from frame to frame; 0: as fast as it can")
    frames: int | None = Field(default=None, description="none come after so many")
    broken_every: int = Field(default=0, description="each so-manieth exposure comes broken")


def make(trouble: Trouble) -> None:
    """Do it."""
    match trouble:
        case "segfault":
            ctypes.string_at(0)
        case "hang_with_lock":
            ctypes.PyDLL(None).pause()
        case "hang":
            ctypes.CDLL(None).pause()
        case "abort":
            print("lens cap is screwed on too tightly", file=sys.stderr)
            os.abort()
        case "raise":
            raise ZeroDivisionError("frames per nothing")
        case "lost":
            raise CameraLostError("unplugged", Cause.CONTROL_LOST)
        case "exit":
            os._exit(7)


def devices() -> list[Device]:
    """Find two devices, or what the environment asks for."""
    make(os.environ.get("TROUBLED_SEARCH", "none"))  # type: ignore[arg-type]
    return [Device("troubled", "A1", "Acme", "Eye", "1001", "top", "10.0.0.1", "free"), Device("troubled", "A2")]


class TroubledNodes:
    """Two features: a gain within limits, and one that hangs."""

    def __init__(self, trouble: Trouble) -> None:
        self._gain = 1.0
        self._trouble = trouble

    def names(self) -> list[str]:
        return ["Gain", "Slow"]

    def has(self, name: str) -> bool:
        return name in self.names()

    def node(self, name: str) -> Node:
        return Node(name, "float", True, True, self.get(name), 0.0, 24.0, unit="dB")

    def get(self, name: str) -> Value:
        if name == "Slow":
            make(self._trouble)
        if not self.has(name):
            raise NodeError(f"feature {name!r} is not there", Cause.REFUSED)
        return self._gain

    def set(self, name: str, value: Value) -> None:
        if not 0 <= float(value) <= 24:
            raise NodeError(f"{name} = {value}: 0 to 24 dB is allowed", Cause.REFUSED)
        self._gain = float(value)

    def execute(self, name: str) -> None:
        self.get(name)


class TroubledCamera(Camera):
    """Free-running: pixel values tell the counter, so that a slot that was overwritten is seen."""

    def __init__(self, name: str, options: Options) -> None:
        super().__init__(name)
        self.options = options
        self._counter = 0
        self._halted = threading.Event()
        self._features = TroubledNodes(options.trouble)

    @property
    def nodes(self) -> TroubledNodes:
        return self._features

    @property
    def takes_software_trigger(self) -> bool:
        return self.options.stage == "trigger"

    def counters(self) -> dict[str, int]:
        return {"frames": self._counter}

    def _make_at(self, stage: str) -> None:
        if self.options.stage == stage:
            make(self.options.trouble)

    def _open(self) -> None:
        if self.options.device == "nobody":
            raise CameraOpenError("no such device", Cause.ABSENT)
        self._make_at("open")

    def _start(self) -> None:
        self._halted.clear()
        self._make_at("start")

    def _trigger(self) -> Trigger | None:
        self._make_at("trigger")
        return None

    def _grab(self, into: Pixels | None, timeout_s: float) -> Frame | BrokenFrame | None:
        if self.options.frames is not None and self._counter >= self.options.frames:
            self._halted.wait(timeout_s)
            return None
        if self.options.period_s and self._halted.wait(self.options.period_s):
            return None
        if self._counter >= self.options.after:
            self._make_at("grab")
        rows, columns = self.options.sizes[min(self._counter, len(self.options.sizes) - 1)]
        if into is not None and into.size < rows * columns:
            raise ValueError("buffer too small")
        self._counter += 1
        now_host_ns = time.monotonic_ns()
        if self.options.broken_every and self._counter % self.options.broken_every == 0:
            return BrokenFrame(self.name, self._counter, None, now_host_ns, 0, "2 of 9 packets are missing")
        flat = np.empty(rows * columns, np.uint8) if into is None else into[: rows * columns]
        flat.fill(self._counter % 251)
        return Frame(
            self.name, self._counter, None, now_host_ns, 0, "Mono8", flat.reshape(rows, columns), {"counter": 1}
        )

    def _stop(self) -> None:
        self._halted.set()
        self._make_at("stop")

    def _close(self) -> None:
        self._make_at("close")


BACKEND = Backend("troubled", "troubled_camera", "TroubledCamera", "trouble", library="troubled_camera", is_device=True)
NO_BACKEND = CameraError
LIKE_OURS = Backend("replay", "troubled_camera", "TroubledCamera", "called like one of ours", is_device=True)
