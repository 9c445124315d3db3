"""One row of the table of faults: what the station does, what the ejector does by itself, how it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from inspection.alarms import Reaction

ANY = (Reaction.WARN, Reaction.REJECT_ALL, Reaction.HOLD, Reaction.STOP_LINE)
UNSAFE = (Reaction.REJECT_ALL, Reaction.HOLD, Reaction.STOP_LINE)
"""What may be chosen where a part that passes could be a bad one: anything but a warning."""
GATE = (Reaction.HOLD, Reaction.STOP_LINE)
"""What may be chosen where rejecting alone does not help, because rejects do not leave the belt."""


class Wiring(StrEnum):
    """How the ejector is wired: what it does when nobody tells it anything."""

    BARE = "bare relay"  # a pulse rejects, and nothing else does
    WATCHDOG = "relay + watchdog"  # … and a watchdog relay or a PLC stops the belt when the heartbeat stops
    POSITIVE = "positive release"  # the gate diverts every part that no pulse releases
    CONTROLLER = "device-timed controller"  # it tags each trigger itself and rejects each that got no answer


RELAY = (Wiring.BARE, Wiring.WATCHDOG)
"""Where a part that nobody told the ejector of passes; a gate diverts it, and a controller rejects it by itself."""
CONTROLLED = (Wiring.CONTROLLER,)
EVERY = tuple(Wiring)


@dataclass(frozen=True, slots=True)
class NotCaused:
    """A row that no test can cause on this hardware: why, and the test that comes nearest to it ('' for none)."""

    why: str
    nearest: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """One row. Immutable; read by the configuration, the station and the document.

    name: what the recipe calls it. alarm: what the operator reads; '' where the station cannot speak any more, and the
    page says that it has no contact. station: what the station does by itself. ejector: what the ejector's side does
    without the station's help, where wirings differ one sentence each. recovers: how it ends. lets_by: the wirings on
    which a part that should be rejected may have passed the ejector because of it. default: the reaction when the
    recipe chooses none and `lets_by` asks for no more. allowed: what it may choose; empty where nothing is left to
    choose. goes_with: the fault whose alarm and reaction this one shares. test: what causes it, `file.py::test`.
    """

    name: str
    what: str
    station: str
    ejector: str | Mapping[Wiring, str]
    recovers: str
    test: str | NotCaused
    alarm: str = ""
    default: Reaction | None = None
    lets_by: tuple[Wiring, ...] = ()
    allowed: tuple[Reaction, ...] = field(default=())
    goes_with: str = ""

    def default_on(self, wiring: Wiring, *, belt_can_be_stopped: bool) -> Reaction | None:
        """Return the reaction when the recipe chooses none; None where there is nothing to choose.

        The rule: where a part that should be rejected may have passed and the belt can be stopped, the line is stopped,
        so that the part is taken off the standing belt. Nothing less holds it: the fault may be over sooner than a
        watchdog notices the missing heartbeat.
        """
        stops = belt_can_be_stopped and wiring in self.lets_by
        return Reaction.STOP_LINE if stops and self.default is not None else self.default
