"""The far end of a simulated serial line: a relay board that decodes the real bytes and notes each command's time."""

from __future__ import annotations

import json
import os
import select
import shutil
import sys
import tempfile
import time
import tty
from collections import deque
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from inspection.ejector.lcus import frame as lcus_frame
from inspection.ejector.modbus_rtu import COIL_ON, COMMAND_BYTES, WRITE_COIL, with_crc
from inspection.ejector.realtime import become_punctual

HISTORY = 200_000

Switching = tuple[int, bool]


class Decoder(Protocol):
    """Turns the bytes of one protocol into switchings and the board's answer; counts the bytes that fit nothing."""

    garbage_bytes: int

    def feed(self, data: bytes) -> tuple[list[Switching], bytes]:
        """Take bytes in as they come, cut anywhere; return what is to be switched and what the board answers."""


class LcusDecoder:
    """Understands `A0 channel state checksum`; after garbage it finds the next whole frame."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._pending = bytearray()
        self.garbage_bytes = 0

    def feed(self, data: bytes) -> tuple[list[Switching], bytes]:
        """Return the switchings; this board never answers."""
        self._pending += data
        switchings: list[Switching] = []
        while len(self._pending) >= 4:
            channel, state = self._pending[1], self._pending[2]
            known = 1 <= channel <= self._channels and state in (0, 1)
            if known and self._pending.startswith(lcus_frame(channel, bool(state))):
                switchings.append((channel, bool(state)))
                del self._pending[:4]
            else:
                self.garbage_bytes += 1
                del self._pending[0]
        return switchings, b""


class ModbusRtuDecoder:
    """A Modbus RTU device that has coils 0 … channels − 1 and knows function 05 only."""

    def __init__(self, channels: int, address: int = 1) -> None:
        self._channels = channels
        self._address = address
        self._pending = bytearray()
        self.garbage_bytes = 0

    def feed(self, data: bytes) -> tuple[list[Switching], bytes]:
        """Return the switchings and the answers: the command itself, or an exception."""
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
            coil, value = int.from_bytes(command[2:4], "big"), int.from_bytes(command[4:6], "big")
            refused = 1 if command[1] != WRITE_COIL else 2 if coil >= self._channels else 0
            refused = refused or (0 if value in (0, COIL_ON) else 3)
            if refused:
                answers += with_crc(bytes((self._address, command[1] | 0x80, refused)))
            else:
                switchings.append((coil + 1, value == COIL_ON))
                answers += command
        return switchings, answers


class FarEnd:
    """A relay board on a pty of its own, reached through a path that stays the same when it is plugged in again.

    Owned by its process's one thread. The history of commands is bounded; the oldest are forgotten and counted.
    """

    def __init__(self, protocol: str, channels: int) -> None:
        self._protocol = protocol
        self._channels = channels
        self._folder = Path(tempfile.mkdtemp(prefix="lineward-relay-"))
        self.path = self._folder / "port"
        self._master = self._slave = -1
        self.history: deque[tuple[int, bool, int]] = deque(maxlen=HISTORY)
        self.seen = 0
        self._garbage_before = 0
        self.plug_in()

    def plug_in(self) -> None:
        """Create the pty and let the path point to it."""
        if self._master >= 0:
            return
        self._decoder = self._new_decoder()
        self._master, self._slave = os.openpty()  # our own slave descriptor keeps the line up between two openings
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path.symlink_to(os.ttyname(self._slave))

    def unplug(self) -> None:
        """Take the path away and hang the line up, as a pulled cable does."""
        if self._master < 0:
            return
        self.take_bytes()
        self.path.unlink()
        os.close(self._slave)
        os.close(self._master)
        self._master = self._slave = -1
        self._garbage_before += self._decoder.garbage_bytes

    @property
    def garbage_bytes(self) -> int:
        """How many bytes fitted no command."""
        return self._garbage_before + (self._decoder.garbage_bytes if self._master >= 0 else 0)

    @property
    def descriptors(self) -> list[int]:
        """What to wait on: nothing while unplugged."""
        return [self._master] if self._master >= 0 else []

    def take_bytes(self) -> None:
        """Decode everything that has arrived; each command gets the time right after its last byte was read."""
        while self._master >= 0:
            try:
                data = os.read(self._master, 4096)
            except BlockingIOError:
                return
            at_host_ns = time.monotonic_ns()
            switchings, answer = self._decoder.feed(data)
            if answer:
                os.write(self._master, answer)
            self.history.extend((channel, on, at_host_ns) for channel, on in switchings)
            self.seen += len(switchings)

    def close(self) -> None:
        """Unplug for good."""
        self.unplug()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _new_decoder(self) -> Decoder:
        if self._protocol == "modbus_rtu":
            return ModbusRtuDecoder(self._channels)
        return LcusDecoder(self._channels)


def serve(far_end: FarEnd) -> None:
    """Answer one JSON request a line on standard input, until it ends; decode the line in between."""
    awaited: tuple[int, float] | None = None
    while True:
        left_s = None if awaited is None else max(0.0, awaited[1] - time.monotonic())
        ready, _, _ = select.select([sys.stdin.buffer, *far_end.descriptors], [], [], left_s)
        far_end.take_bytes()
        if awaited is not None and (far_end.seen >= awaited[0] or time.monotonic() >= awaited[1]):
            _say(reached=far_end.seen >= awaited[0])
            awaited = None
        if sys.stdin.buffer in ready:
            line = sys.stdin.buffer.readline()
            if not line:
                return
            request = json.loads(line)
            if request["do"] == "wait":
                awaited = (request["count"], time.monotonic() + request["timeout_s"])
            else:
                _carry_out(far_end, request)


def _carry_out(far_end: FarEnd, request: dict[str, Any]) -> None:
    match request["do"]:
        case "edges":
            forgotten = far_end.seen - len(far_end.history)
            edges = list(islice(far_end.history, max(0, request["after"] - forgotten), None))
            _say(edges=edges, commands=far_end.seen, garbage_bytes=far_end.garbage_bytes)
        case "unplug":
            far_end.unplug()
            _say()
        case "replug":
            far_end.plug_in()
            _say()


def _say(**answer: object) -> None:
    print(json.dumps(answer), flush=True)


def main(arguments: list[str]) -> None:
    """Run a board. `arguments`: the protocol and the number of channels."""
    become_punctual()  # the times of the far end are no better than its own punctuality
    far_end = FarEnd(arguments[0], int(arguments[1]))
    try:
        _say(port=str(far_end.path))
        serve(far_end)
    finally:
        far_end.close()


if __name__ == "__main__":
    main(sys.argv[1:])
