"""The ejector as the station sees it, and the two layers below: a scheduler and a board driver.

The station never fires anything itself. It tells the ejector of each part at its trigger (`expect`), which arms the
reject; a PASS that arrives before the part's deadline releases the part; silence rejects it. So a station that hangs,
dies or is late rejects, whatever happens to it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from inspection.part import Actuation, Verdict

if TYPE_CHECKING:
    from camera.frame import Trigger


@dataclass(frozen=True, slots=True)
class EjectorHealth:
    """What the ejector knows about itself. `connected` is False while the port is gone; `detail` says why."""

    connected: bool
    port: str
    driver: str
    detail: str
    pulses: int
    reconnects: int
    heartbeat_running: bool
    realtime: bool  # the scheduler runs with real-time priority
    counters: Mapping[str, int] = field(default_factory=dict)  # merges, ignored_verdicts, restarts, …


class Ejector(ABC):
    """Rejects parts at their due place on the belt unless told to let them pass.

    `expect`, `moved`, `decide` and `alive` are called from the station's hot threads, cost microseconds and never
    block; reports arrive on one thread of the ejector's own, through the callbacks given to `open`.
    """

    reports_triggers: ClassVar[bool] = False  # True for a device-timed controller, which tags each trigger itself

    @property
    @abstractmethod
    def lead_ns(self) -> int:
        """How long before a part is due its command is written: actuator delay plus time on the wire."""

    @abstractmethod
    def open(
        self,
        on_actuation: Callable[[Actuation], None],
        on_health: Callable[[EjectorHealth], None],
        on_trigger: Callable[[Trigger], None] | None = None,
    ) -> None:
        """Start it and wait until the port is open. Raises EjectorOpenError with the next step.

        on_trigger: called for each trigger, where `reports_triggers`.
        """

    def get_ready(self, timeout_s: float) -> bool:
        """Wait until verdicts count; False when they do not within `timeout_s`. True at once for a relay board."""
        del timeout_s
        return True

    @abstractmethod
    def expect(self, part: int, due: int) -> None:
        """Arm the reject of a part: it fires at its place on the belt unless `decide(part, PASS)` arrives in time.

        due: the belt's position then (host ns where the clock is the belt). In time: `lead_ns` and the margin of the
        settings before, or while the belt stands.
        """

    @abstractmethod
    def moved(self, host_ns: int, position: int) -> None:
        """Tell where the belt was at a moment; nothing to do where the clock is the belt."""

    @abstractmethod
    def decide(self, part: int, verdict: Verdict) -> None:
        """Tell the verdict. A PASS that is late is ignored: the reject stands and is reported by_default."""

    def decide_all(self, verdicts: Sequence[tuple[int, Verdict]]) -> None:
        """Tell the verdicts on parts that were judged together, as `decide` does each."""
        for part, verdict in verdicts:
            self.decide(part, verdict)

    @abstractmethod
    def alive(self) -> None:
        """The station works: call at least every 100 ms while it may pass parts. Silence stops the heartbeat."""

    @abstractmethod
    def health(self) -> EjectorHealth:
        """The last known health."""

    @abstractmethod
    def close(self) -> None:
        """Let armed rejects fire, go to the safe state, release the port. Idempotent, bounded to a few seconds."""


class Board(ABC):
    """A relay board on a serial port: one file per family. Owned by the scheduler's thread, holds no policy."""

    ends_pulses: ClassVar[bool] = False  # the board ends a pulse by its own timer

    @abstractmethod
    def open(self) -> None:
        """Open the port exclusively and switch every channel off. Raises EjectorOpenError."""

    @abstractmethod
    def switch(self, channel: int, on: bool) -> None:
        """Switch one channel (counted from 1) with one write. Raises EjectorLostError when the port has gone."""

    def pulse(self, channel: int, pulse_ms: float) -> None:  # noqa: ARG002 — for boards that end it themselves
        """Begin a pulse, which the board ends itself where `ends_pulses`. Raises like `switch`."""
        self.switch(channel, True)

    def read_inputs(self) -> None:
        """Ask for the levels of the inputs, on a board that has some; the answer comes in with `receive`."""
        raise NotImplementedError(f"{type(self).__name__} has no inputs")

    def take_inputs(self) -> int | None:
        """Return the levels that came in since the last call, bit 0 the first input; None where none did."""
        return None

    @abstractmethod
    def receive(self) -> None:
        """Take in what has arrived, without waiting.

        Raises EjectorLostError when the port has gone, or a command was refused or not answered in time.
        """

    @abstractmethod
    def fileno(self) -> int:
        """The open port's descriptor, to wait on together with other things."""

    @property
    @abstractmethod
    def command_s(self) -> float:
        """How long one command takes on the wire until it acts, in seconds (10 bits a byte at the port's rate)."""

    @property
    def occupied_s(self) -> float:
        """For how long one command keeps the line busy, its answer included, in seconds."""
        return self.command_s

    @property
    def unconfirmed(self) -> int:
        """How many commands the board has yet to answer; always 0 for a board that never answers."""
        return 0

    @property
    @abstractmethod
    def detail(self) -> str:
        """What is worth knowing about the open port, in one line; empty where nothing is."""

    @abstractmethod
    def safe(self) -> None:
        """Switch every channel off, as far as the port still allows. Never raises."""

    @abstractmethod
    def close(self) -> None:
        """Release the port. Idempotent, never raises."""
