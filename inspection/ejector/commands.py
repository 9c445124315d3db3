"""What the scheduler's core asks to have written, and what it counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from inspection.ejector.schedule import ArmedPart
from inspection.part import Actuation

Report = Callable[[Actuation], None]


class Switch(NamedTuple):
    """Switch a channel. is_pulse: it begins a pulse on the ejector's own channel."""

    channel: int
    on: bool
    is_pulse: bool = False


class ReadInputs(NamedTuple):
    """Ask the board for the levels of its inputs; the answer comes whenever it comes."""


Command = Switch | ReadInputs


@dataclass(slots=True)
class Counters:
    """What happened since the process began; the last three say how things are now."""

    pulses: int = 0
    merges: int = 0  # pulses that began while the one before still stood
    queued: int = 0  # pulses that waited for the one before, each with an edge of its own
    shortened: int = 0  # pulses that were cut so that the next began inside its window
    long_pulses: int = 0  # pulses that ended more than a window late: they may have taken other parts along
    missed_parts: int = 0  # parts that had passed before anything could be written: reported FAILED
    blind_pulses: int = 0  # pulses in whose time the encoder was silent: reported FIRED_LATE
    misplaced_pulses: int = 0  # pulses that found the belt elsewhere, as later samples tell: reported FIRED_LATE
    barred_releases: int = 0  # passed parts too close to one that was not
    late_releases: int = 0  # passed parts whose release could not be written in their window
    cut_releases: int = 0  # releases that ended before their part was through, or covered a part not passed
    not_seen: int = 0
    unwatched: int = 0  # rejects whose input could not be read in time: reported as fired
    ignored_verdicts: int = 0
    duplicate_parts: int = 0
    refused_parts: int = 0
    lost_reports: int = 0
    rejects_in_a_row: int = 0
    not_seen_in_a_row: int = 0
    bin_full: int = 0


class Mode(Protocol):
    """How the ejector's own channel is driven. Owned by the core; no clock, all times in ns handed in."""

    def decided(self, armed: ArmedPart) -> None:
        """Take note that a verdict on an armed part counts."""

    def next_switch(self, now_ns: int, connected: bool) -> Switch | None:
        """Return what is to be written now; ask again after `written`."""

    def written(self, switch: Switch, now_ns: int) -> None:
        """Take note that it was written, and when."""

    def lost(self, now_ns: int) -> None:
        """Take note that the port has gone, with whatever was to be written."""

    def restored(self, now_ns: int) -> None:
        """Take note that the port is back, with every channel off."""

    def pulse_ns(self, now_ns: int) -> int | None:
        """Return the next moment that must be met exactly."""

    def wake_ns(self, now_ns: int) -> int | None:
        """Return the next moment at which to ask again, None while only a message can change anything."""

    @property
    def is_on(self) -> bool:
        """Whether the channel is on."""
