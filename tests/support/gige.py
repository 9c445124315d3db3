"""Real GigE Vision cameras for tests: each test has a network of its own, or the loopback to itself."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pytest
from numpy.typing import NDArray

from camera.aravis.numbered import draw

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_READY_S = 60.0
_BITS = 32  # of the number in a picture


def require_aravis() -> None:
    """Skip the test, by name, where libaravis is not installed; in CI that is a failure."""
    try:
        ctypes.CDLL("libaravis-0.8.so.0")
    except OSError:
        message = "GIGE VISION WAS NOT TESTED: install it with scripts/system-packages"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


def _own_network() -> int | None:
    """Move this thread (and those that it starts) into a new network; return the old one, None where not allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    if libc.unshare(_NEW_NETWORK):
        os.close(before)
        return None
    return before


@contextlib.contextmanager
def network() -> Iterator[bool]:
    """Give the test a network of its own where root allows (True), else the machine's loopback alone (False)."""
    before = _own_network()
    if before is None:
        lock = Path(tempfile.gettempdir()) / "gige-vision-loopback.lock"
        with lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield False
        return
    try:
        ip("link set lo up")
        yield True
    finally:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(before, _NEW_NETWORK):
            raise OSError(ctypes.get_errno(), "the test's thread cannot go back to the machine's network")
        os.close(before)


def ip(arguments: str) -> None:
    """Change the network that this thread is in."""
    subprocess.run(["ip", *arguments.split()], check=True, capture_output=True)


class FakeProcess:
    """One `python -m camera.aravis.fake` that ends with the test, whatever the test does."""

    def __init__(self, serial: str, *arguments: str, namespace: str = "") -> None:
        command = [sys.executable, "-m", "camera.aravis.fake", "--serial", serial, *arguments]
        if namespace:
            command = ["ip", "netns", "exec", namespace, *command]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("ready"):
            self.end()
            raise RuntimeError(f"the camera did not start: {line!r}")

    def say(self, command: str) -> str:
        """Give a command and return the answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def signal(self, number: int) -> None:
        """Send the process a signal."""
        self.process.send_signal(number)

    def end(self) -> None:
        """End it for certain."""
        self.process.kill()
        self.process.wait(_READY_S)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()


def number_of(pixels: NDArray[Any]) -> int | None:
    """Return the number of a picture that came raw, as `Frame.pixels` has it; None for one that is not whole."""
    rows = np.ascontiguousarray(pixels).reshape(pixels.shape[0], -1)
    cell = rows.shape[1] // _BITS
    bits = rows[0, cell // 2 : cell * _BITS : cell] > 127
    number = int(np.packbits(bits).view(">u4")[0])
    return number if np.array_equal(rows, draw(number, *rows.shape)) else None
