"""A relay board without hardware: a process at the far end of a pty, and an ejector that drives it for real."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from inspection.ejector.child import package_environment
from inspection.ejector.client import SerialEjector
from inspection.ejector.errors import EjectorError, EjectorLostError
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


class SimulatedBoard:
    """A relay board on a pty, in a process of its own. Any thread may use it; it ends with `close` or its owner.

    `port` is the path to open; it stays the same from `unplug` to `replug`. The last 200,000 commands are kept.
    """

    def __init__(self, protocol: str = "lcus", channels: int = 4) -> None:
        self._lock = threading.Lock()
        self._edges: deque[Edge] = deque(maxlen=HISTORY)
        self._counts = {"commands": 0, "garbage_bytes": 0}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "inspection.ejector.farend", protocol, str(channels)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=package_environment(),
            start_new_session=True,
            text=True,
        )
        self._open = True
        self.port: str = self._answer()["port"]

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
        with self._lock:
            return bool(self._ask(do="wait", count=count, timeout_s=timeout_s)["reached"])

    def set_input(self, number: int, on: bool) -> None:
        """Set the level of an input, counted from 1, of a board that has some."""
        with self._lock:
            self._ask(do="input", number=number, on=on)

    def unplug(self) -> None:
        """Pull the cable: the path vanishes, the line hangs up."""
        with self._lock:
            self._ask(do="unplug")

    def replug(self) -> None:
        """Plug the cable in again, under the same path."""
        with self._lock:
            self._ask(do="replug")

    def close(self) -> None:
        """End the board; what it has seen stays readable. Idempotent."""
        with self._lock:
            if not self._open:
                return
            self._fetch()
            self._open = False
            self._process.communicate(timeout=10.0)

    def _fetch(self) -> None:
        answer = self._ask(do="edges", after=self._counts["commands"])
        self._edges.extend(Edge(*values) for values in answer["edges"])
        self._counts = {"commands": answer["commands"], "garbage_bytes": answer["garbage_bytes"]}

    def _ask(self, **request: object) -> Any:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise EjectorLostError("the simulated relay board has ended — start it again") from error
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise EjectorLostError("the simulated relay board has ended — start it again")
        return json.loads(line)


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
