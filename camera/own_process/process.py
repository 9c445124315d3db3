"""A driver's process as the station sees it: begun, called, watched, and ended whatever it does."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from camera.own_process.lane import LANES, Lane
from camera.own_process.life import LifeSigns

_LAST_LINES = 5
_LAST_BYTES = 1 << 15
_KILLED_S = 2.0
_FATAL = "Fatal Python error"


class DriverProcess:
    """One child process and everything that leads to it. Owned by an `IsolatedCamera`, or by one search for devices.

    `end` gives everything back. No thread of ours: who waits for the child waits on its files.
    """

    def __init__(self) -> None:
        lane_ends = {name: socket.socketpair() for name in LANES}
        self.frames, frames_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        lifeline_end, self._lifeline = os.pipe()
        life_file = LifeSigns.file()
        self.life = LifeSigns(life_file)
        self._log = os.memfd_create("lineward-driver-log", os.MFD_CLOEXEC)
        log_end = os.open(f"/proc/self/fd/{self._log}", os.O_WRONLY | os.O_APPEND)
        theirs = {name: ends[1].fileno() for name, ends in lane_ends.items()}
        theirs |= {"frames": frames_end.fileno(), "lifeline": lifeline_end, "life_signs": life_file}
        self.lanes = {name: Lane(ends[0]) for name, ends in lane_ends.items()}
        self._reading = threading.Lock()
        self._kept_words: str | None = None
        try:
            self._child = subprocess.Popen(
                # -P: nothing from the current folder
                [sys.executable, "-P", "-m", "camera.own_process.child", json.dumps(theirs)],
                pass_fds=tuple(theirs.values()),
                stdin=subprocess.DEVNULL,
                stdout=log_end,
                stderr=log_end,
                env=_environment(),
                start_new_session=True,  # Ctrl-C at the terminal is for the station
            )
        except BaseException:
            self._close_files()
            raise
        finally:
            for fd in (lifeline_end, life_file, log_end):
                os.close(fd)
            frames_end.close()
            for _, end in lane_ends.values():
                end.close()
        self.death = os.pidfd_open(self._child.pid)

    @property
    def pid(self) -> int:
        """The process number."""
        return self._child.pid

    def call(self, lane: str, method: str, *arguments: object, timeout_s: float) -> Any:
        """Call a method there; see `Lane.call`."""
        return self.lanes[lane].call(method, *arguments, timeout_s=timeout_s)

    def hang_up(self) -> None:
        """Have it end by itself."""
        self.lanes["life"].hang_up()

    def wait_dead(self, timeout_s: float) -> bool:
        """Wait for its end; afterwards it is no zombie. False when it still lives."""
        if self._child.poll() is not None:
            return True  # its files may be closed by now
        ended = select.poll()
        ended.register(self.death, select.POLLIN)
        ended.poll(timeout_s * 1000)
        return self._child.poll() is not None

    def kill(self) -> None:
        """End it by SIGKILL, and wait until it is gone; one that the kernel cannot end is left to it."""
        self._child.kill()
        self.wait_dead(_KILLED_S)

    def end(self) -> None:
        """Give everything back but the last words, for a thread that asks later. Ends the process where it lives."""
        if self._child.poll() is None:
            self.kill()
        with self._reading:
            self._kept_words = self._read_words()
            self._close_files()
            os.close(self.death)

    def _close_files(self) -> None:
        for lane in self.lanes.values():
            lane.close()
        self.frames.close()
        self.life.close()
        for fd in (self._lifeline, self._log):
            os.close(fd)

    def obituary(self) -> str:
        """Return how it ended and the last lines that it wrote."""
        code = self._child.returncode
        if code is None:
            how = "hung up"
        elif code < 0:
            names = {int(known): known.name for known in signal.Signals}
            how = f"was ended by {names.get(-code, f'signal {-code}')}"
        else:
            how = f"ended with exit code {code}"
        words = self.last_words()
        return f"{how}; it last wrote: {words}" if words else f"{how} and wrote nothing"

    def last_words(self) -> str:
        """Return the last lines of its standard error, in one; where the interpreter noted a crash, those around it."""
        with self._reading:
            return self._read_words() if self._kept_words is None else self._kept_words

    def _read_words(self) -> str:
        size = os.fstat(self._log).st_size
        text = os.pread(self._log, _LAST_BYTES, max(0, size - _LAST_BYTES)).decode(errors="replace")
        before, crash, stack = text.rpartition(_FATAL)
        written = _lines(before)[-_LAST_LINES:] + _lines(crash + stack)[:_LAST_LINES]
        return " | ".join(written if crash else _lines(text)[-_LAST_LINES:])


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _environment() -> dict[str, str]:
    """Return the child's environment: it finds the modules where this process does, and computes in one thread."""
    path = os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path if entry and Path(entry).exists())
    lean = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return lean | dict(os.environ) | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
