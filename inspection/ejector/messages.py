"""The messages between the station and the ejector's process: one fixed-size packet each, led by a version byte."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from inspection.ejector.errors import EjectorError
from inspection.part import Actuation, EjectorAction, Verdict

VERSION = 1
DETAIL_BYTES = 400
LONGEST = 512

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


class Expect(NamedTuple):
    """Station → ejector: arm the reject of a part. Host monotonic times."""

    part: int
    due_host_ns: int
    deadline_host_ns: int


class Decide(NamedTuple):
    """Station → ejector: the verdict on a part."""

    part: int
    verdict: Verdict


class Alive(NamedTuple):
    """Station → ejector: the station works."""


class Goodbye(NamedTuple):
    """Station → ejector: end in order. A link that ends without it means that the station has died."""


class Health(NamedTuple):
    """Ejector → station: how the port and the scheduler are, and what was counted since the process began."""

    connected: bool
    heartbeat_running: bool
    realtime: bool
    pulses: int
    merges: int
    reconnects: int
    ignored_verdicts: int
    duplicate_parts: int
    refused_parts: int
    lost_reports: int
    detail: str


Message = Expect | Decide | Alive | Goodbye | Actuation | Health

_HEAD = struct.Struct("<BB")
_EXPECT = struct.Struct("<BBqqq")
_DECIDE = struct.Struct("<BBqB")
_ACTUATION = struct.Struct("<BBqB??qq")  # part, action, by_default, whether it was written, when, how late
_HEALTH = struct.Struct(f"<BB???7q{DETAIL_BYTES}s")


def encode(message: Message) -> bytes:
    """Return the packet of a message; a detail that is too long for its field is cut."""
    match message:
        case Expect():
            return _EXPECT.pack(VERSION, Kind.EXPECT, *message)
        case Decide():
            return _DECIDE.pack(VERSION, Kind.DECIDE, message.part, _VERDICTS.index(message.verdict))
        case Alive():
            return _HEAD.pack(VERSION, Kind.ALIVE)
        case Goodbye():
            return _HEAD.pack(VERSION, Kind.GOODBYE)
        case Actuation(part, action, by_default, written, lateness):
            code, fired = _ACTIONS.index(action), written is not None
            return _ACTUATION.pack(VERSION, Kind.ACTUATION, part, code, by_default, fired, written or 0, lateness or 0)
        case Health():
            return _HEALTH.pack(VERSION, Kind.HEALTH, *message[:-1], message.detail.encode()[:DETAIL_BYTES])


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
        case Kind.ALIVE:
            return Alive()
        case Kind.GOODBYE:
            return Goodbye()
        case Kind.ACTUATION:
            _, _, part, code, by_default, fired, written, lateness = _ACTUATION.unpack(packet)
            return Actuation(part, _ACTIONS[code], by_default, written if fired else None, lateness if fired else None)
        case Kind.HEALTH:
            values = _HEALTH.unpack(packet)[2:]
            return Health._make((*values[:-1], values[-1].rstrip(b"\0").decode(errors="replace")))
