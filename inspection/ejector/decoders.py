"""The boards' side of each protocol: real bytes in, switchings and answers out. What the simulated far end runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, Protocol

from inspection.ejector.kmtronic import frame as kmtronic_frame
from inspection.ejector.lcus import frame as lcus_frame
from inspection.ejector.modbus_rtu import (
    COIL_ON,
    COMMAND_BYTES,
    FLASH_BASE,
    FLASH_LONGEST,
    FLASH_MS,
    READ_INPUTS,
    WRITE_COIL,
    with_crc,
)
from inspection.ejector.numato import PROMPT


class Switching(NamedTuple):
    """A channel is switched; for_ms: the board switches it off again by itself after so long."""

    channel: int
    on: bool
    for_ms: int | None = None


class Decoder(Protocol):
    """Turns the bytes of one protocol into switchings and the board's answer; counts the bytes that fit nothing."""

    garbage_bytes: int
    inputs: int  # the levels of the board's inputs, bit 0 the first

    def feed(self, data: bytes) -> tuple[list[Switching], bytes]:
        """Take bytes in as they come, cut anywhere; return what is to be switched and what the board answers."""


class FrameDecoder:
    """A board whose commands are frames of one fixed length that it never answers; finds its way back after garbage."""

    def __init__(self, frame: Callable[[int, bool], bytes], channels: int) -> None:
        self._known = {
            frame(channel, on): Switching(channel, on) for channel in range(1, channels + 1) for on in (False, True)
        }
        self._length = len(next(iter(self._known)))
        self._pending = bytearray()
        self.garbage_bytes = 0
        self.inputs = 0

    def feed(self, data: bytes) -> tuple[list[Switching], bytes]:
        """Return the switchings; this board never answers."""
        self._pending += data
        switchings: list[Switching] = []
        while len(self._pending) >= self._length:
            switching = self._known.get(bytes(self._pending[: self._length]))
            if switching is None:
                self.garbage_bytes += 1
                del self._pending[0]
            else:
                switchings.append(switching)
                del self._pending[: self._length]
        return switchings, b""


class ModbusRtuDecoder:
    """A Modbus RTU device that has coils 0 … channels − 1 and eight inputs, and knows functions 02 and 05.

    can_flash: it is of the Waveshare class, and switches a channel on for n × 100 ms.
    """

    def __init__(self, channels: int, address: int = 1, *, can_flash: bool = False) -> None:
        self._channels = channels
        self._address = address
        self._can_flash = can_flash
        self._pending = bytearray()
        self.garbage_bytes = 0
        self.inputs = 0

    def feed(self, data: bytes) -> tuple[list[Switching], bytes]:
        """Return the switchings and the answers: the command itself, the levels, or an exception."""
        self._pending += data
        switchings: list[Switching] = []
        answers = b""
        while len(self._pending) >= COMMAND_BYTES:
            command = bytes(self._pending[:COMMAND_BYTES])
            if command[0] != self._address or with_crc(command[:-2]) != command:
                self.garbage_bytes += 1
                del self._pending[0]
                continue
            del self._pending[:COMMAND_BYTES]
            place, value = int.from_bytes(command[2:4], "big"), int.from_bytes(command[4:6], "big")
            outcome = self._obey(command[1], place, value)
            if isinstance(outcome, int):
                answers += with_crc(bytes((self._address, command[1] | 0x80, outcome)))
            elif isinstance(outcome, bytes):
                answers += with_crc(bytes((self._address, command[1])) + outcome)
            else:
                switchings.append(outcome)
                answers += command
        return switchings, answers

    def _obey(self, function: int, place: int, value: int) -> Switching | bytes | int:
        """Return what is switched, what is answered, or the number of an exception."""
        if function == READ_INPUTS:
            return bytes((1, self.inputs & (1 << value) - 1)) if place + value <= 8 else 2
        if function != WRITE_COIL:
            return 1
        if self._can_flash and FLASH_BASE <= place < FLASH_BASE + self._channels:
            return Switching(place - FLASH_BASE + 1, True, value * FLASH_MS) if value <= FLASH_LONGEST else 3
        if place >= self._channels:
            return 2
        return Switching(place + 1, value == COIL_ON) if value in (0, COIL_ON) else 3


class NumatoDecoder:
    """A Numato module: it echoes every byte, obeys at the end of a line, and then shows its prompt."""

    _COMMAND = re.compile(rb"relay (on|off) (\d)")

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._line = bytearray()
        self.garbage_bytes = 0
        self.inputs = 0

    def feed(self, data: bytes) -> tuple[list[Switching], bytes]:
        """Return the switchings, and the echo with a prompt after each line."""
        switchings: list[Switching] = []
        answers = bytearray()
        for byte in data:
            answers.append(byte)
            if byte != ord("\r"):
                self._line.append(byte)
                continue
            line, self._line = bytes(self._line), bytearray()
            answers += b"\n\r" + PROMPT
            found = self._COMMAND.fullmatch(line)
            if found is not None and int(found[2]) < self._channels:
                switchings.append(Switching(int(found[2]) + 1, found[1] == b"on"))
            else:
                self.garbage_bytes += len(line)
        return switchings, bytes(answers)


class DevantechDecoder:
    """A USB-RLY16: one byte switches a relay or all of them, another asks for all states."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._states = 0
        self.garbage_bytes = 0
        self.inputs = 0

    def feed(self, data: bytes) -> tuple[list[Switching], bytes]:
        """Return the switchings and the states that were asked for."""
        switchings: list[Switching] = []
        answers = bytearray()
        for byte in data:
            if byte == 0x5B:
                answers.append(self._states)
            elif 0 <= byte - 0x65 < self._channels:
                switchings.append(Switching(byte - 0x64, True))
                self._states |= 1 << (byte - 0x65)
            elif 0 <= byte - 0x6F < self._channels:
                switchings.append(Switching(byte - 0x6E, False))
                self._states &= ~(1 << (byte - 0x6F))
            else:
                self.garbage_bytes += 1
        return switchings, bytes(answers)


DECODERS: dict[str, Callable[[int], Decoder]] = {
    "lcus": lambda channels: FrameDecoder(lcus_frame, channels),
    "kmtronic": lambda channels: FrameDecoder(kmtronic_frame, channels),
    "modbus_rtu": ModbusRtuDecoder,
    "modbus_flash": lambda channels: ModbusRtuDecoder(channels, can_flash=True),
    "numato": NumatoDecoder,
    "devantech": DevantechDecoder,
}
