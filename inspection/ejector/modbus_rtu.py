"""Drivers for Modbus RTU relay boards: coils (function 05), inputs (02), and pulses that the board itself ends."""

from __future__ import annotations

from typing import ClassVar

from inspection.ejector.answering import AnsweringBoard
from inspection.ejector.errors import EjectorLostError
from inspection.ejector.port import SerialPort

READ_INPUTS = 0x02
WRITE_COIL = 0x05
FLASH_BASE = 0x0200  # Waveshare: writing n to "coil" 0x0200 + channel - 1 switches it on for n × 100 ms
FLASH_MS = 100
FLASH_LONGEST = 0x7FFF
COIL_ON = 0xFF00
COMMAND_BYTES = 8
EXCEPTION_BYTES = 5

_SILENCE_BYTES = 3.5  # the pause that ends a frame (Modbus over serial line, 2.5.1.1)
_TURNAROUND_S = 0.002
_EXCEPTIONS = {
    1: "it does not know this function",
    2: "it has no such coil",
    3: "it takes no such value",
    4: "it failed",
}


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


def flash_frame(address: int, channel: int, pulse_ms: float) -> bytes:
    """Return the eight bytes that switch a channel of a Waveshare board on for a multiple of 100 ms."""
    steps = max(1, min(FLASH_LONGEST, round(pulse_ms / FLASH_MS)))
    return with_crc(
        bytes((address, WRITE_COIL)) + (FLASH_BASE + channel - 1).to_bytes(2, "big") + steps.to_bytes(2, "big")
    )


def inputs_frame(address: int, count: int) -> bytes:
    """Return the eight bytes that ask for the discrete inputs 0 … count − 1."""
    return with_crc(bytes((address, READ_INPUTS, 0, 0)) + count.to_bytes(2, "big"))


class ModbusRtuBoard(AnsweringBoard):
    """A relay board on an RS-485 line, whose channel n is coil `coil_base` + n − 1 and input n is input n − 1.

    The board repeats each command that it has carried out, and answers a question with the levels.
    """

    def __init__(
        self,
        port: str,
        *,
        write_timeout_s: float,
        address: int = 1,
        coil_base: int = 0,
        channels: int = 8,
        inputs: int = 0,
        baud: int = 9600,
        parity: str = "N",
        answer_timeout_ms: float = 50.0,
    ) -> None:
        line = SerialPort(port, baud=baud, parity=parity, write_timeout_s=write_timeout_s)
        super().__init__(f"Modbus board {address}", port, line, channels, answer_timeout_ms)
        self._address = address
        self._coil_base = coil_base
        self._inputs = inputs
        self._levels: int | None = None
        byte_s = (10 if parity == "N" else 11) / baud
        self._command_s = (COMMAND_BYTES + _SILENCE_BYTES) * byte_s

    def _switching(self, channel: int, on: bool) -> bytes:
        return coil_frame(self._address, self._coil_base + channel - 1, on)

    def read_inputs(self) -> None:
        """Ask for the levels of all inputs."""
        self._send(inputs_frame(self._address, self._inputs))

    def take_inputs(self) -> int | None:
        """Return the levels that came in since the last call."""
        levels, self._levels = self._levels, None
        return levels

    def _take_answer(self, command: bytes) -> bool:
        while len(self._received) >= EXCEPTION_BYTES:
            received = self._received
            if command[1] == READ_INPUTS:
                length = EXCEPTION_BYTES + (self._inputs + 7) // 8
                answer = bytes(received[:length])
                if answer[:3] == bytes((self._address, READ_INPUTS, length - EXCEPTION_BYTES)):
                    if len(answer) < length:
                        return False  # the rest of the answer is still on its way
                    if with_crc(answer[:-2]) == answer:
                        self._levels = int.from_bytes(answer[3:-2], "little")
                        del received[:length]
                        return True
            elif received.startswith(command):
                del received[:COMMAND_BYTES]
                return True
            elif command.startswith(received):
                return False
            self._refuse_exception(command, bytes(received[:EXCEPTION_BYTES]))
            del received[0]  # noise on the line: look for the answer behind it
        return False

    def _refuse_exception(self, command: bytes, answer: bytes) -> None:
        if answer[0] == self._address and answer[1] == command[1] | 0x80 and with_crc(answer[:3]) == answer:
            what = "the inputs" if command[1] == READ_INPUTS else f"coil {int.from_bytes(command[2:4], 'big')}"
            why = _EXCEPTIONS.get(answer[2], "see its manual")
            raise EjectorLostError(
                f"{self._name} refused {what} with exception {answer[2]} ({why}) "
                "— the coils of all channels must exist — check coil_base, channels and inputs"
            )

    @property
    def command_s(self) -> float:
        """Eight bytes and the pause that ends the frame: 12 ms at 9600 baud."""
        return self._command_s

    @property
    def occupied_s(self) -> float:
        """The command, the board's reaction and the answer of the same length."""
        return 2 * self._command_s + _TURNAROUND_S

    @property
    def _advice(self) -> str:
        return "check its supply, address, baud rate and parity, and lines A and B"


class ModbusFlashBoard(ModbusRtuBoard):
    """A Waveshare "Modbus RTU Relay" and its like: the board's own timer ends each pulse, even if the PC is dead."""

    ends_pulses: ClassVar[bool] = True

    def pulse(self, channel: int, pulse_ms: float) -> None:
        """Switch a channel on for a multiple of 100 ms."""
        self._send(flash_frame(self._address, channel, pulse_ms))
