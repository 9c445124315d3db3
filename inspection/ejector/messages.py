"""The messages between the station and the ejector's process: of fixed size, led by a version, some to a packet."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
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
_ACTION_CODES = {action: code for code, action in enumerate(_ACTIONS)}
_VERDICTS = tuple(Verdict)
_VERDICT_CODES = {verdict: code for code, verdict in enumerate(_VERDICTS)}


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


def encode_expect(part: int, due: int) -> bytes:
    """Return the bytes of an Expect: the way of every part, without the message in between."""
    return _EXPECT.pack(VERSION, 1, part, due)


def encode_decide(part: int, verdict: Verdict) -> bytes:
    """Return the bytes of a Decide, as `encode_expect` does."""
    return _DECIDE.pack(VERSION, 2, part, _VERDICT_CODES[verdict])


def encode_actuation(report: Actuation) -> bytes:
    """Return the bytes of a report."""
    written_ns, late_us, due_ns = report.written_host_ns, report.lateness_us, report.due_host_ns
    flags = report.by_default, written_ns is not None, due_ns is not None
    times = written_ns or 0, late_us or 0, due_ns or 0
    return _ACTUATION.pack(VERSION, 5, report.part, _ACTION_CODES[report.action], *flags, *times)


def encode(message: Message) -> bytes:
    """Return the packet of a message; a detail that is too long for its field is cut."""
    match message:
        case Expect(part, due):
            return encode_expect(part, due)
        case Decide(part, verdict):
            return encode_decide(part, verdict)
        case Moved():
            return _MOVED.pack(VERSION, Kind.MOVED, *message)
        case Alive():
            return _HEAD.pack(VERSION, Kind.ALIVE)
        case Goodbye():
            return _HEAD.pack(VERSION, Kind.GOODBYE)
        case Actuation():
            return encode_actuation(message)
        case Health(connected, beating, realtime, reconnects, counts, detail):
            text = detail.encode()[:DETAIL_BYTES]
            return _HEALTH.pack(VERSION, Kind.HEALTH, connected, beating, realtime, reconnects, *counts, text)


_SIZES: dict[int, int] = {
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
    start, length = 0, len(packet)
    while start < length or not messages:
        kind = packet[start + 1] if length > start + 1 else 0
        end = start + _SIZES.get(kind, length)
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
        return _READERS[packet[1]](packet)
    except (struct.error, ValueError, LookupError) as error:
        raise EjectorError(f"{packet[:32].hex(' ')} is no ejector message ({error}) — restart the station") from error


def _read_expect(packet: bytes) -> Expect:
    _, _, part, due = _EXPECT.unpack(packet)
    return Expect(part, due)


def _read_decide(packet: bytes) -> Decide:
    _, _, part, verdict = _DECIDE.unpack(packet)
    return Decide(part, _VERDICTS[verdict])


def _read_moved(packet: bytes) -> Moved:
    _, _, host_ns, position = _MOVED.unpack(packet)
    return Moved(host_ns, position)


def _read_actuation(packet: bytes) -> Actuation:
    _, _, part, code, by_default, is_written, is_due, written, late, due = _ACTUATION.unpack(packet)
    written_ns, late_us = (written, late) if is_written else (None, None)
    return Actuation(part, _ACTIONS[code], by_default, written_ns, late_us, due if is_due else None)


def _read_health(packet: bytes) -> Health:
    connected, beating, realtime, reconnects, *counts, detail = _HEALTH.unpack(packet)[2:]
    text = detail.rstrip(b"\0").decode(errors="replace")
    return Health(connected, beating, realtime, reconnects, tuple(counts), text)


_READERS: dict[int, Callable[[bytes], Message]] = {
    Kind.EXPECT: _read_expect,
    Kind.DECIDE: _read_decide,
    Kind.ALIVE: lambda _packet: Alive(),
    Kind.GOODBYE: lambda _packet: Goodbye(),
    Kind.ACTUATION: _read_actuation,
    Kind.HEALTH: _read_health,
    Kind.MOVED: _read_moved,
}
