"""The ejector at the belt: what its output really does to the parts in front of it."""

from __future__ import annotations

from collections import deque

from inspection.simulation.virtual.belt import Piece, Pulse


class Nozzle:
    """The ejector itself. It hits what is in front of it while it is on and has air; a gate diverts while it is off."""

    def __init__(self) -> None:
        self.on = False
        self.air = True
        self.pulse = Pulse()
        self._past = deque([self.pulse], maxlen=64)
        self.inside: list[Piece] = []

    def switch(self, on: bool, now_ns: int = 0) -> None:
        """Take the output's level."""
        if on and not self.on:
            self.pulse = Pulse(now_ns)
            self._past.append(self.pulse)
        self.on = on
        if on:
            for piece in self.inside:
                self._hit(piece)

    def fired(self, hits_ns: int, place: int | None, *, is_counted: bool) -> None:
        """Take note of which part the pulse was for that stood at a moment, and whether it is counted as a fault."""
        pulse = next((one for one in reversed(self._past) if one.began_ns <= hits_ns), None)
        if pulse is not None:
            pulse.is_counted = pulse.is_counted or is_counted
            if place is not None:
                pulse.fired_for.append(place)

    def count(self) -> None:
        """Take note that the pulse which stands is counted as a fault."""
        self.pulse.is_counted = self.pulse.is_counted or self.on

    def enter(self, piece: Piece) -> None:
        """Take a part that comes in front of it."""
        self.inside.append(piece)
        if self.on:
            self._hit(piece)

    def _hit(self, piece: Piece) -> None:
        if self.air and piece.hit_by is None:
            piece.hit_by = self.pulse
