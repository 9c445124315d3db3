"""What boards that answer each command have in common: answers are matched as they come in, and never waited for."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections import deque

from inspection.ejector.errors import EjectorLostError, EjectorOpenError
from inspection.ejector.interface import Board
from inspection.ejector.port import SerialPort


class AnsweringBoard(Board):
    """A board that confirms each command. A driver says what a command is and where its answer ends.

    Waiting for an answer never holds a command up for longer than the line is really busy: answers are taken in as
    they come, and one that stays away means that the board is lost.
    """

    def __init__(self, name: str, path: str, port: SerialPort, channels: int, answer_timeout_ms: float) -> None:
        self._name = f"{name} on {path}"
        self._port = port
        self._channels = channels
        self._answer_timeout_s = answer_timeout_ms / 1e3
        self._awaited: deque[tuple[bytes, int]] = deque()  # commands without their answer yet, and until when
        self._free_host_ns = 0
        self._received = bytearray()

    @abstractmethod
    def _switching(self, channel: int, on: bool) -> bytes:
        """Return the command that switches a channel."""

    @abstractmethod
    def _take_answer(self, command: bytes) -> bool:
        """Take the answer to the oldest command out of what was received; return whether it was there.

        Raises EjectorLostError when the board refused the command.
        """

    @property
    @abstractmethod
    def _advice(self) -> str:
        """What to check when no answer comes."""

    def _wake_up(self) -> None:
        """Bring the board to the beginning of a command, where that needs more than opening the port."""

    def open(self) -> None:
        """Open the port and switch every channel off, each with the board's answer."""
        self._forget()
        self._port.open()
        try:
            self._wake_up()
            self._switch_all_off()
        except EjectorLostError as error:
            self._port.close()
            raise EjectorOpenError(str(error)) from error

    def switch(self, channel: int, on: bool) -> None:
        """Switch one channel, after the line has become free."""
        self._send(self._switching(channel, on))

    def _send(self, command: bytes) -> None:
        self._wait_for_answers(self._free_host_ns)
        self._port.write(command)
        self._free_host_ns = time.monotonic_ns() + round(self.occupied_s * 1e9)
        self._awaited.append((command, self._free_host_ns + round(self._answer_timeout_s * 1e9)))

    def receive(self) -> None:
        """Match what has arrived with the commands that await an answer, oldest first."""
        self._received += self._port.read()
        while self._awaited and self._received and self._take_answer(self._awaited[0][0]):
            self._awaited.popleft()
        if not self._awaited:
            self._received.clear()
        elif time.monotonic_ns() > self._awaited[0][1]:
            raise EjectorLostError(
                f"{self._name} gave no answer within {(self.occupied_s + self._answer_timeout_s) * 1e3:.0f} ms — "
                f"each command must be answered — {self._advice}"
            )

    def fileno(self) -> int:
        """The open port's descriptor."""
        return self._port.fileno()

    @property
    def unconfirmed(self) -> int:
        """How many commands await their answer."""
        return len(self._awaited)

    @property
    def detail(self) -> str:
        """What the port says about itself."""
        return self._port.detail

    def safe(self) -> None:
        """Switch every channel off."""
        try:
            self._switch_all_off()
        except EjectorLostError:
            return  # no port, no way to switch: the board must be made safe by its wiring

    def close(self) -> None:
        """Release the port."""
        self._port.close()
        self._forget()

    def _switch_all_off(self) -> None:
        for channel in range(1, self._channels + 1):
            self.switch(channel, False)
        while self._awaited:  # bounded: `receive` raises once the answer is overdue
            self._wait_for_answers(self._awaited[0][1] + 1)

    def _wait_for_answers(self, until_host_ns: int) -> None:
        """Wait until every command is answered, or until a moment of the monotonic clock."""
        while self._awaited:
            left_ns = until_host_ns - time.monotonic_ns()
            if left_ns <= 0:
                self.receive()
                return
            self._port.wait(left_ns / 1e9)
            self.receive()

    def _forget(self) -> None:
        self._awaited.clear()
        self._received.clear()
        self._free_host_ns = 0
