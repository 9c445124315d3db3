"""The ejector's side of a line with a relay board: its process, which may be killed, and its output at the belt."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from inspection.part import Actuation, EjectorAction
from inspection.simulation.virtual.belt import Piece
from inspection.simulation.virtual.ejecting import Board, Scheduler
from inspection.simulation.virtual.linked import LinkedEjector
from inspection.simulation.virtual.plan import MS

if TYPE_CHECKING:
    from inspection.simulation.virtual.line import VirtualLine
    from inspection.simulation.virtual.station import VirtualStation

HEARTBEAT = 2


class RelaySide:
    """Owned by the line; starts the ejector's process for each station, and another one where it was killed."""

    def __init__(self, line: VirtualLine) -> None:
        self._line = line
        rules = line.plan.rules()
        self.board = Board(line.agenda, rules.lead_ns, rules.pulse_ns if rules.ends_itself else None, self._switched)
        self.scheduler: Scheduler | None = None

    def make_ejector(self) -> LinkedEjector:
        """Return the station's end."""
        return LinkedEjector(self._line.plan)

    def start(self, station: VirtualStation) -> None:
        """Start the ejector's process for a station."""
        line, ejector = self._line, station.ejector
        assert isinstance(ejector, LinkedEjector)
        self.scheduler = line.SCHEDULER(
            line.agenda,
            line.random["link"],
            line.plan.rules(),
            self.board,
            report=partial(self._reported, station, ejector),
            health=lambda connected, counts: self._link(station, partial(ejector.health_is, connected, counts)),
            pulsed=partial(self._pulsed, station.run),
            overran=self._overran,
            passed=partial(line.ledger.released, station.run, all_views=line.all_views),
        )
        ejector.connect(self.scheduler)

    def edge(self, piece: Piece | None, place: int, picture_of: Piece | None) -> None:
        """Take an edge of the photo-eye: the camera counts it, and tells the station."""
        self._line.eye.edge(piece, place, picture_of, has_encoder=self._line.plan.encoder)

    def seen_behind(self) -> None:
        """Let a part that was hit cross the confirming sensor."""
        self.board.cross_sensor()

    @property
    def is_free(self) -> bool:
        """Return whether another station may have the port."""
        return self.scheduler is None or self.scheduler.ended

    def orphan(self) -> None:
        """Take note that the station was killed: what is armed still fires."""
        if self.scheduler is not None:
            self.scheduler.orphan()

    def kill_scheduler(self) -> None:
        """Kill the ejector's process; the station has another one started."""
        line, scheduler = self._line, self.scheduler
        station = line.station
        if station.dead or scheduler is None or scheduler.ended:
            return
        line.note("the ejector's process is killed")
        self._overran()
        scheduler.kill()
        ejector = station.ejector
        assert isinstance(ejector, LinkedEjector)
        line.agenda.after(10 * MS, partial(station.post, partial(ejector.connect, None)))
        line.agenda.after(210 * MS, partial(station.post, partial(self._replace_scheduler, station)))

    def _replace_scheduler(self, station: VirtualStation) -> None:
        if station is self._line.station and not station.dead:
            self.start(station)

    def _link(self, station: VirtualStation, event: Callable[[], None]) -> None:
        self._line.agenda.after(Scheduler.LINK_NS, partial(station.post, event))

    def _reported(self, station: VirtualStation, ejector: LinkedEjector, actuation: Actuation) -> None:
        story = self._line.story
        if story is not None:
            story.number(station.run, actuation.part, f"the ejector reports: {actuation}")
        self._link(station, partial(ejector.reported, actuation))

    def _pulsed(self, run: str, actuation: Actuation) -> None:
        line, written_ns = self._line, actuation.written_host_ns or 0
        line.ledger.pulsed(run, actuation.part, written_ns)
        acts_ns = written_ns + line.plan.LEAD_NS
        tag = line.ledger.tag(run, actuation.part)
        is_counted = actuation.action is EjectorAction.FIRED_LATE
        told = partial(line.nozzle.fired, acts_ns, None if tag is None else tag.place, is_counted=is_counted)
        line.agenda.at(max(acts_ns, line.agenda.now_ns), told)

    def _overran(self) -> None:
        """Take note that the pulse which stands, or has been written and not yet begun, is counted as a fault."""
        self._line.nozzle.count()
        self._line.agenda.after(self._line.plan.LEAD_NS, self._line.nozzle.count)

    def _switched(self, channel: int, on: bool) -> None:
        if channel == HEARTBEAT:
            self._line.drive.edge()
        else:
            self._line.nozzle.switch(on, self._line.agenda.now_ns)
