"""Which of the station's promises a wiring keeps when the PC, its cable or its program dies."""

from __future__ import annotations

from typing import NamedTuple

RIGHT_PART = (
    "promise 3 (the right part): each pulse is written at its part's own moment, measured, and counted as a "
    "fault where it falls outside its window"
)
SILENCE = "promise 4 (silence is safe)"


class Silence(NamedTuple):
    """Whether silence is safe (promise 4), and the sentence that says why or what would mend it."""

    is_safe: bool
    sentence: str


def silence_is_safe(mode: str, *, ends_itself: bool, has_heartbeat: bool) -> Silence:
    """Say what happens to the parts when the PC falls silent.

    ends_itself: the board ends each pulse by its own timer. has_heartbeat: a watchdog relay listens to a heartbeat.
    """
    if has_heartbeat:
        return Silence(True, "the watchdog relay on heartbeat_channel must stop the belt when the heartbeat ends")
    if mode == "positive_release" and ends_itself:
        return Silence(
            True,
            "the gate takes every part by itself, and the board ends each release",
        )
    if mode == "positive_release":
        return Silence(
            False,
            "a PC that freezes within a release pulse leaves the gate held "
            "back — use a board that ends its pulses itself (modbus_flash), or wire a watchdog relay that stops the "
            "belt to a free channel and set heartbeat_channel",
        )
    return Silence(
        False,
        "no heartbeat channel is set, and a relay board that must be pulsed to "
        "reject lets every part pass when the PC or its cable dies — wire a watchdog relay that stops the belt to a "
        "free channel and set heartbeat_channel, or use a gate with mode = positive_release on a modbus_flash board",
    )


def kept_promises(silence: Silence) -> dict[int, str]:
    """Return the promises that a wiring has a say in and keeps, by number, each with a sentence."""
    kept = {3: RIGHT_PART}
    if silence.is_safe:
        kept[4] = f"{SILENCE}: {silence.sentence}"
    return kept
