"""Buffers of pylon in memory that may be lent: one that is looked at stays away from pylon until nobody does."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from pypylon import genicam, pylon

from camera.frame import Pixels
from camera.frame_memory import FrameMemory

_LENT = 3 / 4  # of what may be lent: the rest is for copies


class Buffers(pylon.BufferFactory):  # type: ignore[misc]  # the package has no types
    """The buffers of one acquisition; owned by the camera's grabbing thread, in which pylon asks for them, too.

    pylon queues all that it has by itself, so it gets what is to be lent beside what is wanted from the beginning.
    """

    def __init__(self, memory: FrameMemory, wanted: int) -> None:
        super().__init__()
        self._memory, self._wanted = memory, wanted
        self._places: set[int] = set()
        self._lent: dict[int, Any] = {}
        self._own: dict[int, Pixels] = {}
        wanted_places = wanted + int(memory.lendable * _LENT)
        self._claimed = [place for _ in range(wanted_places) if (place := memory.claim()) is not None]
        self.count = max(1, len(self._claimed))

    def AllocateBuffer(self, buffer_size: int) -> tuple[int, int | None]:  # noqa: N802 - pylon's name
        """Return address and place of a buffer; of memory of our own where pylon wants larger ones than it told of."""
        if self._claimed and buffer_size <= self._memory.slot(self._claimed[0]).size:
            place = self._claimed.pop(0)
            self._places.add(place)
            return _address(self._memory.slot(place)), place
        pixels = np.zeros(buffer_size, np.uint8)
        self._own[_address(pixels)] = pixels
        return _address(pixels), None

    def FreeBuffer(self, buffer: int, context: int | None) -> None:  # noqa: N802 - pylon's name
        """Give up a place; one that somebody looks at comes back without us."""
        if context is None:
            self._own.pop(buffer, None)
            return
        self._places.discard(context)
        if context not in self._lent:
            self._memory.unclaim(context)

    def memory_of(self, result: Any) -> Pixels | None:
        """Return the memory of a result's buffer, None for one that cannot be lent."""
        place = result.GetBufferContext()
        return None if place is None else self._memory.slot(place)

    def lend(self, pixels: Pixels, result: Any) -> bool:
        """Keep a buffer from pylon while it is looked at; False where that would leave pylon fewer than were wanted."""
        place = self._memory.place_of(pixels)
        if place not in self._places or len(self._places) - len(self._lent) <= self._wanted:
            return False
        self._lent[place] = result
        return True

    def has_lent(self, result: Any) -> bool:
        """Return whether somebody may look at a buffer."""
        return result.GetBufferContext() in self._lent

    def take_back(self) -> None:
        """Let pylon fill the buffers again that nobody looks at any more."""
        for place in [place for place in self._lent if self._memory.claim_again(place)]:
            self._lent.pop(place).Release()

    def end(self) -> None:
        """Take leave of pylon after its acquisition; what is looked at stays as it is."""
        for result in self._lent.values():
            with suppress(genicam.GenericException, RuntimeError):
                result.Release()
        self._lent.clear()
        while self._claimed:
            self._memory.unclaim(self._claimed.pop())


def _address(pixels: Pixels) -> int:
    address: int = pixels.__array_interface__["data"][0]
    return address
