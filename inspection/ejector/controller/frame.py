"""One frame of the controller's line: COBS between zeros, CRC-16 inside (docs/controller-protocol.md)."""

from __future__ import annotations

import binascii
from dataclasses import dataclass

MAX_PAYLOAD = 96
_MIN_BODY = 4
_MAX_BODY = MAX_PAYLOAD + _MIN_BODY
_MAX_PENDING = _MAX_BODY + 1


@dataclass(frozen=True, slots=True)
class Frame:
    """A valid frame: what it says, its place in the sender's sequence, and its payload."""

    type: int
    sequence: int
    payload: bytes


def encode(frame: Frame) -> bytes:
    """Return the frame as it goes over the line, its ending zero included. Raises ValueError for a payload too long."""
    if len(frame.payload) > MAX_PAYLOAD:
        raise ValueError(f"a payload of {len(frame.payload)} bytes — at most {MAX_PAYLOAD} fit — split it")
    body = bytes((frame.type, frame.sequence)) + frame.payload
    body += binascii.crc_hqx(body, 0xFFFF).to_bytes(2, "little")  # crc_hqx from 0xFFFF is CRC-16/IBM-3740
    return b"".join(bytes((len(block) + 1,)) + block for block in body.split(b"\0")) + b"\0"


class FrameReader:
    """Finds whole frames in a stream that may be cut, damaged or begin anywhere. Owned by one thread."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._too_long = False
        self.bad_frames = 0

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes in, cut anywhere; return the frames that they complete."""
        frames: list[Frame] = []
        *ended, rest = data.split(b"\0")
        for stretch in ended:
            self._take(stretch)
            if self._pending:
                frame = None if self._too_long else _decode(bytes(self._pending))
                if frame is None:
                    self.bad_frames += 1
                else:
                    frames.append(frame)
            self.reset()
        self._take(rest)
        return frames

    def reset(self) -> None:
        """Forget an unfinished frame."""
        self._pending.clear()
        self._too_long = False

    def _take(self, data: bytes) -> None:
        room = _MAX_PENDING - len(self._pending)
        self._too_long = self._too_long or len(data) > room
        self._pending += data[:room]


def _decode(stretch: bytes) -> Frame | None:
    body = bytearray()
    at = 0
    while at < len(stretch):
        code = stretch[at]
        if at + code > len(stretch):
            return None
        body += stretch[at + 1 : at + code]
        at += code
        if at < len(stretch) and code != 0xFF:
            body.append(0)
    if not _MIN_BODY <= len(body) <= _MAX_BODY:
        return None
    if binascii.crc_hqx(body[:-2], 0xFFFF) != int.from_bytes(body[-2:], "little"):
        return None
    return Frame(body[0], body[1], bytes(body[2:-2]))
