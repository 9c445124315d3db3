"""Everything that an ejector told, and bounded waits for what it is still to tell."""

from __future__ import annotations

import threading
from collections.abc import Callable

from inspection.ejector.interface import EjectorHealth
from inspection.part import Actuation

BOUND_S = 30.0


class Reports:
    """Everything that an ejector told, with a bounded wait for what it is still to tell."""

    def __init__(self) -> None:
        self._told = threading.Condition()
        self.actuations: list[Actuation] = []
        self.healths: list[EjectorHealth] = []

    def actuation(self, actuation: Actuation) -> None:
        with self._told:
            self.actuations.append(actuation)
            self._told.notify_all()

    def health(self, health: EjectorHealth) -> None:
        with self._told:
            self.healths.append(health)
            self._told.notify_all()

    def wait(self, count: int) -> dict[int, Actuation]:
        """Wait until that many parts are reported; each of them once."""
        with self._told:
            assert self._told.wait_for(lambda: len(self.actuations) >= count, BOUND_S), self.actuations
            by_part = {actuation.part: actuation for actuation in self.actuations}
            assert len(by_part) == len(self.actuations) == count
            return by_part

    def wait_health(self, holds: Callable[[EjectorHealth], bool]) -> EjectorHealth:
        """Wait until the newest health is as wanted."""
        with self._told:
            assert self._told.wait_for(lambda: bool(self.healths) and holds(self.healths[-1]), BOUND_S), self.healths
            return self.healths[-1]
