"""A reject controller without hardware: its firmware at the far end of a pty, and an ejector that talks to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from camera.frame import Trigger
from inspection.ejector.controller.build import library
from inspection.ejector.controller.conversation import Event
from inspection.ejector.controller.core import EJECT, RUN
from inspection.ejector.controller.driver import ControllerEjector
from inspection.ejector.controller.farend import HISTORY
from inspection.ejector.controller.settings import ControllerSettings
from inspection.ejector.controller.wire import State
from inspection.ejector.errors import EjectorError
from inspection.ejector.far_process import FarEndProcess
from inspection.ejector.interface import EjectorHealth
from inspection.part import Actuation


@dataclass(frozen=True, slots=True)
class Edge:
    """One switching of an output (EJECT or RUN), `active` in its logical sense."""

    output: int
    active: bool
    host_ns: int


class SimulatedController(FarEndProcess):
    """The firmware on a pty, in a process of its own; unplugged it works on.

    Raises ControllerBuildError where the firmware cannot be compiled.
    """

    def __init__(self) -> None:
        library()  # built here, where an error can be told
        self._edges: deque[Edge] = deque(maxlen=HISTORY)
        self._fetched = 0
        super().__init__("simulated controller", "inspection.ejector.controller.farend")

    def trigger(self, at_host_ns: int | None = None) -> None:
        """Let a part break the trigger's beam now, or let it have done so a moment ago.

        A pin has its edge at that moment; the message to this process takes longer.
        """
        self._request(do="plan", events=[(0, "trigger")], from_host_ns=at_host_ns)

    def plan(self, events: list[tuple[int, str]]) -> None:
        """Let inputs happen: (µs from now, "trigger", "presence", "ejected", "bin_full" or "bin_empty")."""
        self._request(do="plan", events=events, from_host_ns=None)

    def belt(self, parts: int, spacing_us: int) -> None:
        """Let parts come to the trigger, the first after one spacing."""
        self.plan([(spacing_us * (index + 1), "trigger") for index in range(parts)])

    def set_speed(self, counts_per_s: float) -> None:
        """Let the encoder run."""
        self._request(do="speed", counts_per_s=counts_per_s)

    def reset(self) -> None:
        """Reset the controller; the line stays up."""
        self._request(do="reset")

    def state(self) -> dict[str, Any]:
        """Return state, in_flight, boot_id, triggers, count and switchings."""
        return dict(self._request(do="state"))

    def controller_state(self) -> State:
        """Return the state that the firmware is in."""
        return State(self.state()["state"])

    def wait(self, timeout_s: float, **least: int) -> bool:
        """Wait until each of these values of `state` is that high; return False if that does not happen in time."""
        return bool(self._request(do="wait", least=least, timeout_s=timeout_s)["reached"])

    def edges(self, output: int | None = None) -> list[Edge]:
        """Return every switching so far, oldest first; those of one output if it is named."""
        with self._lock:
            if self._open:
                self._fetch()
            return [edge for edge in self._edges if output in (None, edge.output)]

    def pulses(self) -> list[tuple[int, int | None]]:
        """Return the ejector's pulses: (on host ns, off host ns), the last None while it is on."""
        pulses: list[tuple[int, int | None]] = []
        for edge in self.edges(EJECT):
            if edge.active:
                pulses.append((edge.host_ns, None))
            elif pulses and pulses[-1][1] is None:
                pulses[-1] = (pulses[-1][0], edge.host_ns)
        return pulses

    def running(self) -> bool:
        """Return whether the belt may run."""
        edges = self.edges(RUN)
        return bool(edges) and edges[-1].active

    def _fetch(self) -> None:
        answer = self._ask(do="edges", after=self._fetched)
        self._edges.extend(Edge(*values) for values in answer["edges"])
        self._fetched = answer["switchings"]


class SimulatedControllerEjector(ControllerEjector):
    """A controller ejector with its own simulated controller: the same driver, the same firmware, a pty for a cable."""

    def __init__(
        self,
        settings: ControllerSettings,
        on_motion: Callable[[int, int], None] | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        super().__init__(settings, on_motion, on_event)
        self._board: SimulatedController | None = None

    @property
    def board(self) -> SimulatedController:
        """The controller of the last opening, readable after `close`, too."""
        if self._board is None:
            raise EjectorError("the simulated ejector has no controller yet — it starts with it — open it first")
        return self._board

    def open(
        self,
        on_actuation: Callable[[Actuation], None],
        on_health: Callable[[EjectorHealth], None],
        on_trigger: Callable[[Trigger], None] | None = None,
    ) -> None:
        """Start the controller, then the ejector on its port."""
        self._board = SimulatedController()
        self._settings = replace(self._settings, port=self._board.port)
        try:
            super().open(on_actuation, on_health, on_trigger)
        except EjectorError:
            self._board.close()
            raise

    def close(self) -> None:
        """End the ejector, then its controller."""
        super().close()
        if self._board is not None:
            self._board.close()
