"""Driver for Devantech USB-RLY16 and its like: one byte a command, and one that asks for all states."""

from __future__ import annotations

from inspection.ejector.answering import AnsweringBoard
from inspection.ejector.errors import EjectorLostError
from inspection.ejector.port import SerialPort

STATES = 0x5B
_FIRST_ON = 0x65
_FIRST_OFF = 0x6F
_COMMAND_S = 0.001  # one frame of full-speed USB: there is no serial line behind the port
_ANSWER_S = 0.002


def frame(channel: int, on: bool) -> bytes:
    """Return the command that switches a channel, followed by the question for the states."""
    return bytes(((_FIRST_ON if on else _FIRST_OFF) + channel - 1, STATES))


class DevantechBoard(AnsweringBoard):
    """A USB-RLY16, RLY08 or RLY82. Each command brings the question for the states along, which costs it no time."""

    def __init__(
        self, port: str, *, write_timeout_s: float, channels: int = 8, answer_timeout_ms: float = 100.0
    ) -> None:
        line = SerialPort(port, baud=19200, parity="N", write_timeout_s=write_timeout_s)  # the rate means nothing
        super().__init__("Devantech board", port, line, channels, answer_timeout_ms)

    def _switching(self, channel: int, on: bool) -> bytes:
        return frame(channel, on)

    def _take_answer(self, command: bytes) -> bool:
        states = self._received.pop(0)
        on = command[0] < _FIRST_OFF
        channel = command[0] - (_FIRST_ON if on else _FIRST_OFF) + 1
        if bool(states >> (channel - 1) & 1) != on:
            raise EjectorLostError(
                f"{self._name} was told to switch channel {channel} {'on' if on else 'off'}, but its states are "
                f"{states:08b} — each command must be carried out — check the board, and that nothing else drives it"
            )
        return True

    @property
    def command_s(self) -> float:
        """One frame of USB."""
        return _COMMAND_S

    @property
    def occupied_s(self) -> float:
        """The command and its answer."""
        return _ANSWER_S

    @property
    def _advice(self) -> str:
        return "check that the port is that of this board, and its cable"
