"""Driver for KMTronic USB relay boards: three bytes a command, no answer."""

from __future__ import annotations

from inspection.ejector.silent import SilentBoard

_START = 0xFF


def frame(channel: int, on: bool) -> bytes:
    """Return the command that switches a channel: start byte, channel, 1 or 0."""
    return bytes((_START, channel, int(on)))


class KmtronicBoard(SilentBoard):
    """A KMTronic board of 1 to 8 channels. Its status query differs from model to model, so none is sent."""

    def __init__(self, port: str, *, write_timeout_s: float, channels: int = 8, baud: int = 9600) -> None:
        super().__init__(port, frame, write_timeout_s=write_timeout_s, channels=channels, baud=baud)
