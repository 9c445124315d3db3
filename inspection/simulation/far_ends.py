"""What stands at the far end of the demo's serial line, and how the account asks it what it saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inspection.ejector.controller.core import EJECT, RUN
from inspection.ejector.controller.simulated import SimulatedController, SimulatedControllerEjector
from inspection.ejector.interface import Ejector
from inspection.ejector.simulated import SimulatedBoard

REJECT_CHANNEL = 1
HEARTBEAT_CHANNEL = 2


class RelayFarEnd:
    """A relay board with an ejector and a watchdog; owned by the demo, it outlives the station."""

    def __init__(self) -> None:
        self._board = SimulatedBoard("lcus", channels=2)
        self.ejector: Mapping[str, object] = {
            "driver": "lcus",
            "port": self._board.port,
            "channel": REJECT_CHANNEL,
            "heartbeat_channel": HEARTBEAT_CHANNEL,
        }

    def began(self, ejector: Ejector) -> None:
        """Note that the line runs."""

    def lead_ns(self, ejector: Ejector) -> int:
        """Return how long before a part is due its command is written."""
        return ejector.lead_ns

    def rejects_host_ns(self) -> Sequence[int]:
        """Return when each reject command arrived."""
        return [pulse.on_host_ns for pulse in self._board.pulses(REJECT_CHANNEL)]

    def unsafe(self, *, ran: bool) -> list[str]:
        """Return what is wrong after the station has gone: a channel that is on, a heartbeat that never beat."""
        broken = []
        on = [channel for channel in (REJECT_CHANNEL, HEARTBEAT_CHANNEL) if self._board.level(channel)]
        if on:
            broken.append(f"4 silence is safe: channels {on} are still on after the end")
        if ran and not any(edge.on for edge in self._board.edges(HEARTBEAT_CHANNEL)):
            broken.append("4 silence is safe: the heartbeat never beat")
        return broken

    def close(self) -> None:
        """End the board."""
        self._board.close()


class ControllerFarEnd:
    """The controller's own firmware, which the station's simulated ejector starts and ends."""

    ejector: Mapping[str, object] = {"driver": "simulated_controller"}

    def __init__(self) -> None:
        self._board: SimulatedController | None = None
        self._before = 0

    def began(self, ejector: Ejector) -> None:
        """Find the controller; what it held before the line ran was of no part."""
        assert isinstance(ejector, SimulatedControllerEjector)
        self._board = ejector.board
        self._before = len(self._board.pulses())

    def lead_ns(self, ejector: Ejector) -> int:
        """Return 0: the controller fires when the part is there, and tells when that was."""
        del ejector
        return 0

    def rejects_host_ns(self) -> Sequence[int]:
        """Return when each reject pulse began."""
        assert self._board is not None
        return [on_host_ns for on_host_ns, _ in self._board.pulses()[self._before :]]

    def unsafe(self, *, ran: bool) -> list[str]:
        """Return what is wrong after the station has gone: the belt may still run, or it never might."""
        assert self._board is not None
        edges = self._board.edges(RUN)
        broken = []
        if edges and edges[-1].active:
            broken.append("4 silence is safe: the controller still lets the belt run after the end")
        if ran and not any(edge.active for edge in edges):
            broken.append("4 silence is safe: the controller never let the belt run")
        if ran and not self._board.edges(EJECT):
            broken.append("4 silence is safe: the ejector never moved")
        return broken

    def close(self) -> None:
        """Do nothing: the controller ends with its ejector."""
