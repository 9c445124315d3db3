"""Memory for frames that two processes share: written by one, looked at by the other, each slot by one at a time."""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import weakref
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from camera.frame import Pixels

MOST_SLOTS = 32
_LEAST_SLOTS = 8
_MEMORY_BYTES = 1 << 30  # at most, for more than the least number of slots; untouched slots take none
_HEADER = mmap.PAGESIZE  # one byte a slot, then (count, bytes of a slot)
_LAYOUT = struct.Struct("=QQ")
_LAYOUT_AT = _HEADER - _LAYOUT.size
_FREE, _LENT = 0, 1


def slots_for(frame_bytes: int) -> int:
    """Return how many frames of a size are held."""
    return max(_LEAST_SLOTS, min(MOST_SLOTS, _MEMORY_BYTES // max(1, frame_bytes)))


class SlotWriter:
    """The side that fills the slots: the driver's process, in its grabbing thread.

    The memory has no name: it is gone with the last process that maps it, however that ends. A slot that was handed
    over is the reader's until nobody looks at it any more.
    """

    def __init__(self, frame_bytes: int, count: int) -> None:
        self.slot_bytes = -(-max(1, frame_bytes) // mmap.PAGESIZE) * mmap.PAGESIZE
        self.count = count
        self.fd = os.memfd_create("lineward-frames", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, _HEADER + count * self.slot_bytes)
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
        self._header = mmap.mmap(self.fd, _HEADER)
        _LAYOUT.pack_into(self._header, _LAYOUT_AT, count, self.slot_bytes)
        memory = mmap.mmap(self.fd, count * self.slot_bytes, offset=_HEADER)
        self._slots = [
            np.frombuffer(memory, np.uint8, self.slot_bytes, place * self.slot_bytes) for place in range(count)
        ]

    def free_slot(self) -> int | None:
        """Return the first slot that is not with the reader, None when all are: few slots use little memory."""
        place = self._header.find(b"\0", 0, self.count)
        return None if place < 0 else place

    def slot(self, place: int) -> Pixels:
        """Return the memory of a slot that is free, flat."""
        return self._slots[place]

    def hand_over(self, place: int) -> None:
        """Give a slot to the reader, before it is told of it."""
        self._header[place] = _LENT

    def take_back(self, place: int) -> None:
        """Have a slot back that the reader was not told of."""
        self._header[place] = _FREE

    def close(self) -> None:
        """Let go of the file; the memory goes when no slot is looked at any more."""
        os.close(self.fd)


class SlotReader:
    """The side that looks at the slots: the station's process; `lend` is for one thread, views may go anywhere.

    A lent array is the base of every view of it, so a slot goes back at the moment when the last view is gone,
    in whatever thread that happens. Views stay valid after this object, and after the other process, is gone.
    """

    def __init__(self, fd: int) -> None:
        self._header = mmap.mmap(fd, _HEADER)
        self.count, self.slot_bytes = _LAYOUT.unpack_from(self._header, _LAYOUT_AT)
        self._memory = mmap.mmap(fd, self.count * self.slot_bytes, prot=mmap.PROT_READ, offset=_HEADER)
        self._leases: dict[int, weakref.ref[Pixels]] = {}

    @property
    def lent(self) -> int:
        """How many slots are looked at."""
        return len(self._leases)

    def lend(self, place: int, shape: tuple[int, ...], dtype: str) -> NDArray[np.uint8]:
        """Return a read-only view of a slot that was handed over; the slot goes back by itself."""
        kind = np.dtype(dtype)
        size = int(np.prod(shape)) * kind.itemsize
        lease = np.frombuffer(self._memory, np.uint8, size, place * self.slot_bytes)
        self._leases[place] = weakref.ref(lease, self._returns(place))
        return lease.view(kind).reshape(shape)

    def give_back(self, place: int) -> None:
        """Return a slot that nobody looked at."""
        self._header[place] = _FREE

    def _returns(self, place: int) -> Callable[[object], None]:
        leases, header = self._leases, self._header

        def returned(_lease: object) -> None:
            del leases[place]  # first: once it is free, the next frame may come to it at any moment
            header[place] = _FREE

        return returned
