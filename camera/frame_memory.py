"""Memory that an SDK fills with pictures: its owner may lend a filled place on, and no picture is copied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from camera.frame import Pixels


class FrameMemory(Protocol):
    """Places of one size: each is free, claimed by who fills it, or looked at. From any thread."""

    @property
    def count(self) -> int:
        """Return how many places there are."""
        ...

    @property
    def lendable(self) -> int:
        """Return how many of them may be looked at at once, beside those that are being filled."""
        ...

    def slot(self, place: int) -> Pixels:
        """Return the memory of a place, flat."""
        ...

    def place_of(self, pixels: Pixels) -> int | None:
        """Return the place that these pixels are the beginning of, None where they lie elsewhere."""
        ...

    def claim(self) -> int | None:
        """Take a free place to fill it, None where there is none."""
        ...

    def claim_again(self, place: int) -> bool:
        """Take a certain place to fill it; False while it is not free."""
        ...

    def unclaim(self, place: int) -> None:
        """Give up a place that was claimed: nothing is written to it any more."""
        ...


MemorySource = Callable[[int, int], FrameMemory]
"""Return memory for frames of so many bytes, so many of which are filled at once."""


class PrivateMemory:
    """Places that are filled and never lent: each picture is copied out of its place."""

    lendable = 0

    def __init__(self, frame_bytes: int, filled: int) -> None:
        self._slots = [np.zeros(frame_bytes, np.uint8) for _ in range(filled)]
        self._free = list(range(filled))

    @property
    def count(self) -> int:
        """How many places there are."""
        return len(self._slots)

    def slot(self, place: int) -> Pixels:
        """Return the memory of a place, flat."""
        return self._slots[place]

    def place_of(self, pixels: Pixels) -> int | None:
        """Return None: nothing here is lent."""
        del pixels
        return None

    def claim(self) -> int | None:
        """Take a place to fill it."""
        return self._free.pop(0) if self._free else None

    def claim_again(self, place: int) -> bool:
        """Return False: nothing here is lent, so nothing comes back."""
        del place
        return False

    def unclaim(self, place: int) -> None:
        """Give up a place."""
        self._free.append(place)


class Filling:
    """The places that an SDK fills now, always as many; owned by who may wait in the SDK.

    queue: hands a claimed place to the SDK.
    """

    def __init__(self, memory: FrameMemory, queue: Callable[[int], None]) -> None:
        self._memory, self._queue = memory, queue
        self._places: set[int] = set()

    @property
    def filled(self) -> int:
        """How many places are the SDK's."""
        return len(self._places)

    def begin(self, filled: int) -> None:
        """Hand so many places to the SDK; fewer where somebody still looks at the others."""
        while len(self._places) < filled and self._fill_another():
            pass

    def lend(self, pixels: Pixels) -> bool:
        """Leave the place of a picture to whoever looks at it, and fill another one; False where that cannot be."""
        place = self._memory.place_of(pixels)
        if place not in self._places or not self._fill_another():
            return False
        self._places.discard(place)
        return True

    def again(self, place: int) -> None:
        """Let a place be filled again, unless it was lent."""
        if place in self._places:
            self._queue(place)

    def end(self) -> None:
        """Give up all places: the SDK writes to none of them any more."""
        while self._places:
            self._memory.unclaim(self._places.pop())

    def _fill_another(self) -> bool:
        place = self._memory.claim()
        if place is None:
            return False
        self._places.add(place)
        self._queue(place)
        return True
