"""The station's end of a reject controller in virtual time: the real conversation, without its thread and its port."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from inspection.ejector.controller.conversation import Conversation, Listeners
from inspection.ejector.errors import EjectorLostError
from inspection.ejector.interface import Ejector, EjectorHealth
from inspection.part import Verdict
from inspection.simulation.virtual.agenda import Agenda
from inspection.simulation.virtual.cable import Cable
from inspection.simulation.virtual.controller import Crossing, controller_settings
from inspection.simulation.virtual.plan import Plan

if TYPE_CHECKING:
    from camera.frame import Trigger
    from inspection.simulation.virtual.station import VirtualStation


class DrivenController(Ejector):
    """What `ControllerEjector` is, driven by events instead of a thread: it ticks, hears, loses the port, opens it.

    crossing: what really broke the beam for a tag; None where nobody remembers.
    """

    reports_triggers = True
    WAKE_NS = 50_000
    WIRE_NS = 5_000_000

    def __init__(
        self,
        plan: Plan,
        agenda: Agenda,
        cable: Cable,
        crossing: Callable[[int], Crossing | None],
        took: Callable[[Crossing, str, int], None],
    ) -> None:
        self._settings = controller_settings(plan)
        self._agenda = agenda
        self._cable = cable
        self._crossing = crossing
        self._took = took
        self._station: VirtualStation | None = None
        self._is_open = False
        self._turn_number = 0
        self._words_wait = False

    def belongs_to(self, station: VirtualStation) -> None:
        """Take the station, before it opens its ejector."""
        self._station = station

    @property
    def lead_ns(self) -> int:
        """How long before a part is at the ejector its verdict is due."""
        return self._settings.verdict_lead_ns + self.WIRE_NS

    def open(self, on_actuation: Any, on_health: Any, on_trigger: Any = None) -> None:
        """Begin the conversation; it goes on once `belongs_to` has been called."""
        del on_trigger
        listeners = Listeners(on_actuation, on_health, self._triggered, self._moved, self._noted)
        self.talk = Conversation(self._settings, self._cable.to_controller.write, listeners)

    def start(self) -> None:
        """Open the port."""
        assert self._station is not None
        post = self._station.post
        self._cable.hung_up = lambda: post(partial(self._lose, "the port has hung up"))
        self._cable.to_station.arrived = lambda data: post(partial(self._hear, data))
        self._reopen()

    # -- the loop ------------------------------------------------------------------------------------------------

    def _post_at(self, moment_ns: int, event: Callable[[], None]) -> None:
        station = self._station
        assert station is not None
        self._agenda.at(moment_ns, partial(station.post, event))

    def _reopen(self) -> None:
        if not self._cable.plugged:
            self._post_at(self._agenda.now_ns + round(self._settings.reopen_s * 1e9), self._reopen)
            return
        self._is_open = True
        self.talk.begin(self._agenda.now_ns)
        self._turn()

    def _turn(self) -> None:
        self._words_wait = False
        if not self._is_open:
            return
        now_ns = self._agenda.now_ns
        try:
            self.talk.tick(now_ns)
        except EjectorLostError as error:
            self._lose(str(error))
            return
        self._turn_number += 1
        self._post_at(max(self.talk.next_ns(now_ns), now_ns + 1), partial(self._next_turn, self._turn_number))

    def _next_turn(self, number: int) -> None:
        if number == self._turn_number:
            self._turn()

    def _hear(self, data: bytes) -> None:
        if self._is_open:
            self.talk.hear(data, self._agenda.now_ns)
            self._turn()

    def _lose(self, detail: str) -> None:
        if self._is_open:
            self._is_open = False
            self.talk.lose(detail)
            self._post_at(self._agenda.now_ns + round(self._settings.reopen_s * 1e9), self._reopen)

    # -- what it tells the station -------------------------------------------------------------------------------

    def _triggered(self, trigger: Trigger) -> None:
        station = self._station
        assert station is not None
        tag = self.talk.book.tag(trigger.number)
        crossing = None if tag is None else self._crossing(tag)
        if crossing is None:
            crossing = Crossing(None, 0, ended=True)
        station.tagged(trigger, crossing.piece, crossing.place)
        self._took(crossing, station.run, trigger.number)

    def _moved(self, host_ns: int, position: int) -> None:
        assert self._station is not None
        self._station.flow.on_motion(host_ns, position)

    def _noted(self, event: Any) -> None:
        assert self._station is not None
        self._station.heard(event)

    # -- what the station tells it -------------------------------------------------------------------------------

    def expect(self, part: int, due: int) -> None:
        """Do nothing: the controller armed the part's reject at its trigger."""

    def moved(self, host_ns: int, position: int) -> None:
        """Do nothing: the controller counts its own encoder."""

    def decide(self, part: int, verdict: Verdict) -> None:
        """Pass a verdict on."""
        if self.talk.decide(part, verdict) and not self._words_wait:
            self._words_wait = True
            self._post_at(self._agenda.now_ns + self.WAKE_NS, self._turn)

    def alive(self) -> None:
        """Let the heartbeat go on."""
        self.talk.alive(self._agenda.now_ns)

    def turn(self) -> None:
        """Do nothing: it wakes by itself."""

    def health(self) -> EjectorHealth:
        """Return the last known health."""
        return self.talk.health

    def close(self) -> None:
        """Do nothing: a simulated station ends by being killed."""
