"""The device of the tests: a process of its own, which a test may hurt and end."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


class RunningDevice:
    """One `python -m socketcam.device`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.plug_in()

    def plug_in(self) -> None:
        command = [sys.executable, "-m", "socketcam.device", str(self.path)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._expect("ready")

    def say(self, command: str) -> None:
        assert self.process.stdin is not None
        print(command, file=self.process.stdin, flush=True)
        self._expect("done")

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()

    def _expect(self, word: str) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == f"{word}\n"


@pytest.fixture(scope="module")
def device() -> Iterator[RunningDevice]:
    with tempfile.TemporaryDirectory(prefix="socketcam-") as folder:  # the path of a socket is 107 bytes at most
        running = RunningDevice(Path(folder) / "one.camera")
        yield running
        running.end()
