"""Virtual time: what happens next, in an order that one seed always repeats."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

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
        heappush(self._events, (moment_ns if moment_ns > self.now_ns else self.now_ns, self._sequence, event))

    def after(self, delay_ns: int, event: Event) -> None:
        """Have something happen after a time."""
        self._sequence += 1
        heappush(self._events, (self.now_ns + delay_ns, self._sequence, event))

    def clock(self) -> int:
        """Return the virtual moment, in place of `time.monotonic_ns`."""
        return self.now_ns

    def steps(self, count: int) -> None:
        """Let the next things happen; a line always has some to come."""
        events = self._events
        for _ in range(count):
            self.now_ns, _, event = heappop(events)
            event()
