"""The `lineward` command in processes of their own that begin with the training stack already loaded.

They are forked from a server which has imported it once: real processes, which may be killed, without seconds of start.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["inspection.cli.main", "training.command", "training.sweep", "training.evaluation", "torch.utils.tensorboard"]
)


@dataclass
class Done:
    """How a command ended, and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


class Command:
    """One `lineward` command under way."""

    def __init__(self, arguments: list[str], folder: Path, before: Callable[[], None] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._files = folder / f"{time.monotonic_ns()}.out", folder / f"{time.monotonic_ns()}.err"
        self.process: ForkServerProcess = _CONTEXT.Process(target=_main, args=(arguments, *self._files, before))
        self.process.start()

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.is_alive()

    def wait_until(self, holds: Callable[[], bool], timeout_s: float = 200.0) -> bool:
        """Wait for a condition; False where the command ended before it held."""
        until_ns = time.monotonic_ns() + int(timeout_s * 1e9)
        while not holds():
            self.process.join(0.0005)
            if not self.alive:
                return False
            assert time.monotonic_ns() < until_ns, self.said
        return True

    def end(self, timeout_s: float = 200.0) -> Done:
        """Wait for the end."""
        self.process.join(timeout_s)
        assert self.process.exitcode is not None, self.said
        out, error = (file.read_text() if file.exists() else "" for file in self._files)
        return Done(self.process.exitcode, out, error)

    @property
    def said(self) -> str:
        """What it wrote to stderr so far."""
        return self._files[1].read_text() if self._files[1].exists() else ""


def _main(arguments: list[str], out: Path, error: Path, before: Callable[[], None] | None) -> None:
    for number, file in ((1, out), (2, error)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", buffering=1, closefd=False)
    sys.argv = ["lineward", *arguments]
    multiprocessing.set_start_method("fork", force=True)  # as in any process that was not forked from a server
    if before is not None:
        before()
    from inspection.cli.main import main

    try:
        main()
    finally:
        sys.stdout.flush()
