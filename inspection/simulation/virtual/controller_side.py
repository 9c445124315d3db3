"""The ejector's side of a line with a device-timed controller: its cable, its inputs, and its outputs at the belt."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from inspection.ejector.controller.core import EJECT
from inspection.simulation.virtual.belt import Piece
from inspection.simulation.virtual.cable import Cable
from inspection.simulation.virtual.controller import Crossing, Overheard
from inspection.simulation.virtual.driving import DrivenController

if TYPE_CHECKING:
    from inspection.simulation.virtual.line import VirtualLine
    from inspection.simulation.virtual.station import VirtualStation


class ControllerSide:
    """Owned by the line. The controller lives as long as the line; each station greets it anew."""

    def __init__(self, line: VirtualLine) -> None:
        self._line = line
        self.cable = Cable(line.agenda, line.random["link"])
        overheard = Overheard(self._switched, self._passed, self._pulsed, self._ended)
        self.controller = line.CONTROLLER(line.plan, line.agenda, line.random["link"], line.belt, self.cable, overheard)

    def make_ejector(self) -> DrivenController:
        """Return the station's end."""
        line = self._line
        return DrivenController(line.plan, line.agenda, self.cable, self.controller.crossing, self._took)

    def start(self, station: VirtualStation) -> None:
        """Let a station open the port."""
        ejector = station.ejector
        assert isinstance(ejector, DrivenController)
        ejector.belongs_to(station)
        ejector.start()

    def edge(self, piece: Piece | None, place: int, picture_of: Piece | None) -> None:
        """Take an edge of the photo-eye: it is wired to the controller and to the first camera's trigger."""
        self.controller.trigger(piece, place)
        self._line.devices[0].expose(picture_of)

    def seen_behind(self) -> None:
        """Let a part that was hit cross the confirming sensor."""
        self.controller.ejected()

    @property
    def is_free(self) -> bool:
        """Return whether another station may have the port."""
        return True

    def orphan(self) -> None:
        """Take note that the station was killed: the controller finds out by itself."""

    # -- what the controller really does -------------------------------------------------------------------------

    def _took(self, crossing: Crossing, run: str, number: int) -> None:
        """Take note of the number by which the station knows a part."""
        tag = self._line.ledger.tag(run, number)
        crossing.taken = tag
        if tag is None:
            return
        tag.pulses = crossing.pulses
        if crossing.ended:
            self._line.ledger.came_through(tag)

    def _passed(self, crossing: Crossing) -> None:
        if crossing.taken is not None:
            self._line.ledger.let_pass(crossing.taken, self._line.all_views)

    def _pulsed(self, crossing: Crossing, device_us: int, late: bool) -> None:
        line = self._line
        line.ledger.fired(crossing.taken, device_us)
        acts_ns = line.agenda.now_ns + line.plan.LEAD_NS
        line.agenda.at(acts_ns, partial(line.nozzle.fired, acts_ns, crossing.place, is_counted=late))

    def _ended(self, crossing: Crossing) -> None:
        if crossing.taken is not None:
            self._line.ledger.came_through(crossing.taken)

    def _switched(self, output: int, active: bool, since_ns: int) -> None:
        line = self._line
        if output == EJECT:
            line.agenda.at(since_ns + line.plan.LEAD_NS, partial(line.eject, active))
        elif line.plan.belt_is_wired:
            line.agenda.after(0, partial(line.drive_may_run, active))
