"""The bounded queue between the thread that grabs and the one that writes a recording."""

from __future__ import annotations

import threading
from collections import deque

from camera.frame import BrokenFrame, Frame

Exposure = Frame | BrokenFrame
_ITEM_BYTES = 1_000  # what an exposure takes besides its pixels


class WaitingExposures:
    """Exposures on their way to the disk, at most so many bytes; one that does not fit is refused, never waited for."""

    def __init__(self, capacity_bytes: int) -> None:
        """Make it empty; one exposure is always taken, however large."""
        self._capacity = capacity_bytes
        self._changed = threading.Condition()
        self._items: deque[tuple[Exposure, int]] = deque()
        self._bytes = 0
        self._closed = False
        self.peak_bytes = 0

    @property
    def share(self) -> float:
        """How much of it is in use."""
        return self._bytes / self._capacity

    def put(self, exposure: Exposure, unrecorded_before: int) -> bool:
        """Append one with the number of those before it that were refused; False when it is refused, too."""
        size = size_of(exposure) + _ITEM_BYTES
        with self._changed:
            if self._items and self._bytes + size > self._capacity:
                return False
            self._items.append((exposure, unrecorded_before))
            self._bytes += size
            self.peak_bytes = max(self.peak_bytes, self._bytes)
            self._changed.notify()
            return True

    def first(self) -> tuple[Exposure, int] | None:
        """Wait for the first one and leave it in its place, None when there will be none anymore."""
        with self._changed:
            while not self._items and not self._closed:
                self._changed.wait()
            return self._items[0] if self._items else None

    def drop_first(self) -> None:
        """Take the first one out: it has been written."""
        with self._changed:
            self._bytes -= size_of(self._items.popleft()[0]) + _ITEM_BYTES

    def close(self) -> None:
        """Say that none will follow; those that wait are still given."""
        with self._changed:
            self._closed = True
            self._changed.notify()


def size_of(exposure: Exposure) -> int:
    """Return how many bytes its pixels have."""
    return 0 if isinstance(exposure, BrokenFrame) else int(exposure.pixels.nbytes)
