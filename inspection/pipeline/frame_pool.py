"""Frame buffers that are used again: fetching fresh memory from the kernel costs more than filling it."""

from __future__ import annotations

import sys

import numpy as np

from camera.frame import Pixels

_REFERENCES_WHEN_FREE = 3  # the pool's list, the loop variable, and getrefcount's own argument


class FramePool:
    """Hands out flat uint8 buffers for `Camera.grab`; owned by one grabbing thread.

    A buffer is free again when no frame that is a view of it is left anywhere: numpy keeps a reference from each view
    to its buffer, so nobody has to give anything back. When all are in use the driver allocates, as without a pool.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._size = 0
        self._buffers: list[Pixels] = []

    def free_buffer(self) -> Pixels | None:
        """Return a buffer that nobody looks at any more, None when there is none or no frame was seen yet."""
        for buffer in self._buffers:
            if sys.getrefcount(buffer) == _REFERENCES_WHEN_FREE:
                return buffer
        if not self._size or len(self._buffers) == self._capacity:
            return None
        buffer = np.zeros(self._size, np.uint8)
        self._buffers.append(buffer)
        return buffer

    def learn(self, pixels: Pixels) -> None:
        """Remember the size of the largest frame seen; smaller buffers are let go."""
        if pixels.size > self._size:
            self._size = pixels.size
            self._buffers.clear()
