"""Calls from the station into the driver's process: one lane for each kind that must not wait for the others."""

from __future__ import annotations

import contextlib
import pickle
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from camera.errors import CameraError

LANES = ("life", "trigger", "events", "look", "nodes")
"""life: open, start, stop, close. trigger: software triggers. events: triggers that the device reports.
look: clock and counters. nodes: GenICam features."""

_SIZE = struct.Struct("=I")
_REST_S = 1.0  # what has begun goes on at once


class LaneTimeoutError(Exception):
    """The other side did not answer in time; it may still be busy with the call."""


class Lane:
    """The station's end: one call at a time, from any thread, and each bounded. An answer too late is passed over."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._lock = threading.Lock()
        self._number = 0
        self._unanswered = 0

    def call(self, method: str, *arguments: object, timeout_s: float) -> Any:
        """Have a method called there and return what it returns, or raise the CameraError that it raises.

        Raises LaneTimeoutError when no answer came in time, EOFError when the other process is gone.
        """
        until_host_ns = time.monotonic_ns() + round(timeout_s * 1e9)
        if not self._lock.acquire(timeout=timeout_s):
            raise LaneTimeoutError(f"{method}: another call is not answered yet")
        try:
            if self._link.fileno() < 0:
                raise EOFError("closed")
            while self._unanswered:  # of a call that was given up
                self._receive(until_host_ns)
            self.post(method, *arguments)
            return self.answer(until_host_ns)
        finally:
            self._lock.release()

    def post(self, method: str, *arguments: object) -> None:
        """Send a call without waiting for its answer. Raises EOFError when the other process is gone."""
        self._number += 1
        message = pickle.dumps((self._number, method, arguments))
        try:
            self._link.settimeout(_REST_S)
            self._link.sendall(_SIZE.pack(len(message)) + message)
        except OSError as error:
            raise EOFError(str(error)) from error
        self._unanswered += 1

    def answer(self, until_host_ns: int) -> Any:
        """Wait for the answer of the call that was posted; return or raise it."""
        _, returned, value = self._receive(until_host_ns)
        if returned:
            return value
        raise value

    def hang_up(self) -> None:
        """Tell the other side that no more calls come."""
        with contextlib.suppress(OSError):  # it is gone already
            self._link.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the file back. The other process has ended, so that no call waits any more."""
        with self._lock:
            self._link.close()

    def _receive(self, until_host_ns: int) -> tuple[int, bool, Any]:
        head = self._bytes(_SIZE.size, max(0, until_host_ns - time.monotonic_ns()) / 1e9)
        answer: tuple[int, bool, Any] = pickle.loads(self._bytes(_SIZE.unpack(head)[0], _REST_S))  # our own process
        self._unanswered -= 1
        return answer

    def _bytes(self, size: int, wait_s: float) -> bytes:
        """Take so many bytes; once an answer has begun its rest follows at once, or the other process is lost."""
        found = b""
        ready = select.poll()
        ready.register(self._link, select.POLLIN)
        while len(found) < size:
            if not ready.poll(wait_s * 1e3):
                if found or size != _SIZE.size:
                    raise EOFError("an answer broke off")
                raise LaneTimeoutError("no answer in time")
            try:
                part = self._link.recv(size - len(found))
            except OSError as error:
                raise EOFError(str(error)) from error
            if not part:
                raise EOFError("hung up")
            found += part
        return found


class ServedLane:
    """The driver's end: takes calls in one thread and answers each, until the station hangs up."""

    def __init__(self, link: socket.socket, methods: Mapping[str, Callable[..., object]]) -> None:
        self._link = link
        self._methods = methods

    def serve(self) -> None:
        """Answer calls until the station has hung up."""
        file = self._link.makefile("rb")
        while len(head := file.read(_SIZE.size)) == _SIZE.size:
            number, method, arguments = pickle.loads(file.read(_SIZE.unpack(head)[0]))
            answer = pickle.dumps((number, *self._answer(method, arguments)))
            self._link.sendall(_SIZE.pack(len(answer)) + answer)

    def _answer(self, method: str, arguments: tuple[object, ...]) -> tuple[bool, object]:
        try:
            return True, self._methods[method](*arguments)
        except Exception as error:  # noqa: BLE001 - the edge of this thread: the station is told
            return False, portable(error)


def portable(error: Exception) -> CameraError:
    """Return an error that the other process can read: a CameraError as it is, anything else named by its type."""
    if isinstance(error, CameraError):
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:  # noqa: BLE001 - a class of a plug-in that does not travel
            return CameraError(f"{type(error).__name__}: {error}", error.cause)
        return error
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = "" if place is None else f" ({place.tb_frame.f_code.co_filename}, line {place.tb_lineno})"
    return CameraError(f"the driver raised {type(error).__name__}: {error}{where}; mend the driver")
