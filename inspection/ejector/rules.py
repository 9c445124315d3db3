"""The figures that the scheduler's core goes by: settings and board, put into nanoseconds once."""

from __future__ import annotations

from dataclasses import dataclass

from inspection.ejector.interface import Board
from inspection.ejector.schedule import CAPACITY
from inspection.ejector.settings import Settings, nanoseconds

SLACK_NS = 1_000_000  # what any other command leaves free before a pulse, beyond its own time on the line
POLL_NS = 20_000_000  # between two looks at the inputs while a reject is awaited in the bin
IDLE_POLL_NS = 250_000_000  # between two looks at the inputs otherwise
LATE_BY_JITTER_NS = 1_000_000  # how much of its window a queued pulse leaves to the operating system


@dataclass(frozen=True, slots=True)
class Rules:
    """How one ejector is driven. All times in ns.

    lead: from a command's first byte to the part being hit. guard: how long before a pulse the line must be left alone.
    ends_itself: the board ends a pulse by its own timer, so no OFF is written for it.
    """

    lead_ns: int
    guard_ns: int
    pulse_ns: int
    window_ns: int
    margin_ns: int = 0
    pause_ns: int = 0
    channel: int = 1
    positive_release: bool = False
    queue: bool = False
    ends_itself: bool = False
    encoder_timeout_ns: int | None = None  # None: the clock is the belt
    heartbeat_channel: int | None = None
    heartbeat_ns: int = 250_000_000
    alive_timeout_ns: int = 500_000_000
    bin_full_input: int | None = None
    confirm_input: int | None = None
    confirm_ns: int = 0
    capacity: int = CAPACITY

    @property
    def clear_ns(self) -> int:
        """How far apart two parts must be for the gate to tell them apart: a window each, and one command between."""
        return 2 * self.window_ns + self.guard_ns

    @classmethod
    def of(cls, settings: Settings, board: Board) -> Rules:
        """Return the rules that the settings and a board, open or not, amount to."""
        occupied_ns = round(board.occupied_s * 1e9)
        return cls(
            lead_ns=lead_ns(settings, board),
            guard_ns=occupied_ns + SLACK_NS,
            pulse_ns=nanoseconds(settings.pulse_ms),
            window_ns=nanoseconds(settings.window_ms),
            margin_ns=nanoseconds(settings.margin_ms),
            pause_ns=max(nanoseconds(settings.pause_ms), occupied_ns),
            channel=settings.channel,
            positive_release=settings.mode == "positive_release",
            queue=settings.overlap == "queue",
            ends_itself=board.ends_pulses,
            encoder_timeout_ns=nanoseconds(settings.encoder_timeout_ms) if settings.motion == "encoder" else None,
            heartbeat_channel=settings.heartbeat_channel,
            heartbeat_ns=nanoseconds(settings.heartbeat_ms),
            alive_timeout_ns=nanoseconds(settings.alive_timeout_ms),
            bin_full_input=settings.bin_full_input,
            confirm_input=settings.confirm_input,
            confirm_ns=nanoseconds(settings.actuator_delay_ms + settings.confirm_within_ms),
        )


def lead_ns(settings: Settings, board: Board) -> int:
    """Return how long before a part's due moment its command is written: actuator delay plus time on the wire."""
    return nanoseconds(settings.actuator_delay_ms) + round(board.command_s * 1e9)
