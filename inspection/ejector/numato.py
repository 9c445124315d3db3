"""Driver for Numato USB relay modules: words in ASCII, echoed and ended with a prompt."""

from __future__ import annotations

from inspection.ejector.answering import AnsweringBoard
from inspection.ejector.port import SerialPort

PROMPT = b">"
_COMMAND_S = 0.001  # one frame of full-speed USB: there is no serial line behind the port
_ANSWER_S = 0.003


def frame(channel: int, on: bool) -> bytes:
    """Return the words that switch a channel; the board counts its relays from 0."""
    return f"relay {'on' if on else 'off'} {channel - 1}\r".encode()


class NumatoBoard(AnsweringBoard):
    r"""A Numato module of 1 to 8 relays. It echoes each command and says `\n\r>` when it has carried it out."""

    def __init__(
        self, port: str, *, write_timeout_s: float, channels: int = 8, answer_timeout_ms: float = 100.0
    ) -> None:
        line = SerialPort(port, baud=19200, parity="N", write_timeout_s=write_timeout_s)  # the rate means nothing
        super().__init__("Numato module", port, line, channels, answer_timeout_ms)

    def _wake_up(self) -> None:
        self._port.write(b"\r")  # ends a command that somebody left half written

    def _switching(self, channel: int, on: bool) -> bytes:
        return frame(channel, on)

    def _take_answer(self, command: bytes) -> bool:
        while (end := self._received.find(PROMPT)) >= 0:
            echoed = bytes(self._received[:end])
            del self._received[: end + 1]
            if command.strip() in echoed:
                return True
        return False

    @property
    def command_s(self) -> float:
        """One frame of USB."""
        return _COMMAND_S

    @property
    def occupied_s(self) -> float:
        """The command, its echo and the prompt."""
        return _ANSWER_S

    @property
    def _advice(self) -> str:
        return "check that the port is that of this module, and its cable"
