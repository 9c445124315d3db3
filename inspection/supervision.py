"""What is looked at regularly beside the parts, and what follows from it: without a thread, by clocks handed in."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from inspection.alarm_board import AlarmBoard
from inspection.alarms import Reaction
from inspection.ejector.interface import Ejector
from inspection.faults.watch import ClockWatch, EjectorWatch
from inspection.flow import PartFlow


class Supervised(Protocol):
    """The station, as far as its supervision is concerned."""

    alarms: AlarmBoard
    flow: PartFlow

    @property
    def wants_to_run(self) -> bool:
        """Whether the operator wants the line to run."""

    @property
    def winding_down(self) -> bool:
        """Whether the line is being stopped, and the belt runs out."""

    @property
    def ejector(self) -> Ejector:
        """What rejects the parts."""


class Supervision:
    """The rules of the supervisor, the same in the station and in the simulator. Owned by who calls `look`.

    begin_stop: stops the line in order, however long that takes, and calls `stopped` then.
    """

    def __init__(
        self,
        station: Supervised,
        ejector: EjectorWatch,
        begin_stop: Callable[[], None],
        *,
        host_ns: Callable[[], int] = time.monotonic_ns,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._station = station
        self._alarms = station.alarms
        self._begin_stop = begin_stop
        self._host_ns = host_ns
        self._stops_seen = 0
        self.stopping = False
        """True while the line is being stopped because of a fault."""
        self.clock = ClockWatch(self._alarms, wall_ns, host_ns)
        self._ejector = ejector

    def look(self) -> None:
        """Raise and clear alarms, stop the line where one asks for it, and tell the ejector that the station lives.

        The heartbeat goes on only while the operator wants the line to run and no alarm withdraws it.
        """
        station = self._station
        self._ejector.look(station.ejector.health(), station.flow.tracker.in_flight > 0, self._host_ns())
        self.clock.look()
        self._alarms.expire()
        self._stop_if_asked()
        beats = station.wants_to_run and not station.winding_down
        if beats and not self._alarms.silencing and not self.stopping:
            station.ejector.alive()

    def _stop_if_asked(self) -> None:
        """Stop the line in order when a fault's reaction says so: first the belt, then, when it stands, the line."""
        asked, self._stops_seen = self._alarms.stops > self._stops_seen, self._alarms.stops
        if asked and self._station.wants_to_run and not self.stopping:
            self.stopping = True
            self._station.flow.shut()
            causes = [one.name for one in self._alarms.active() if one.reaction is Reaction.STOP_LINE]
            self._alarms.raise_alarm("LINE_STOPPED", fault=", ".join(causes))
            self._begin_stop()

    def stopped(self, *, for_good: bool = False) -> None:
        """Take note that the line has been stopped. for_good: nothing may pass any more."""
        self.stopping = False
        self._station.flow.shut(for_good)
