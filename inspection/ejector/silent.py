"""What boards that answer nothing have in common: a command counts as done once the port has taken it."""

from __future__ import annotations

from collections.abc import Callable

from inspection.ejector.errors import EjectorLostError, EjectorOpenError
from inspection.ejector.interface import Board
from inspection.ejector.port import SerialPort


class SilentBoard(Board):
    """A board that gives no answer. frame: returns the command that switches a channel on or off."""

    def __init__(
        self, port: str, frame: Callable[[int, bool], bytes], *, write_timeout_s: float, channels: int, baud: int
    ) -> None:
        self._port = SerialPort(port, baud=baud, parity="N", write_timeout_s=write_timeout_s)
        self._frame = frame
        self._all_off = b"".join(frame(channel, False) for channel in range(1, channels + 1))
        self._command_s = len(frame(1, True)) * 10 / baud

    def open(self) -> None:
        """Open the port and switch every channel off."""
        self._port.open()
        try:
            self._port.write(self._all_off)
        except EjectorLostError as error:
            self._port.close()
            raise EjectorOpenError(str(error)) from error

    def switch(self, channel: int, on: bool) -> None:
        """Switch one channel."""
        self._port.write(self._frame(channel, on))

    def receive(self) -> None:
        """Discard what arrives (some variants echo); notice a port that has gone."""
        self._port.read()

    def fileno(self) -> int:
        """The open port's descriptor."""
        return self._port.fileno()

    @property
    def command_s(self) -> float:
        """The bytes of one command, ten bits each: 4.2 ms for four of them at 9600 baud."""
        return self._command_s

    @property
    def detail(self) -> str:
        """What the port says about itself."""
        return self._port.detail

    def safe(self) -> None:
        """Switch every channel off."""
        try:
            self._port.write(self._all_off)
        except EjectorLostError:
            return  # no port, no way to switch: the board must be made safe by its wiring

    def close(self) -> None:
        """Release the port."""
        self._port.close()
