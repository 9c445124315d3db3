"""Places that an SDK fills in shared memory: never one that somebody looks at, and always as many."""

from __future__ import annotations

from collections import deque

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from numpy.typing import NDArray

from camera.frame_memory import Filling, PrivateMemory
from camera.own_process.slots import SlotReader, SlotWriter

FILLED, LENDABLE, SIZE = 3, 4, 100


class FillsAndLends(RuleBasedStateMachine):
    """An acquisition fills what is queued and lends it, in any order with views that go and with restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = SlotWriter(SIZE, LENDABLE, FILLED)
        self.reader = SlotReader(self.memory.fd)
        self.memory.close()
        self.number = 0
        self.seen: list[tuple[NDArray[np.uint8], int]] = []
        self.start()

    def start(self) -> None:
        self.queued: deque[int] = deque()
        self.filling = Filling(self.memory, self.queued.append)
        self.filling.begin(FILLED)

    @rule(offset=st.sampled_from([0, 0, 0, 8]), told=st.booleans())
    def frame(self, offset: int, told: bool) -> None:
        """Fill the oldest place, as a stream does, and lend it if that can be; one begins within its buffer."""
        place, self.number = self.queued.popleft(), self.number + 1
        picture = self.memory.slot(place)[offset:SIZE]
        picture[:] = self.number % 251
        is_lent = self.filling.lend(picture)
        assert is_lent == (offset == 0 and len(self.seen) < LENDABLE)
        self.filling.again(place)
        assert (place in self.queued) != is_lent
        if is_lent and told:
            self.memory.hand_over(place)
            self.seen.append((self.reader.lend(place, (SIZE,), "|u1"), self.number % 251))
        elif is_lent:
            self.memory.unclaim(place)

    @precondition(lambda self: self.seen)
    @rule(at=st.integers(0, 100))
    def let_go(self, at: int) -> None:
        """Look at one no more."""
        del self.seen[at % len(self.seen)]

    @rule()
    def restart(self) -> None:
        """End the acquisition and begin another one in the same memory."""
        self.filling.end()
        self.start()

    @invariant()
    def what_is_looked_at_is_not_filled(self) -> None:
        """As many places are queued as ever, none twice, and no view has changed."""
        assert len(self.queued) == len(set(self.queued)) == FILLED
        assert all(bool((pixels == value).all()) for pixels, value in self.seen)


TestFillsAndLends = FillsAndLends.TestCase
TestFillsAndLends.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


def test_a_place_that_is_looked_at_is_not_claimed_again() -> None:
    """Neither while it is with the reader nor while another one fills it."""
    memory = SlotWriter(SIZE, LENDABLE, FILLED)
    reader = SlotReader(memory.fd)
    memory.close()
    place = memory.claim()
    assert place is not None
    memory.hand_over(place)
    view = reader.lend(place, (SIZE,), "|u1")
    assert not memory.claim_again(place)
    del view
    assert memory.claim_again(place)
    assert not memory.claim_again(place)


def test_private_memory_is_filled_and_never_lent() -> None:
    """Each place is queued once, and its picture is to be copied."""
    memory, queued = PrivateMemory(SIZE, FILLED), list[int]()
    filling = Filling(memory, queued.append)
    filling.begin(FILLED)
    assert queued == [0, 1, 2]
    assert not filling.lend(memory.slot(0))
    filling.again(0)
    assert queued == [0, 1, 2, 0]
    filling.end()
    assert sorted(place for _ in range(FILLED) if (place := memory.claim()) is not None) == [0, 1, 2]


def test_pixels_elsewhere_have_no_place() -> None:
    """Within a slot, in other memory or in rows that are apart: none of them is the beginning of a slot."""
    memory = SlotWriter(SIZE, LENDABLE)
    slot = memory.slot(2)
    assert memory.place_of(slot[:SIZE].reshape(10, 10)) == 2
    assert memory.place_of(slot[1:]) is None
    assert memory.place_of(slot[:SIZE].reshape(10, 10)[:, ::2]) is None
    assert memory.place_of(np.zeros(SIZE, np.uint8)) is None
    memory.close()
