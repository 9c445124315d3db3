"""The driver: a camera behind a Unix socket, with a channel for commands and one for pictures."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from camera import Camera, CameraLostError, CameraOpenError, Frame, Pixels, Trigger
from camera.device import Device, DeviceOptions
from camera.errors import Cause
from camera.frame import BrokenFrame

HEADER = struct.Struct("<QqHHI")  # counter, device_ns, height, width, bytes that follow
_ANSWER_S = 2.0
_READ_OUT_S = 2.0


class Options(DeviceOptions):
    """What a station's file may say of this camera, over what it says of any."""

    frame_rate_hz: float = Field(default=10.0, gt=0, le=1000, description="of a free-running camera")
    trigger: Literal["free", "software"] = "free"


class Header(NamedTuple):
    """What the camera says of a picture before it sends it."""

    counter: int
    device_ns: int
    height: int
    width: int
    sent: int


def devices() -> list[Device]:
    """Find what is connected: here, the sockets in a folder. A driver of an SDK asks the SDK."""
    folder = Path(os.environ.get("SOCKETCAM_FOLDER", "/run/socketcam"))
    return [Device("socketcam", file.stem, address=str(file)) for file in sorted(folder.glob("*.camera"))]


class SocketCamera(Camera):
    """One camera. No thread and no policy: it fills the buffer that it is given, and says what happened."""

    def __init__(self, name: str, options: Options) -> None:
        super().__init__(name)
        self._options = options
        self._control: socket.socket | None = None
        self._pictures: socket.socket | None = None
        self._asking = threading.Lock()  # commands come from several threads
        self._grabbing = threading.Lock()  # the socket is closed when nobody reads from it
        self._head: Header | None = None
        self._last_counter = 0
        self._counted = {"frames": 0, "broken_frames": 0, "lost_frames": 0}

    @property
    def takes_software_trigger(self) -> bool:
        """As configured."""
        return self._options.trigger == "software"

    def counters(self) -> Mapping[str, int]:
        """Return what came since it was opened."""
        return dict(self._counted)

    def _open(self) -> None:
        try:
            self._control = _connect(self._path())
            said = self._line()
        except (OSError, CameraLostError) as error:
            self._close()
            text = f"camera '{self.name}': {self._path()}: {error}; see that it is plugged in"
            raise CameraOpenError(text, Cause.ABSENT) from error
        if said != "ready":
            self._close()
            text = f"camera '{self.name}': {self._path()} is {said} by another program; end that one"
            raise CameraOpenError(text, Cause.HELD)
        self._last_counter = 0
        self._counted = dict.fromkeys(self._counted, 0)

    def _start(self) -> None:
        self._head = None  # a connection for each start: no picture of before is left in it
        try:
            self._pictures = _connect(f"{self._path()}.pictures")
        except OSError as error:
            raise CameraLostError(f"camera '{self.name}' has gone: {error}", Cause.CONTROL_LOST) from error
        self._ask(f"start {0 if self.takes_software_trigger else self._options.frame_rate_hz}")

    def _grab(self, into: Pixels | None, timeout_s: float) -> Frame | BrokenFrame | None:
        with self._grabbing:
            if self._pictures is None:
                return None
            try:
                return self._read_out(self._pictures, into, timeout_s)
            except OSError as error:
                if not self._is_started:  # stop() ended the wait
                    return None
                raise CameraLostError(f"camera '{self.name}' has gone: {error}", Cause.CONTROL_LOST) from error

    def _read_out(self, link: socket.socket, into: Pixels | None, timeout_s: float) -> Frame | BrokenFrame | None:
        if self._head is None:
            if not select.select([link], [], [], timeout_s)[0]:
                return None  # idle is no fault
            self._head = Header(*HEADER.unpack(_filled(link, np.empty(HEADER.size, np.uint8))))
        head, size = self._head, self._head.height * self._head.width
        if into is not None and (into.ndim != 1 or into.size < size):
            raise ValueError(f"a buffer of shape {into.shape} is given; the frame needs {size} bytes in a row")
        pixels = np.empty(size, np.uint8) if into is None else into[:size]
        _filled(link, pixels[: head.sent])
        received_host_ns, self._head = time.monotonic_ns(), None
        lost_before, self._last_counter = head.counter - self._last_counter - 1, head.counter
        self._counted["lost_frames"] += lost_before
        if head.sent != size:  # it was exposed: its part is known of, and has no image
            self._counted["broken_frames"] += 1
            why = f"{head.sent} of {size} bytes came"
            return BrokenFrame(self.name, head.counter, head.device_ns, received_host_ns, lost_before, why)
        self._counted["frames"] += 1
        picture = pixels.reshape(head.height, head.width)
        return Frame(self.name, head.counter, head.device_ns, received_host_ns, lost_before, "Mono8", picture)

    def _trigger(self) -> Trigger | None:
        host_ns = time.monotonic_ns()
        answer = self._ask("trigger")
        return None if answer == "busy" else Trigger(int(answer), host_ns)

    def _device_now_ns(self) -> int | None:
        return int(self._ask("clock"))

    def _stop(self) -> None:
        if self._pictures is not None:
            with contextlib.suppress(OSError):
                self._pictures.shutdown(socket.SHUT_RDWR)  # a grab in another thread returns
            with self._grabbing:
                self._pictures.close()
                self._pictures = None
        with contextlib.suppress(CameraLostError):  # one that has gone has stopped
            self._ask("stop")

    def _close(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None

    def _path(self) -> str:
        return self._options.device or next((device.address for device in devices()), "no socket")

    def _ask(self, command: str) -> str:
        with self._asking:
            try:
                assert self._control is not None
                self._control.sendall(f"{command}\n".encode())
                return self._line()
            except OSError as error:
                text = f"camera '{self.name}' does not answer to '{command}': {error}"
                raise CameraLostError(text, Cause.CONTROL_LOST) from error

    def _line(self) -> str:
        assert self._control is not None
        line = b""
        while not line.endswith(b"\n"):
            got = self._control.recv(64)
            if not got:
                raise CameraLostError(f"camera '{self.name}' has hung up", Cause.CONTROL_LOST)
            line += got
        return line.decode().strip()


def _connect(path: str) -> socket.socket:
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(_ANSWER_S)
    try:
        link.connect(path)
    except OSError:
        link.close()
        raise
    return link


def _filled(link: socket.socket, into: Pixels) -> Pixels:
    """Fill the buffer from the socket. Raises OSError where the other end hangs up before, or falls silent."""
    link.settimeout(_READ_OUT_S)
    view = memoryview(into)
    while view:
        got = link.recv_into(view)
        if not got:
            raise ConnectionError("the camera has hung up")
        view = view[got:]
    return into
