"""The ejector at the belt: what its output really does to the parts in front of it."""

from __future__ import annotations

from collections import deque

from inspection.simulation.virtual.belt import Piece, Pulse


class Nozzle:
    """The ejector itself. It hits what is in front of it while it is on and has air; a gate diverts while it is off.

    is_jammed: it is switched, and moves nothing.
    """

    def __init__(self) -> None:
        self.on = False
        self.air = True
        self.is_jammed = False
        self.inside: list[Piece] = []
        self._pulses: deque[tuple[int, Pulse]] = deque([(0, Pulse())], maxlen=64)

    def switch(self, on: bool, now_ns: int) -> None:
        """Take the output's level."""
        if on and not self.on:
            self._pulses.append((now_ns, Pulse()))
        self.on = on
        if on:
            for piece in self.inside:
                self._hit(piece)

    def fire_for(self, place: int, acts_ns: int) -> None:
        """Take note of which part the pulse that stood at a moment is for; it may be known only later."""
        for since_ns, pulse in reversed(self._pulses):
            if since_ns <= acts_ns:
                pulse.fired_for.append(place)
                return

    def count(self) -> None:
        """Take note that the pulse which stands is counted as a fault."""
        pulse = self._pulses[-1][1]
        pulse.is_counted = pulse.is_counted or self.on

    def enter(self, piece: Piece) -> None:
        """Take a part that comes in front of it."""
        self.inside.append(piece)
        if self.on:
            self._hit(piece)

    def _hit(self, piece: Piece) -> None:
        if self.air and not self.is_jammed and piece.hit_by is None:
            piece.hit_by = self._pulses[-1][1]
