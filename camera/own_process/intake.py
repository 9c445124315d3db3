"""The station's end of the frames: waits for the next one without polling, and lends its memory on."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import select
import threading
import time
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from camera.frame import BrokenFrame, Frame, Pixels
from camera.own_process.life import Watchdog
from camera.own_process.messages import Failure, FilledSlot, SourceEnd, receive
from camera.own_process.process import DriverProcess
from camera.own_process.slots import SlotReader

_COPIED_FROM = 3 / 4  # where so many slots are looked at, the next frames are copied: no exposure is lost for them


class Intake:
    """Takes what one driver's process tells. `take` is the grabbing thread's; the rest is called from any.

    `interrupt` ends the wait of `take`, and holds until `begin`.
    """

    def __init__(self, camera: str, driver: DriverProcess, watchdog_s: float) -> None:
        self._camera = camera
        self._frames = driver.frames
        self._life = driver.life
        self._watchdog = Watchdog(watchdog_s)
        self._slots: SlotReader | None = None
        self._waiting: FilledSlot | Failure | None = None  # a failure stays until it is stopped
        self._lost = 0
        self._received = 0
        self.copied_bytes = 0
        self._finished = False
        self._taking = threading.Lock()
        self._waking = threading.Lock()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._interrupting = False
        self._closed = False
        self._ready = select.poll()
        for fd in (self._frames.fileno(), self._wake, driver.death):
            self._ready.register(fd, select.POLLIN)

    def begin(self) -> None:
        """Let `take` wait again."""
        with self._taking, self._waking:
            if self._interrupting and not self._closed:
                self._interrupting = False
                os.eventfd_read(self._wake)

    def interrupt(self) -> None:
        """Have `take` return None, now and until `begin`."""
        with self._waking:
            self._interrupting = True
            if not self._closed:
                os.eventfd_write(self._wake, 1)

    def take(self, into: Pixels | None, timeout_s: float) -> Frame | BrokenFrame | None:
        """Wait for the next exposure. Raises EOFError when the process has ended, TimeoutError when it hangs.

        A CameraError of the driver is raised as it is. ValueError: `into` is too small; the frame waits.
        """
        until_host_ns = time.monotonic_ns() + round(timeout_s * 1e9)
        with self._taking:
            if self._closed or self._interrupting:
                return None
            message = self._waiting or self._next(until_host_ns)
            self._waiting = None
            if isinstance(message, FilledSlot):
                return self._frame(message, into)
            if isinstance(message, Failure):
                self._waiting = message
                raise message.error
            if message is not None:
                message = dataclasses.replace(message, lost_before=message.lost_before + self._lost)
                self._lost = 0
            return message

    @property
    def exhausted(self) -> bool:
        """True when nothing more can come."""
        with contextlib.suppress(ValueError):  # the page was closed; it stays as it was
            self._finished = self._life.finished and self._life.sent == self._received
        return self._finished

    def discard(self) -> None:
        """Drop what was not taken before a stop; the next frame tells how many they were."""
        with self._taking:
            if self._closed:
                return
            message: FilledSlot | BrokenFrame | Failure | None = self._waiting
            self._waiting = None
            try:
                while (message := message or self._receive()) is not None:
                    if isinstance(message, FilledSlot | BrokenFrame):
                        self._lost += 1 + message.lost_before
                    if isinstance(message, FilledSlot) and self._slots is not None:
                        self._slots.give_back(message.place)
                    message = None
            except EOFError:
                pass  # the next call tells

    def close(self) -> None:
        """End the wait of `take`, and give back what this object holds; frames that were lent stay as they are."""
        self.interrupt()
        with self._taking, self._waking:
            if not self._closed:
                self._finished = self.exhausted
                self._closed = True
                os.close(self._wake)
            self._slots = self._waiting = None

    def _next(self, until_host_ns: int) -> FilledSlot | BrokenFrame | Failure | None:
        """Wait for a message; None when interrupted, when the source has ended or the time is up."""
        while not self.exhausted:
            if self._watchdog.is_hung(self._life.beats):
                raise TimeoutError
            left_ns = until_host_ns - time.monotonic_ns()
            ready = self._ready.poll(min(max(0.0, left_ns / 1e6), self._watchdog.look_s * 1e3))
            found = {fd for fd, _ in ready}
            if self._wake in found:
                return None
            if self._frames.fileno() in found:
                message = self._receive()
                if message is not None:
                    return message
            elif found:
                raise EOFError
            elif left_ns <= 0:
                return None
        return None

    def _receive(self) -> FilledSlot | BrokenFrame | Failure | None:
        """Take a message that is there, and map memory that came along."""
        told = receive(self._frames)
        if told is None:
            return None
        message, files = told
        for fd in files:
            try:
                self._slots = SlotReader(fd)
            finally:
                os.close(fd)
        if isinstance(message, SourceEnd):
            return None
        if not isinstance(message, Failure):
            self._received += 1
        return message

    def _frame(self, told: FilledSlot, into: Pixels | None) -> Frame:
        size = math.prod(told.shape) * np.dtype(told.dtype).itemsize
        if into is not None and (into.ndim != 1 or into.nbytes < size):
            self._waiting = told
            raise ValueError(
                f"camera '{self._camera}': buffer {into.shape} for a frame of {size} bytes; pass a flat uint8 one of "
                "at least that size, or None"
            )
        lost_before, self._lost = told.lost_before + self._lost, 0
        return Frame(
            camera=self._camera,
            counter=told.counter,
            device_ns=told.device_ns,
            received_host_ns=told.received_host_ns,
            lost_before=lost_before,
            pixel_format=told.pixel_format,
            pixels=self._pixels(told, size, into),
            chunks=MappingProxyType(told.chunks),
        )

    def _pixels(self, told: FilledSlot, size: int, into: Pixels | None) -> NDArray[np.uint8]:
        slots = self._slots
        if slots is None:
            raise EOFError("a frame came before its memory")
        pixels = slots.lend(told.place, told.shape, told.dtype)
        if into is not None:
            copy: NDArray[np.uint8] = into[:size].view(told.dtype).reshape(told.shape)
            np.copyto(copy, pixels)
            self.copied_bytes += size
            return copy
        if slots.lent > slots.lendable * _COPIED_FROM:
            pixels = pixels.copy()
            self.copied_bytes += size
            pixels.flags.writeable = False
        return pixels
