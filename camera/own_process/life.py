"""The sign of life of a driver's process, and the watchdog that looks at it."""

from __future__ import annotations

import mmap
import os
import struct
import time

_WORD = struct.Struct("=Q")
_BEATS, _SENT, _FINISHED = 0, 8, 16

BEAT_S = 0.25
"""The driver's grabbing loop shows life at least so often while its calls return."""


class LifeSigns:
    """A page that the driver's grabbing thread writes and the station reads; each word has one writer."""

    def __init__(self, fd: int) -> None:
        self._page = mmap.mmap(fd, mmap.PAGESIZE)

    @staticmethod
    def file() -> int:
        """Make the memory, without a name; the caller closes it."""
        fd = os.memfd_create("lineward-life", os.MFD_CLOEXEC)
        os.ftruncate(fd, mmap.PAGESIZE)
        return fd

    @property
    def beats(self) -> int:
        """How often the grabbing loop came round."""
        return int(_WORD.unpack_from(self._page, _BEATS)[0])

    def beat(self) -> None:
        """Show life."""
        _WORD.pack_into(self._page, _BEATS, self.beats + 1)

    @property
    def sent(self) -> int:
        """How many frames and broken frames were told of."""
        return int(_WORD.unpack_from(self._page, _SENT)[0])

    def count_sent(self, change: int) -> None:
        """Count one that is about to be told of, or take it back."""
        _WORD.pack_into(self._page, _SENT, self.sent + change)

    @property
    def finished(self) -> bool:
        """Whether a finite source has given everything; told before its last frame is."""
        return bool(self._page[_FINISHED])

    def finish(self) -> None:
        """Tell that nothing more comes."""
        self._page[_FINISHED] = 1

    def close(self) -> None:
        """Unmap the page."""
        self._page.close()


class Watchdog:
    """Tells when the sign of life has stood still for too long, while somebody looked. Owned by the grabbing thread.

    A long gap between two looks counts as one short one: where the station itself stood still (a debugger, a paused
    virtual machine) the driver had no time either.
    """

    def __init__(self, watchdog_s: float) -> None:
        self.look_s = watchdog_s / 8
        self._limit_ns = round(watchdog_s * 1e9)
        self._beats = -1
        self._looked_host_ns = 0
        self._still_ns = 0

    def is_hung(self, beats: int) -> bool:
        """Look at the sign of life; True when it has not moved for the whole time."""
        now_host_ns = time.monotonic_ns()
        passed_ns = min(now_host_ns - self._looked_host_ns, round(self.look_s * 2e9))
        self._looked_host_ns = now_host_ns
        if beats != self._beats:
            self._beats, self._still_ns = beats, 0
        else:
            self._still_ns += passed_ns
        return self._still_ns >= self._limit_ns
