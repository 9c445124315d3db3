"""The words of the controller's protocol: message types, codes and payloads (docs/controller-protocol.md)."""

from __future__ import annotations

import struct
from enum import IntEnum, IntFlag
from typing import NamedTuple

from inspection.ejector.controller.frame import Frame

PROTOCOL_VERSION = 1
_CONFIG = struct.Struct("<HIIIIIHHIIIHHH")
PASS = 0x5A
REJECT = 0xA5


class Type(IntEnum):
    """What a frame says; from 0x80 on it comes from the controller."""

    HELLO = 0x01
    CONFIG = 0x02
    ARM = 0x03
    DISARM = 0x04
    HEARTBEAT = 0x05
    VERDICT = 0x06
    RECALL = 0x07
    ASK = 0x08
    INFO = 0x81
    ACK = 0x82
    TRIGGER = 0x83
    RESULT = 0x84
    STRANGER = 0x85
    ENCODER = 0x86
    BIN_FULL = 0x87
    FAULT = 0x88
    STATUS = 0x89


class Status(IntEnum):
    """The controller's answer to a message."""

    OK = 0
    UNKNOWN_TYPE = 1
    BAD_LENGTH = 2
    BAD_VALUE = 3
    NOT_NOW = 4
    WRONG_BOOT = 5
    WRONG_VERSION = 6
    LATE = 16
    UNKNOWN_TAG = 17
    STALE_EPOCH = 18
    NOT_ARMED = 19
    REJECTED_ALREADY = 20
    FINISHED = 21


class Outcome(IntEnum):
    """What became of a part."""

    RELEASED = 1
    FIRED = 2
    BY_DEFAULT = 3
    REMOVED = 4
    NOT_SEEN = 5
    MERGED = 6


class ResultFlag(IntFlag):
    """How it became so."""

    SHARED = 1
    LATE = 2
    DEFAULTED = 4
    HELD = 8
    REPEATED = 16
    PULSE = 32
    REVOKED = 64
    CONFIRMED = 128


class FaultCode(IntEnum):
    """What the controller found wrong."""

    HEARTBEAT_LOST = 1
    FIFO_OVERFLOW = 2
    ENCODER_STANDS = 3
    PULSE_LATE = 4
    UNEXPECTED_EJECTION = 5


class State(IntEnum):
    """The controller's state; only ARMED can pass a part."""

    UNCONFIGURED = 0
    DISARMED = 1
    ARMED = 2
    SAFE = 3


class StatusFlag(IntFlag):
    """What holds at the moment."""

    HOLDING = 1
    BIN_FULL = 2
    ENCODER_FAULT = 4
    EJECTING = 8
    WATCHDOG_RESET = 16


class ConfigFlag(IntFlag):
    """How the controller is wired and what its lengths mean."""

    DELAY_COUNTS = 1
    WIDTH_COUNTS = 2
    POSITIVE_RELEASE = 4
    EJECT_ACTIVE_LOW = 8
    RUN_ACTIVE_LOW = 16
    PRESENCE_SENSOR = 32
    CONFIRM_SENSOR = 64
    BIN_SENSOR = 128


class Config(NamedTuple):
    """CONFIG: positions in µs, or in encoder counts with DELAY_COUNTS; the width in counts with WIDTH_COUNTS."""

    flags: int
    delay: int
    deadline: int
    width: int
    window: int
    lead_us: int = 0
    heartbeat_timeout_ms: int = 500
    debounce_us: int = 1000
    presence_at: int = 0
    presence_window: int = 0
    confirm_us: int = 0
    release_limit_ms: int = 0
    encoder_period_ms: int = 0
    status_period_ms: int = 200

    def payload(self) -> bytes:
        """Return the payload, 44 bytes."""
        return _CONFIG.pack(*self)


class Info(NamedTuple):
    """INFO: who the controller is and where it stands."""

    version: int
    firmware: int
    boot_id: int
    clock_hz: int
    capacity: int
    capabilities: int
    state: int
    flags: int
    next_tag: int
    epoch: int
    now_device_us: int


class Ack(NamedTuple):
    """ACK: the answer to the host's frame with this sequence number."""

    sequence: int
    type: int
    status: int
    detail: int


class TriggerReport(NamedTuple):
    """TRIGGER: a part was born."""

    tag: int
    epoch: int
    flags: int
    at_device_us: int
    position: int


class Result(NamedTuple):
    """RESULT: what became of a part; `due` is a time in device µs or a count."""

    tag: int
    epoch: int
    outcome: int
    flags: int
    at_device_us: int
    position: int
    due: int


class Stranger(NamedTuple):
    """STRANGER: something came to the presence sensor that no trigger had announced; it is rejected."""

    number: int
    at_device_us: int
    position: int


class EncoderSample(NamedTuple):
    """ENCODER: where the belt was when."""

    at_device_us: int
    position: int


class BinFull(NamedTuple):
    """BIN_FULL: the level of the bin's sensor changed."""

    full: int
    at_device_us: int


class FaultReport(NamedTuple):
    """FAULT: something went wrong; `value` depends on the code."""

    code: int
    at_device_us: int
    value: int


class StatusReport(NamedTuple):
    """STATUS: the controller's own sign of life, with its counters since its start."""

    boot_id: int
    state: int
    flags: int
    epoch: int
    next_tag: int
    oldest_tag: int
    in_flight: int
    now_device_us: int
    position: int
    triggers: int
    released: int
    rejected: int
    by_default: int
    merged: int
    removed: int
    not_seen: int
    strangers: int
    refused_verdicts: int
    overflows: int
    bounces: int
    dropped_frames: int
    bad_frames: int


Told = Info | Ack | TriggerReport | Result | Stranger | EncoderSample | BinFull | FaultReport | StatusReport

_READERS: dict[int, tuple[struct.Struct, type[Told]]] = {
    Type.INFO: (struct.Struct("<BHIIHHBBHHQ"), Info),
    Type.ACK: (struct.Struct("<BBBH"), Ack),
    Type.TRIGGER: (struct.Struct("<HHBQq"), TriggerReport),
    Type.RESULT: (struct.Struct("<HHBBQqq"), Result),
    Type.STRANGER: (struct.Struct("<HQq"), Stranger),
    Type.ENCODER: (struct.Struct("<Qq"), EncoderSample),
    Type.BIN_FULL: (struct.Struct("<BQ"), BinFull),
    Type.FAULT: (struct.Struct("<BQI"), FaultReport),
    Type.STATUS: (struct.Struct("<IBBHHHHQq13I"), StatusReport),
}


def read(frame: Frame) -> Told | None:
    """Return what a frame of the controller says; None for a type or a length that this version does not know."""
    known = _READERS.get(frame.type)
    if known is None or len(frame.payload) != known[0].size:
        return None
    return known[1](*known[0].unpack(frame.payload))


def hello() -> tuple[int, bytes]:
    """Return type and payload of HELLO."""
    return Type.HELLO, bytes((PROTOCOL_VERSION,))


def arm(boot_id: int) -> tuple[int, bytes]:
    """Return type and payload of ARM."""
    return Type.ARM, boot_id.to_bytes(4, "little")


def verdict(tag: int, epoch: int, passed: bool) -> tuple[int, bytes]:
    """Return type and payload of VERDICT."""
    return Type.VERDICT, struct.pack("<HHB", tag, epoch, PASS if passed else REJECT)


def recall(tag: int) -> tuple[int, bytes]:
    """Return type and payload of RECALL."""
    return Type.RECALL, tag.to_bytes(2, "little")
