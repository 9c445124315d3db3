"""Driver for LCUS-x relay boards (CH340, "LC USB relay"): four bytes a command, no answer."""

from __future__ import annotations

from inspection.ejector.silent import SilentBoard

_START = 0xA0


def frame(channel: int, on: bool) -> bytes:
    """Return the command that switches a channel: start byte, channel, 1 or 0, and the low byte of their sum."""
    return bytes((_START, channel, int(on), (_START + channel + int(on)) & 0xFF))


class LcusBoard(SilentBoard):
    """An LCUS-x board. Some variants can be asked for their state, the common one cannot, so none is asked."""

    def __init__(self, port: str, *, write_timeout_s: float, channels: int = 1, baud: int = 9600) -> None:
        super().__init__(port, frame, write_timeout_s=write_timeout_s, channels=channels, baud=baud)
