"""The messages between the station and the ejector's process: of fixed size, led by a version, some to a packet."""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import fields
from enum import IntEnum
from typing import NamedTuple

from inspection.ejector.commands import Counters
from inspection.ejector.errors import EjectorError
from inspection.part import Actuation, EjectorAction, Verdict

VERSION = 2
DETAIL_BYTES = 320
COUNTERS = tuple(one.name for one in fields(Counters))
LONGEST = 4096

_ACTIONS = tuple(EjectorAction)
_VERDICTS = tuple(Verdict)


class Kind(IntEnum):
    """The second byte of every message."""

    EXPECT = 1
    DECIDE = 2
    ALIVE = 3
    GOODBYE = 4
    ACTUATION = 5
    HEALTH = 6
    MOVED = 7


class Expect(NamedTuple):
    """Station → ejector: arm the reject of a part. due: its place on the belt (host ns where the clock is the belt)."""

    part: int
    due: int


class Decide(NamedTuple):
    """Station → ejector: the verdict on a part."""

    part: int
    verdict: Verdict


class Moved(NamedTuple):
    """Station → ejector: the encoder's position at a moment of the host's monotonic clock."""

    host_ns: int
    position: int


class Alive(NamedTuple):
    """Station → ejector: the station works."""


class Goodbye(NamedTuple):
    """Station → ejector: end in order. A link that ends without it means that the station has died."""


class Health(NamedTuple):
    """Ejector → station: how the port and the scheduler are, and what was counted since the process began."""

    connected: bool
    heartbeat_running: bool
    realtime: bool
    reconnects: int
    counts: tuple[int, ...]  # in the order of COUNTERS
    detail: str


Message = Expect | Decide | Moved | Alive | Goodbye | Actuation | Health

_HEAD = struct.Struct("<BB")
_EXPECT = _MOVED = struct.Struct("<BBqq")
_DECIDE = struct.Struct("<BBqB")
_ACTUATION = struct.Struct("<BBqB???qqq")  # part, action, by_default, is it written, is it due, when, how late, due
_HEALTH = struct.Struct(f"<BB???q{len(COUNTERS)}q{DETAIL_BYTES}s")


def encode(message: Message) -> bytes:
    """Return the packet of a message; a detail that is too long for its field is cut."""
    match message:
        case Expect():
            return _EXPECT.pack(VERSION, Kind.EXPECT, *message)
        case Decide():
            return _DECIDE.pack(VERSION, Kind.DECIDE, message.part, _VERDICTS.index(message.verdict))
        case Moved():
            return _MOVED.pack(VERSION, Kind.MOVED, *message)
        case Alive():
            return _HEAD.pack(VERSION, Kind.ALIVE)
        case Goodbye():
            return _HEAD.pack(VERSION, Kind.GOODBYE)
        case Actuation(part, action, by_default, written, lateness, due):
            flags = by_default, written is not None, due is not None
            times = written or 0, lateness or 0, due or 0
            return _ACTUATION.pack(VERSION, Kind.ACTUATION, part, _ACTIONS.index(action), *flags, *times)
        case Health(connected, beating, realtime, reconnects, counts, detail):
            text = detail.encode()[:DETAIL_BYTES]
            return _HEALTH.pack(VERSION, Kind.HEALTH, connected, beating, realtime, reconnects, *counts, text)


_SIZES = {
    Kind.EXPECT: _EXPECT.size,
    Kind.DECIDE: _DECIDE.size,
    Kind.ALIVE: _HEAD.size,
    Kind.GOODBYE: _HEAD.size,
    Kind.ACTUATION: _ACTUATION.size,
    Kind.HEALTH: _HEALTH.size,
    Kind.MOVED: _MOVED.size,
}


def pack(encoded: deque[bytes]) -> bytes:
    """Take as many encoded messages off the left as fit into one packet, at least one, and return the packet."""
    packet = [encoded.popleft()]
    size = len(packet[0])
    while encoded and size + len(encoded[0]) <= LONGEST:
        size += len(encoded[0])
        packet.append(encoded.popleft())
    return b"".join(packet)


def decode_all(packet: bytes) -> list[Message]:
    """Return the messages of a packet, in the order in which they were sent. Raises EjectorError as `decode` does."""
    messages: list[Message] = []
    start = 0
    while start < len(packet) or not messages:
        kind = packet[start + 1] if len(packet) > start + 1 else 0
        end = start + _SIZES.get(kind, len(packet))  # type: ignore[call-overload]  # an IntEnum is its number
        messages.append(decode(packet[start:end]))
        start = end
    return messages


def decode(packet: bytes) -> Message:
    """Return the message of a packet. Raises EjectorError when it is of another version or no message at all."""
    if len(packet) < _HEAD.size or packet[0] != VERSION:
        version = packet[0] if packet else "none"
        raise EjectorError(
            f"a message of version {version} arrived — this program speaks version {VERSION} — restart the station, "
            "so that station and ejector are of one installation"
        )
    try:
        return _decode_body(Kind(packet[1]), packet)
    except (struct.error, ValueError, IndexError) as error:
        raise EjectorError(f"{packet[:32].hex(' ')} is no ejector message ({error}) — restart the station") from error


def _decode_body(kind: Kind, packet: bytes) -> Message:
    match kind:
        case Kind.EXPECT:
            return Expect(*_EXPECT.unpack(packet)[2:])
        case Kind.DECIDE:
            _, _, part, verdict = _DECIDE.unpack(packet)
            return Decide(part, _VERDICTS[verdict])
        case Kind.MOVED:
            return Moved(*_MOVED.unpack(packet)[2:])
        case Kind.ALIVE:
            return Alive()
        case Kind.GOODBYE:
            return Goodbye()
        case Kind.ACTUATION:
            _, _, part, code, by_default, is_written, is_due, written, late, due = _ACTUATION.unpack(packet)
            written_ns, late_us = (written, late) if is_written else (None, None)
            return Actuation(part, _ACTIONS[code], by_default, written_ns, late_us, due if is_due else None)
        case Kind.HEALTH:
            connected, beating, realtime, reconnects, *counts, detail = _HEALTH.unpack(packet)[2:]
            text = detail.rstrip(b"\0").decode(errors="replace")
            return Health(connected, beating, realtime, reconnects, tuple(counts), text)
