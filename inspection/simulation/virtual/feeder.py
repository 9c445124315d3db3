"""Where the parts come from: one at a time, each with its truth and with what the model will find on it."""

from __future__ import annotations

from random import Random

from inspection.simulation.virtual.belt import Belt, Piece, Place
from inspection.simulation.virtual.model import LEVELS, passes
from inspection.simulation.virtual.plan import Plan


class Feeder:
    """Puts parts on the belt, the next one when the last has come to the photo-eye. fed: how many have come there."""

    def __init__(self, plan: Plan, random: Random, belt: Belt, eye: Place) -> None:
        self.fed = 0
        self._plan = plan
        self._random = random
        self._belt = belt
        self._eye = eye
        self._position = self._last = 0

    @property
    def is_empty(self) -> bool:
        """Return whether all parts have been fed."""
        return self.fed >= self._plan.parts

    def begin(self) -> None:
        """Put a part on an empty belt."""
        self._position = self._belt.position + self._plan.counts(self._plan.headway_ns)
        self.feed()

    def feed(self) -> None:
        """Put the next part behind the last one."""
        if self.is_empty:
            return
        random, plan = self._random, self._plan
        self._last = self._position
        gap = 0.75 + 0.5 * random.random()
        self._position += int(plan.counts(plan.pitch_ns) * gap)
        is_good = random.random() >= plan.defect_rate
        is_wrong = random.random() < (plan.model_overkill_rate if is_good else plan.model_escape_rate)
        low, high = (0, LEVELS // 3) if is_good != is_wrong else (LEVELS * 2 // 3, LEVELS)
        levels = tuple([random.randrange(low, high) for _ in range(plan.cameras)])
        self._eye.expect(Piece(self.fed + 1, self._position, is_good, levels, passes(plan, levels)))

    def touch(self) -> None:
        """Push the part that comes next against the one before it, without a gap."""
        if self._eye.waiting:
            piece = self._eye.waiting[0]
            length = self._plan.counts(self._plan.pitch_ns) * 2 // 5
            piece.touches = True
            piece.position = max(self._belt.position + 1, min(piece.position, self._last + length))
            self._position = piece.position
            self._eye.plan()

    def come_closer(self, gap_ns: int) -> None:
        """Bring the part that comes next nearer to the one before it."""
        if self._eye.waiting:
            piece = self._eye.waiting[0]
            piece.position = max(self._belt.position + 1, piece.position - self._plan.counts(gap_ns))
            self._position = piece.position
            self._eye.plan()
