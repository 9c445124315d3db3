"""Somebody at the line: sees to a belt that stands, confirms what is over, and starts the line again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspection.simulation.virtual.ledger import CLEARED
from inspection.simulation.virtual.plan import SECOND

if TYPE_CHECKING:
    from inspection.simulation.virtual.line import VirtualLine


class Operator:
    """Comes some seconds after the belt was stopped. Where nothing stops it, looks after the alarms now and then."""

    ROUND_NS = 5 * SECOND

    def __init__(self, line: VirtualLine) -> None:
        self._line = line
        self._is_on_it = False
        if not line.plan.belt_is_wired:
            line.agenda.after(self.ROUND_NS, self._go_round)

    def _go_round(self) -> None:
        self._line.agenda.after(self.ROUND_NS, self._go_round)
        self._line.station.post(self._line.station.confirm)

    def tripped(self) -> None:
        """Come because the belt was stopped: the line is stopped, too."""
        line = self._line
        line.ledger.account.belt_stops += 1
        line.note("the belt is stopped")
        line.station.wants_to_run = False
        if not self._is_on_it:
            self._is_on_it = True
            line.agenda.after(line.random["faults"].randrange(2, 8) * SECOND, self._see_to_it)

    def _see_to_it(self) -> None:
        """Wait until the station is ready, clear the belt, free the ejector, start the line."""
        line = self._line
        line.station.post(line.station.confirm)
        if not (line.drive.stands and line.station.ready):
            line.agenda.after(SECOND, self._see_to_it)
            return
        line.note("the operator clears the belt and starts the line")
        for piece in line.belt.take_off():
            if piece.position <= line.belt.position:
                line.went(CLEARED, piece)
        line.nozzle.is_jammed = False
        line.feeder.begin()
        self._is_on_it = False
        line.drive.reset()
        line.station.wants_to_run = True
