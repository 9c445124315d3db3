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
        self._pulses = deque([Pulse()], maxlen=64)

    def switch(self, on: bool, now_ns: int) -> None:
        """Take the output's level."""
        if on and not self.on:
            self._pulses.append(Pulse(now_ns))
        self.on = on
        if on:
            for piece in self.inside:
                self._hit(piece)

    def fired(self, acts_ns: int, place: int | None, *, is_counted: bool) -> None:
        """Take note of which part the pulse was for that stood at a moment, and whether it is counted as a fault.

        It may be known only later: with an encoder a pulse is held against the samples that come after it.
        """
        pulse = next((one for one in reversed(self._pulses) if one.began_ns <= acts_ns), None)
        if pulse is not None:
            pulse.is_counted = pulse.is_counted or is_counted
            if place is not None:
                pulse.fired_for.append(place)

    def count(self) -> None:
        """Take note that the pulse which stands is counted as a fault."""
        pulse = self._pulses[-1]
        pulse.is_counted = pulse.is_counted or self.on

    def enter(self, piece: Piece) -> None:
        """Take a part that comes in front of it."""
        self.inside.append(piece)
        if self.on:
            self._hit(piece)

    def _hit(self, piece: Piece) -> None:
        if self.air and not self.is_jammed and piece.hit_by is None:
            piece.hit_by = self._pulses[-1]
