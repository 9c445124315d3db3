"""A camera whose device is the test: triggers and frames come over two Unix sockets, and the test may hang up."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import threading
import time
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from camera.errors import CameraLostError, CameraOpenError
from camera.frame import Frame, Pixels, Trigger
from camera.interface import Camera

_TRIGGER = struct.Struct("<qq")  # number, host ns
_FRAME = struct.Struct("<qHHB")  # counter, height, width, what it is
_SPACING_S = 0.05
_COMPLETE, _INCOMPLETE, _NONSENSE = 0, 1, 2


class Options(BaseModel):
    """Where the device listens: `path` for frames, `path` + ".triggers"."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path


class PipeCamera(Camera):
    """The driver: a frame that the device calls incomplete is a gap in the counter; a socket that ends is a loss."""

    reports_triggers: ClassVar[bool] = True

    def __init__(self, name: str, options: Options) -> None:
        super().__init__(name)
        self._path = options.path
        self._frames: socket.socket | None = None
        self._triggers: socket.socket | None = None
        self._last_counter = 0

    def _open(self) -> None:
        try:
            self._frames = _connect(self._path)
            self._triggers = _connect(Path(f"{self._path}.triggers"))
        except OSError as error:
            raise CameraOpenError(f"camera '{self.name}': {self._path}: {error}; plug it in") from error
        self._last_counter = 0

    def _start(self) -> None: ...

    def _grab(self, into: Pixels | None, timeout_s: float) -> Frame | None:
        head = self._read(self._frames, _FRAME.size, timeout_s)
        if head is None:
            return None
        counter, height, width, kind = _FRAME.unpack(head)
        pixels = np.frombuffer(self._read(self._frames, height * width, 5.0) or b"", np.uint8).reshape(height, width)
        if kind == _NONSENSE:
            raise RuntimeError("the driver has met what it was not written for")
        if kind == _INCOMPLETE:
            return None
        lost_before, self._last_counter = counter - self._last_counter - 1, counter
        return Frame(self.name, counter, None, time.monotonic_ns(), lost_before, "Mono8", pixels)

    def _wait_trigger(self, timeout_s: float) -> Trigger | None:
        data = self._read(self._triggers, _TRIGGER.size, timeout_s)
        return None if data is None else Trigger(*_TRIGGER.unpack(data))

    def _read(self, link: socket.socket | None, size: int, timeout_s: float) -> bytes | None:
        if link is None:
            raise CameraLostError(f"camera '{self.name}' has gone")
        try:
            if not select.select([link], [], [], timeout_s)[0]:
                return None
            data = link.recv(size, socket.MSG_WAITALL)
        except (OSError, ValueError) as error:
            raise CameraLostError(f"camera '{self.name}' has gone: {error}") from error
        if len(data) < size:
            raise CameraLostError(f"camera '{self.name}' has gone: the line ended")
        return data

    def _stop(self) -> None: ...

    def _close(self) -> None:
        frames, self._frames = self._frames, None
        triggers, self._triggers = self._triggers, None
        for link in (frames, triggers):
            if link is not None:
                link.close()


def _connect(path: Path) -> socket.socket:
    link = socket.socket(socket.AF_UNIX)
    try:
        link.connect(str(path))
    except OSError:
        link.close()
        raise
    return link


class CameraDevice:
    """The device at the other end, owned by the test; numbers begin with 1 at each connection, as a real one's do."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.triggers: list[tuple[int, int]] = []
        """Every part that was ever triggered: host ns and grey level, in order."""
        self._number = 0
        self._lock = threading.Lock()
        self._pause = threading.Event()
        self._links: list[socket.socket] = []
        self._listeners: list[socket.socket] = []

    def plug_in(self) -> None:
        """Listen for the station; it connects when it opens the camera."""
        self._listeners = []
        for path in (self.path, Path(f"{self.path}.triggers")):
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(path))
            listener.listen(1)
            self._listeners.append(listener)

    def wait_for_station(self, timeout_s: float = 60.0) -> None:
        """Take the station's two connections."""
        links = []
        for listener in self._listeners:
            listener.settimeout(timeout_s)
            links.append(listener.accept()[0])
        with self._lock:
            self._links, self._number = links, 0

    def unplug(self) -> None:
        """Hang up, and refuse to be opened again."""
        with self._lock:
            links, self._links = self._links, []
        for link in links + self._listeners:
            link.close()
        for path in (self.path, Path(f"{self.path}.triggers")):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108 - a socket, not a file

    def part(
        self,
        level: int,
        *,
        lost: bool = False,
        incomplete: bool = False,
        nonsense: bool = False,
        size: tuple[int, int] = (48, 64),
    ) -> None:
        """Let one part cross the photo-eye: a trigger, and (unless it is lost) a frame of one grey level.

        The next one can come 50 ms later at the soonest: parts closer than a pulse would share one fate.
        """
        with self._lock:
            self._number += 1
            now_host_ns = time.monotonic_ns()
            self.triggers.append((now_host_ns, level))
            self._links[1].sendall(_TRIGGER.pack(self._number, now_host_ns))
            if not lost:
                kind = _NONSENSE if nonsense else _INCOMPLETE if incomplete else _COMPLETE
                self._links[0].sendall(_FRAME.pack(self._number, *size, kind) + bytes([level]) * (size[0] * size[1]))
        self._pause.wait(_SPACING_S)

    def views(self, *pictures: Pixels) -> None:
        """Let one part cross whose trigger exposes several frames, one after the other; always as many of a part."""
        with self._lock:
            self._number += 1
            now_host_ns = time.monotonic_ns()
            self.triggers.append((now_host_ns, int(pictures[0].max())))
            self._links[1].sendall(_TRIGGER.pack(self._number, now_host_ns))
            for place, picture in enumerate(pictures, 1):
                counter = (self._number - 1) * len(pictures) + place
                self._links[0].sendall(_FRAME.pack(counter, *picture.shape, _COMPLETE) + picture.tobytes())
        self._pause.wait(_SPACING_S)

    def parts(self, *levels: int) -> None:
        """Let several parts cross, one after the other."""
        for level in levels:
            self.part(level)
