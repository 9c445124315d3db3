"""Driver for Modbus RTU relay boards: function 05 (write single coil), every answer checked against its command."""

from __future__ import annotations

import time
from collections import deque

from inspection.ejector.errors import EjectorLostError, EjectorOpenError
from inspection.ejector.interface import Board
from inspection.ejector.port import SerialPort

WRITE_COIL = 0x05
COIL_ON = 0xFF00
COMMAND_BYTES = 8
EXCEPTION_BYTES = 5

_SILENCE_BYTES = 3.5  # the pause that ends a frame (Modbus over serial line, 2.5.1.1)
_TURNAROUND_S = 0.002
_EXCEPTIONS = {1: "it does not know function 05", 2: "it has no such coil", 3: "it takes no such value", 4: "it failed"}


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
        table.append(crc)
    return tuple(table)


_CRC_TABLE = _crc_table()


def with_crc(body: bytes) -> bytes:
    """Append the CRC-16 of Modbus (polynomial 0xA001 reflected, start 0xFFFF, low byte first)."""
    crc = 0xFFFF
    for byte in body:
        crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return body + crc.to_bytes(2, "little")


def coil_frame(address: int, coil: int, on: bool) -> bytes:
    """Return the eight bytes that write one coil (numbered from 0)."""
    value = COIL_ON if on else 0
    return with_crc(bytes((address, WRITE_COIL)) + coil.to_bytes(2, "big") + value.to_bytes(2, "big"))


class ModbusRtuBoard(Board):
    """A relay board on an RS-485 line, whose channel n is coil `coil_base` + n − 1.

    The board repeats each command that it has carried out. Waiting for that never holds a command up for longer than
    the line is really busy: answers are taken in as they come, and one that stays away means that the board is lost.
    """

    def __init__(
        self,
        port: str,
        *,
        write_timeout_s: float,
        address: int = 1,
        coil_base: int = 0,
        channels: int = 8,
        baud: int = 9600,
        parity: str = "N",
        answer_timeout_ms: float = 50.0,
    ) -> None:
        self._path = port
        self._port = SerialPort(port, baud=baud, parity=parity, write_timeout_s=write_timeout_s)
        self._address = address
        self._coil_base = coil_base
        self._channels = channels
        byte_s = (10 if parity == "N" else 11) / baud
        self._command_s = (COMMAND_BYTES + _SILENCE_BYTES) * byte_s
        self._answer_timeout_s = answer_timeout_ms / 1e3
        self._awaited: deque[tuple[bytes, int]] = deque()  # commands without their answer yet, and until when
        self._free_host_ns = 0
        self._received = bytearray()

    def open(self) -> None:
        """Open the port and switch every channel off, each with the board's answer."""
        self._forget()
        self._port.open()
        try:
            self._switch_all_off()
        except EjectorLostError as error:
            self._port.close()
            raise EjectorOpenError(str(error)) from error

    def switch(self, channel: int, on: bool) -> None:
        """Write one coil, after the line has become free."""
        self._wait_for_answers(self._free_host_ns)
        command = coil_frame(self._address, self._coil_base + channel - 1, on)
        self._port.write(command)
        now_ns = time.monotonic_ns()
        self._free_host_ns = now_ns + round(self.occupied_s * 1e9)
        self._awaited.append((command, self._free_host_ns + round(self._answer_timeout_s * 1e9)))

    def receive(self) -> None:
        """Match what has arrived with the commands that await an answer, oldest first."""
        self._received += self._port.read()
        while self._awaited and len(self._received) >= EXCEPTION_BYTES:
            command = self._awaited[0][0]
            if self._received.startswith(command):
                self._awaited.popleft()
                del self._received[:COMMAND_BYTES]
            elif command.startswith(self._received):
                break  # the rest of the answer is still on its way
            else:
                self._refuse_exception(bytes(self._received[:EXCEPTION_BYTES]))
                del self._received[0]  # noise on the line: look for the answer behind it
        if not self._awaited:
            self._received.clear()
        elif time.monotonic_ns() > self._awaited[0][1]:
            raise EjectorLostError(
                f"Modbus board {self._address} on {self._path} gave no answer within "
                f"{(self.occupied_s + self._answer_timeout_s) * 1e3:.0f} ms — each command must be answered — check "
                "its supply, address, baud rate and parity, and lines A and B"
            )

    def fileno(self) -> int:
        """The open port's descriptor."""
        return self._port.fileno()

    @property
    def command_s(self) -> float:
        """Eight bytes and the pause that ends the frame: 12 ms at 9600 baud."""
        return self._command_s

    @property
    def occupied_s(self) -> float:
        """The command, the board's reaction and the answer of the same length."""
        return 2 * self._command_s + _TURNAROUND_S

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

    def _refuse_exception(self, answer: bytes) -> None:
        if answer[0] == self._address and answer[1] == WRITE_COIL | 0x80 and with_crc(answer[:3]) == answer:
            coil = int.from_bytes(self._awaited[0][0][2:4], "big")
            why = _EXCEPTIONS.get(answer[2], "see its manual")
            raise EjectorLostError(
                f"Modbus board {self._address} on {self._path} refused coil {coil} with exception {answer[2]} ({why}) "
                "— the coils of all channels must exist — check coil_base and channels"
            )

    def _forget(self) -> None:
        self._awaited.clear()
        self._received.clear()
        self._free_host_ns = 0
