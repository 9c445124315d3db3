"""The line that a simulated far end hangs on: a pty whose path stays the same when it is plugged in again."""

from __future__ import annotations

import os
import shutil
import tempfile
import tty
from pathlib import Path


class PtyLine:
    """A pty behind a path of our own. Owned by the far end's one thread; plugged in from the start."""

    def __init__(self, kind: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix=f"lineward-{kind}-"))
        self.path = self._folder / "port"
        self._master = self._slave = -1
        self.plug_in()

    @property
    def is_plugged_in(self) -> bool:
        """Whether somebody can open the path."""
        return self._master >= 0

    @property
    def descriptors(self) -> list[int]:
        """What to wait on: nothing while unplugged."""
        return [self._master] if self.is_plugged_in else []

    def plug_in(self) -> None:
        """Create the pty and let the path point to it. Idempotent."""
        if self.is_plugged_in:
            return
        self._master, self._slave = os.openpty()  # our own slave descriptor keeps the line up between two openings
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path.symlink_to(os.ttyname(self._slave))

    def unplug(self) -> None:
        """Take the path away and hang the line up, as a pulled cable does. Idempotent."""
        if not self.is_plugged_in:
            return
        self.path.unlink()
        os.close(self._slave)
        os.close(self._master)
        self._master = self._slave = -1

    def read(self) -> bytes:
        """Return what has arrived; nothing where nothing did, or while unplugged."""
        if not self.is_plugged_in:
            return b""
        try:
            return os.read(self._master, 4096)
        except BlockingIOError:
            return b""

    def write(self, data: bytes) -> int:
        """Hand bytes to the line as far as it takes them; return how many."""
        if not self.is_plugged_in:
            return 0
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0

    def close(self) -> None:
        """Unplug for good."""
        self.unplug()
        shutil.rmtree(self._folder, ignore_errors=True)
