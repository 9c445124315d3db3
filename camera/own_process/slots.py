"""Memory for frames that two processes share: written by one, looked at by the other, each slot by one at a time."""

from __future__ import annotations

import fcntl
import math
import mmap
import os
import struct
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.frame import Pixels

MOST_SLOTS = 32
_LEAST_SLOTS = 8
_MEMORY_BYTES = 1 << 30  # at most, for more than the least number of slots; untouched slots take none
_HEADER = mmap.PAGESIZE  # one byte a slot, then (count, how many may be lent, bytes of a slot)
_LAYOUT = struct.Struct("=QQQ")
_LAYOUT_AT = _HEADER - _LAYOUT.size
_FREE, _LENT, _CLAIMED = 0, 1, 2


def slots_for(frame_bytes: int) -> int:
    """Return how many frames of a size may be lent."""
    return max(_LEAST_SLOTS, min(MOST_SLOTS, _MEMORY_BYTES // max(1, frame_bytes)))


def whole_pages(frame_bytes: int) -> int:
    """Return the bytes of a slot for frames of a size."""
    return -(-max(1, frame_bytes) // mmap.PAGESIZE) * mmap.PAGESIZE


class SlotWriter:
    """The side that fills the slots: the driver's process, itself or by its SDK.

    The memory has no name: it is gone with the last process that maps it, however that ends. A slot is claimed before
    it is filled; one that was handed over is the reader's until nobody looks at it any more. filled: slots beside the
    lendable ones, for an SDK that fills so many at once.
    """

    def __init__(self, frame_bytes: int, lendable: int, filled: int = 0) -> None:
        self.slot_bytes = whole_pages(frame_bytes)
        self.lendable = lendable
        self.count = count = lendable + filled
        if count > _LAYOUT_AT:
            raise ValueError(f"{count} buffers for frames — {_LAYOUT_AT} at most — lower `buffers`")
        self.fd = os.memfd_create("lineward-frames", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, _HEADER + count * self.slot_bytes)
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
        self._header = mmap.mmap(self.fd, _HEADER)
        _LAYOUT.pack_into(self._header, _LAYOUT_AT, count, lendable, self.slot_bytes)
        memory = mmap.mmap(self.fd, count * self.slot_bytes, offset=_HEADER)
        self._slots = [
            np.frombuffer(memory, np.uint8, self.slot_bytes, place * self.slot_bytes) for place in range(count)
        ]
        self._base = _address(self._slots[0])
        self._claiming = threading.Lock()
        self._touched: set[int] = set()

    @property
    def has_free(self) -> bool:
        """True while a slot can be claimed."""
        return self._header.find(b"\0", 0, self.count) >= 0

    def claim(self) -> int | None:
        """Take the first free slot, None when there is none: few slots use little memory."""
        with self._claiming:
            place = self._header.find(b"\0", 0, self.count)
            if place < 0:
                return None
            self._header[place] = _CLAIMED
        if place not in self._touched:  # now, or page faults cost an SDK's receiving thread packets
            self._touched.add(place)
            self._slots[place][:: mmap.PAGESIZE] = 0
        return place

    def claim_again(self, place: int) -> bool:
        """Take a certain slot; False while it is not free."""
        with self._claiming:
            if self._header[place] != _FREE:
                return False
            self._header[place] = _CLAIMED
            return True

    def unclaim(self, place: int) -> None:
        """Give up a slot that was claimed, or that the reader was not told of."""
        self._header[place] = _FREE

    def slot(self, place: int) -> Pixels:
        """Return the memory of a slot, flat."""
        return self._slots[place]

    def place_of(self, pixels: NDArray[Any]) -> int | None:
        """Return the slot that these pixels are the beginning of, None where they lie elsewhere."""
        place, offset = divmod(_address(pixels) - self._base, self.slot_bytes)
        return place if not offset and 0 <= place < self.count and pixels.flags.c_contiguous else None

    def hand_over(self, place: int) -> None:
        """Give a slot to the reader, before it is told of it."""
        self._header[place] = _LENT

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
        self.count, self.lendable, self.slot_bytes = _LAYOUT.unpack_from(self._header, _LAYOUT_AT)
        self._memory = mmap.mmap(fd, self.count * self.slot_bytes, prot=mmap.PROT_READ, offset=_HEADER)
        self._leases: dict[int, weakref.ref[Pixels]] = {}

    @property
    def lent(self) -> int:
        """How many slots are looked at."""
        return len(self._leases)

    def lend(self, place: int, shape: tuple[int, ...], dtype: str) -> NDArray[np.uint8]:
        """Return a read-only view of a slot that was handed over; the slot goes back by itself."""
        kind = np.dtype(dtype)
        size = math.prod(shape) * kind.itemsize
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


def _address(pixels: NDArray[Any]) -> int:
    address: int = pixels.__array_interface__["data"][0]
    return address
