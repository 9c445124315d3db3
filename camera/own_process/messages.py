"""What the driver's process tells the station of exposures, one packet each, and the memory that goes along."""

from __future__ import annotations

import os
import pickle
import socket
import struct
from dataclasses import dataclass

from camera.errors import CameraError
from camera.frame import BrokenFrame, Frame

_LARGEST = 1 << 16
_LONGEST_TEXT = 10_000  # characters of an error, of up to 4 bytes each
_FILE = struct.Struct("i")


@dataclass(frozen=True, slots=True)
class FilledSlot:
    """A frame whose pixels lie in a slot; `frame.pixels` of the sender is not part of it."""

    place: int
    shape: tuple[int, ...]
    dtype: str
    counter: int
    device_ns: int | None
    received_host_ns: int
    lost_before: int
    pixel_format: str
    chunks: dict[str, int | float]

    @classmethod
    def of(cls, frame: Frame, place: int, lost_before: int) -> FilledSlot:
        """Describe a frame that was put into a slot."""
        pixels = frame.pixels
        return cls(
            place,
            pixels.shape,
            pixels.dtype.str,
            frame.counter,
            frame.device_ns,
            frame.received_host_ns,
            lost_before,
            frame.pixel_format,
            dict(frame.chunks),
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """Grabbing ended by an error; nothing more comes until it is stopped."""

    error: CameraError

    def shortened(self) -> Failure:
        """Return it with the beginning of its text alone, as the nearest error that is ours: a packet has an end."""
        text, error = str(self.error), self.error
        if len(text) > _LONGEST_TEXT:
            text = f"{text[:_LONGEST_TEXT]} … ({len(text)} characters in all)"
        ours = next(kind for kind in type(error).__mro__ if kind.__module__ == CameraError.__module__)
        return Failure(ours(text, error.cause))


@dataclass(frozen=True, slots=True)
class SourceEnd:
    """A finite source has given everything."""


Message = FilledSlot | BrokenFrame | Failure | SourceEnd


def send(link: socket.socket, message: Message, memory_fd: int | None) -> bool:
    """Send a message without waiting; False when there is no room for it."""
    packet = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    if isinstance(message, Failure) and len(packet) > _LARGEST:
        packet = pickle.dumps(message.shortened(), pickle.HIGHEST_PROTOCOL)
    files = [] if memory_fd is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, _FILE.pack(memory_fd))]
    try:
        link.sendmsg([packet], files, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    return True


def receive(link: socket.socket) -> tuple[Message, list[int]] | None:
    """Take the next message and the files that came along, None where there is none.

    Raises EOFError at the end, and for a message that did not come whole: a frame whose memory was left out, as where
    this process may open no more files, would be looked for in the memory before.
    """
    flags = socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
    try:
        packet, along, came, _address = link.recvmsg(_LARGEST, socket.CMSG_SPACE(_FILE.size), flags)
    except BlockingIOError:
        return None
    except ConnectionError as error:
        raise EOFError(str(error)) from error
    if not packet:
        raise EOFError("hung up")
    files = [_FILE.unpack(data)[0] for _level, _kind, data in along]
    if came & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        for fd in files:
            os.close(fd)
        raise EOFError("a message was cut off")
    message: Message = pickle.loads(packet)
    return message, files
