"""Virtual time: what happens next, in an order that one seed always repeats."""

from __future__ import annotations

import heapq
from collections.abc import Callable

Event = Callable[[], None]


class Agenda:
    """The moments to come, ns of virtual time. Two events of one moment happen in the order in which they were put in.

    It stands for every clock of the line: nothing in a simulation reads any other.
    """

    __slots__ = ("_events", "_sequence", "now_ns")

    def __init__(self) -> None:
        self.now_ns = 1_000_000_000
        self._events: list[tuple[int, int, Event]] = []
        self._sequence = 0

    def at(self, moment_ns: int, event: Event) -> None:
        """Have something happen at a moment; at once if that is over."""
        self._sequence += 1
        heapq.heappush(self._events, (max(moment_ns, self.now_ns), self._sequence, event))

    def after(self, delay_ns: int, event: Event) -> None:
        """Have something happen after a time."""
        self.at(self.now_ns + delay_ns, event)

    def clock(self) -> int:
        """Return the virtual moment, in place of `time.monotonic_ns`."""
        return self.now_ns

    def step(self) -> bool:
        """Let the next thing happen; False when nothing is left."""
        if not self._events:
            return False
        self.now_ns, _, event = heapq.heappop(self._events)
        event()
        return True
