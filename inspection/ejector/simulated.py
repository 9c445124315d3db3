"""A relay board without hardware: a process at the far end of a pty, and an ejector that drives it for real."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inspection.ejector.client import SerialEjector
from inspection.ejector.errors import EjectorError
from inspection.ejector.far_process import FarEndProcess
from inspection.ejector.farend import HISTORY
from inspection.ejector.interface import EjectorHealth
from inspection.ejector.settings import Settings
from inspection.part import Actuation

if TYPE_CHECKING:
    from camera.frame import Trigger


@dataclass(frozen=True, slots=True)
class Pulse:
    """One ON command as the board saw it. An overlapping pulse ends together with the one that follows it.

    off_host_ns: None while the channel is still on.
    """

    channel: int
    on_host_ns: int
    off_host_ns: int | None


@dataclass(frozen=True, slots=True)
class Edge:
    """One command as the board saw it."""

    channel: int
    on: bool
    host_ns: int


class SimulatedBoard(FarEndProcess):
    """A relay board on a pty, in a process of its own. The last 200,000 commands are kept."""

    def __init__(self, protocol: str = "lcus", channels: int = 4) -> None:
        self._edges: deque[Edge] = deque(maxlen=HISTORY)
        self._counts = {"commands": 0, "garbage_bytes": 0}
        super().__init__("simulated relay board", "inspection.ejector.farend", protocol, str(channels))

    def edges(self, channel: int | None = None) -> list[Edge]:
        """Return every switching so far, oldest first; those of one channel if it is named."""
        with self._lock:
            if self._open:
                self._fetch()
            return [edge for edge in self._edges if channel in (None, edge.channel)]

    def pulses(self, channel: int = 1) -> list[Pulse]:
        """Return the pulses of a channel, in the order of their ON commands."""
        pulses: list[Pulse] = []
        standing = 0
        for edge in self.edges(channel):
            if edge.on:
                pulses.append(Pulse(channel, edge.host_ns, None))
                standing += 1
            else:
                first = len(pulses) - standing
                pulses[first:] = [replace(pulse, off_host_ns=edge.host_ns) for pulse in pulses[first:]]
                standing = 0
        return pulses

    def level(self, channel: int) -> bool:
        """Return whether a channel is on."""
        edges = self.edges(channel)
        return bool(edges) and edges[-1].on

    def counts(self) -> dict[str, int]:
        """Return how many commands arrived, and how many bytes that fitted no command."""
        self.edges()
        return dict(self._counts)

    def wait_commands(self, count: int, timeout_s: float) -> bool:
        """Wait until `count` commands have arrived since the start; return False if they do not come in time."""
        return bool(self._request(do="wait", count=count, timeout_s=timeout_s)["reached"])

    def set_input(self, number: int, on: bool) -> None:
        """Set the level of an input, counted from 1, of a board that has some."""
        self._request(do="input", number=number, on=on)

    def _fetch(self) -> None:
        answer = self._ask(do="edges", after=self._counts["commands"])
        self._edges.extend(Edge(*values) for values in answer["edges"])
        self._counts = {"commands": answer["commands"], "garbage_bytes": answer["garbage_bytes"]}


class SimulatedEjector(SerialEjector):
    """A serial ejector with its own simulated board: the same driver, the same bytes, a pty instead of a cable.

    settings: as for a real board, with its driver and no port.
    """

    def __init__(self, settings: Settings, channels: int) -> None:
        super().__init__(settings)
        self._channels = channels
        self._board: SimulatedBoard | None = None

    @property
    def board(self) -> SimulatedBoard:
        """The board of the last opening, readable after `close`, too."""
        if self._board is None:
            raise EjectorError("the simulated ejector has no board yet — its board starts with it — open it first")
        return self._board

    def open(
        self,
        on_actuation: Callable[[Actuation], None],
        on_health: Callable[[EjectorHealth], None],
        on_trigger: Callable[[Trigger], None] | None = None,
    ) -> None:
        """Start the board, then the ejector on its port."""
        self._board = SimulatedBoard(self._settings.driver, self._channels)
        self._settings = replace(self._settings, port=self._board.port)
        try:
            super().open(on_actuation, on_health, on_trigger)
        except EjectorError:
            self._board.close()
            raise

    def close(self) -> None:
        """End the ejector, then its board."""
        super().close()
        if self._board is not None:
            self._board.close()
