"""A camera that breaks one promise: what the contract suite has to find."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Literal

import numpy as np
from camera_rows import level
from pydantic import BaseModel, ConfigDict

from camera.backends import Backend
from camera.frame import Frame, Pixels, Trigger
from camera.interface import Camera

Fault = Literal[
    "none",
    "opens_no_second_time",
    "starts_with_counter_0",
    "hides_a_gap",
    "another_picture",
    "clock_is_ahead",
    "swallows_the_frame",
    "copies_the_buffer",
    "blocks_at_stop",
    "forgets_the_count",
    "leaves_a_thread",
    "leaves_a_file",
    "raises_when_idle",
    "frame_without_trigger",
    "takes_every_trigger",
    "drops_at_cease",
]
_EVERY_S = 0.002
_LEFT: list[object] = []


class Options(BaseModel):
    """What it does wrong, and who triggers it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fault: Fault = "none"
    trigger: Literal["free", "software", "never"] = "free"


class FaultyCamera(Camera):
    """A small camera all in memory; each fault is one line of it."""

    def __init__(self, name: str, options: Options) -> None:
        super().__init__(name)
        self._fault, self._mode = options.fault, options.trigger
        self._changed = threading.Condition()
        self._halted = True
        self._counter = self._given = self._opened = 0
        self._waiting: list[int] = []
        self._forever = threading.Event()

    @property
    def takes_software_trigger(self) -> bool:
        return self._mode == "software"

    def _open(self) -> None:
        self._opened += 1
        if self._fault == "opens_no_second_time" and self._opened > 1:
            raise OSError("still open")
        self._counter = self._given = 0

    def _start(self) -> None:
        self._halted = False
        self._waiting.clear()
        if self._fault == "forgets_the_count":
            self._counter = self._given = 0
        if self._fault == "leaves_a_thread":
            threading.Thread(target=self._forever.wait, args=(60,), daemon=True).start()
        if self._fault == "leaves_a_file":
            _LEFT.append(open("/dev/null"))  # noqa: SIM115, PTH123 - the fault

    def _cease(self) -> bool:
        if self._fault == "drops_at_cease":
            self._waiting.clear()
        return False

    def _grab(self, into: Pixels | None, timeout_s: float) -> Frame | None:
        number = self._next(timeout_s)
        if number is None:
            if self._fault == "raises_when_idle" and not self._halted:
                raise TimeoutError("no frame")
            return None
        if into is not None and (into.ndim != 1 or into.size < 3072):
            if self._fault != "swallows_the_frame" and self._mode == "free":
                self._counter -= 1
            elif self._fault != "swallows_the_frame":
                self._waiting.insert(0, number)
            raise ValueError("buffer: 3072 bytes in a row are needed")
        pixels = np.empty(3072, np.uint8) if into is None or self._fault == "copies_the_buffer" else into[:3072]
        pixels[:] = level(number + (self._fault == "another_picture"))
        lost_before, self._given = number - self._given - 1, number
        device_ns = time.monotonic_ns() + (10**9 if self._fault == "clock_is_ahead" else 0)
        shape = pixels.reshape(48, 64)
        frame = Frame(self.name, number, device_ns, time.monotonic_ns(), lost_before, "Mono8", shape)
        if self._fault == "starts_with_counter_0":
            return replace(frame, counter=number - 1)
        return replace(frame, lost_before=0) if self._fault == "hides_a_gap" else frame

    def _next(self, timeout_s: float) -> int | None:
        with self._changed:
            if self._mode == "free" or self._fault == "frame_without_trigger":
                self._changed.wait_for(lambda: self._halted, _EVERY_S)
                if self._halted:
                    return None
                self._counter += 1
                return self._counter
            ended = (lambda: bool(self._waiting)) if self._fault == "blocks_at_stop" else self._has_news
            self._changed.wait_for(ended, timeout_s)
            return self._waiting.pop(0) if self._waiting and not self._halted else None

    def _has_news(self) -> bool:
        return bool(self._waiting) or self._halted

    def _trigger(self) -> Trigger | None:
        with self._changed:
            if len(self._waiting) >= 4 and self._fault != "takes_every_trigger":
                return None
            self._counter += 1
            self._waiting.append(self._counter)
            self._changed.notify_all()
            return Trigger(self._counter, time.monotonic_ns())

    def _device_now_ns(self) -> int | None:
        return time.monotonic_ns()

    def _stop(self) -> None:
        with self._changed:
            self._halted = True
            self._changed.notify_all()

    def _close(self) -> None: ...


BACKEND = Backend("faulty", "faulty_camera", "FaultyCamera", "a camera that breaks one promise")
