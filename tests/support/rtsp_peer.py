"""Starts the RTSP server for a test, and reads the number that its pictures show."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from camera.frame import Pixels

SERVER = Path(__file__).with_name("rtsp_server.py")
PYTHON = "/usr/bin/python3"  # the one that PyGObject of the system belongs to
BOUND_S = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RtspPeer:
    """A server in a process of its own."""

    def __init__(self, *account: str, port: int | None = None) -> None:
        self.port = port or free_port()
        self.made = 0
        self._account = account
        self._changed = threading.Condition()

    def url(self, path: str, user: str = "") -> str:
        return f"rtsp://{user}127.0.0.1:{self.port}/{path}"

    def __enter__(self) -> Self:
        command = [PYTHON, str(SERVER), str(self.port), *self._account]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n", "the server needs what scripts/system-packages installs"
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        return self

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.made = int(line.split()[1])
                self._changed.notify_all()

    def await_made(self, number: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.made >= number, BOUND_S)

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(BOUND_S)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()
        self._listener.join(BOUND_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


def shown(pixels: Pixels) -> int:
    """Return the number that a picture shows, from the middle of each bar."""
    row = pixels[pixels.shape[0] // 2, :, 0]
    width = row.size // 16
    return sum(1 << bit for bit in range(16) if row[bit * width + width // 2] > 128)
