"""Shared slots: none is written while anybody looks at it, and none is forgotten."""

from __future__ import annotations

import gc
import os

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule
from numpy.typing import NDArray

from camera.own_process.slots import MOST_SLOTS, SlotReader, SlotWriter, slots_for

COUNT = 4


class Slots(RuleBasedStateMachine):
    """The driver fills what is free and grows, the station lends, views, copies of views and lets go in any order."""

    told = Bundle("told")
    views = Bundle("views")

    def __init__(self) -> None:
        super().__init__()
        self.number = 0
        self.kept: list[tuple[NDArray[np.uint8], int]] = []
        self._make(100)

    def _make(self, size: int) -> None:
        self.writer = SlotWriter(size, COUNT)
        self.reader = SlotReader(self.writer.fd)
        self.writer.close()
        self.out = 0  # handed over and not yet lent or given back

    @rule(target=told, size=st.integers(1, 5000))
    def fill(self, size: int) -> object:
        """Write a frame where the writer finds room; larger ones need new memory."""
        if size > self.writer.slot_bytes:
            self._make(size)
        place = self.writer.claim()
        assert (place is None) == (self.out + self.reader.lent == COUNT)
        if place is None:
            return multiple()
        self.number += 1
        self.writer.slot(place)[:size] = self.number % 251
        self.writer.hand_over(place)
        self.out += 1
        return self.reader, place, size, self.number % 251

    @rule(target=views, frame=consumes(told))
    def lend(self, frame: tuple[SlotReader, int, int, int]) -> object:
        """Look at a frame that was told of."""
        reader, place, size, value = frame
        if reader is not self.reader:  # the station maps new memory only when its first frame is told of
            return multiple()
        self.out -= 1
        pixels = reader.lend(place, (size, 1), "|u1")
        assert not pixels.flags.writeable
        self.kept.append((pixels, value))
        return len(self.kept) - 1

    @rule(frame=consumes(told))
    def give_back(self, frame: tuple[SlotReader, int, int, int]) -> None:
        """Drop a frame that was told of."""
        if frame[0] is self.reader:
            self.out -= 1
        frame[0].give_back(frame[1])

    @rule(place=views, start=st.integers(0, 50))
    def view(self, place: int, start: int) -> None:
        """Keep only a part of a frame, and let go of the whole."""
        if place < len(self.kept):
            pixels, value = self.kept[place]
            self.kept[place] = (pixels[start:].reshape(-1)[::2], value)

    @rule(place=st.integers(0, 20))
    def let_go(self, place: int) -> None:
        """Look at it no more."""
        if place < len(self.kept):
            del self.kept[place]

    @invariant()
    def nothing_changes_under_a_view(self) -> None:
        """What was seen is still there."""
        for pixels, value in self.kept:
            assert bool((pixels == value).all())


TestSlots = Slots.TestCase
TestSlots.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


def test_every_slot_comes_back() -> None:
    """After views of every kind are gone, in a cycle, too, all slots are free; the memory goes with the last view."""
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count
    writer = SlotWriter(10_000, COUNT)
    reader = SlotReader(writer.fd)
    writer.close()
    for _ in range(3 * COUNT):
        place = writer.claim()
        assert place is not None
        writer.hand_over(place)
        cycle: list[object] = [memoryview(reader.lend(place, (50, 100, 2), "|u1"))]
        cycle.append(cycle)
        del cycle
        gc.collect()
    assert reader.lent == 0
    writer.slot(0).fill(9)
    last = reader.lend(0, (10, 10), "<u2")
    del reader, writer
    assert last.dtype == np.uint16
    assert int(last[0, 0]) == 9 * 257
    del last
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - a count


def test_the_number_of_slots_is_bounded_by_memory() -> None:
    """Small frames get them all, large ones as many as a GiB holds, and enough to work with in any case."""
    assert slots_for(1) == slots_for(5_000_000) == MOST_SLOTS
    assert slots_for(64_000_000) == 16
    assert slots_for(1 << 30) == 8
