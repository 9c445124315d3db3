"""The ejector at the belt: what its output really does to the parts in front of it."""

from __future__ import annotations

from inspection.simulation.virtual.belt import Piece, Pulse


class Nozzle:
    """The ejector itself. It hits what is in front of it while it is on and has air; a gate diverts while it is off."""

    def __init__(self) -> None:
        self.on = False
        self.air = True
        self.pulse = Pulse()
        self.inside: list[Piece] = []

    def switch(self, on: bool) -> None:
        """Take the output's level."""
        if on and not self.on:
            self.pulse = Pulse()
        self.on = on
        if on:
            for piece in self.inside:
                self._hit(piece)

    def fire_for(self, place: int) -> None:
        """Take note of which part the pulse that stands is for."""
        self.pulse.fired_for.append(place)

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
