"""One open /dev/video node: its requests to the kernel, and what their refusals mean."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from pathlib import Path
from typing import Self

from camera.errors import CameraLostError, CameraOpenError, Cause
from camera.v4l2 import abi

GONE = frozenset({errno.ENODEV, errno.ENXIO, errno.ENOENT})


class VideoNode:
    """An open file of the kernel's, owned by the camera that opened it. Calls are not locked here."""

    def __init__(self, path: str, camera: str) -> None:
        """Open the node, not yet claimed: V4L2 lets several programs open it. Raises CameraOpenError."""
        self.path = path
        self._camera = camera
        try:
            self.fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise open_error(camera, path, error) from error

    def call(self, request: int, argument: ctypes.Structure | ctypes.c_int32) -> None:
        """Make one request; the answer is in `argument`. Raises OSError."""
        while True:
            try:
                fcntl.ioctl(self.fd, request, argument)
            except InterruptedError:
                continue
            return

    def claim(self, request: int, argument: ctypes.Structure | ctypes.c_int32) -> None:
        """Make a request of opening the camera. Raises CameraOpenError."""
        try:
            self.call(request, argument)
        except OSError as error:
            raise open_error(self._camera, self.path, error) from error

    def capability(self) -> abi.Capability:
        """Ask what the node is. Raises CameraOpenError where it is no V4L2 device."""
        answer = abi.Capability()
        self.claim(abi.QUERYCAP, answer)
        return answer

    def formats(self) -> list[str]:
        """Return the four-character codes of the formats that it offers, in its own order."""
        codes: list[str] = []
        description = abi.FormatDescription(type=abi.CAPTURE)
        while True:
            description.index = len(codes)
            try:
                self.call(abi.ENUM_FMT, description)
            except OSError:
                return codes
            codes.append(abi.fourcc_text(description.pixelformat))

    def is_gone(self) -> bool:
        """Return whether the device behind the node has been unplugged."""
        try:
            self.call(abi.QUERYCAP, abi.Capability())
        except OSError as error:
            return error.errno in GONE
        return False

    def is_held(self) -> bool:
        """Return whether another program streams from it: it may not even be asked to have no buffers."""
        try:
            self.call(abi.REQBUFS, abi.RequestBuffers(0, abi.CAPTURE, abi.MEMORY_MMAP))
        except OSError as error:
            return error.errno == errno.EBUSY
        return False

    def lost(self, doing: str, error: OSError | None = None) -> CameraLostError:
        """Return the error of a stream that ended: unplugged, or given up by its driver."""
        why = "" if error is None else f" ({error.strerror})"
        if (error is not None and error.errno in GONE) or self.is_gone():
            return CameraLostError(
                f"camera '{self._camera}': {self.path} has gone while {doing}{why}; check plug, cable and power",
                Cause.ABSENT,
            )
        return CameraLostError(
            f"camera '{self._camera}': the kernel's driver of {self.path} ended the stream while {doing}{why}; `dmesg` "
            "says more; check the cable and what else is on its USB bus",
            Cause.CONTROL_LOST,
        )

    def close(self) -> None:
        """Give the file back. Idempotent."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_error(camera: str, path: str, error: OSError) -> CameraOpenError:
    """Return what the kernel's refusal of a node means, and what mends it."""
    where = f"camera '{camera}': {path}"
    if error.errno in GONE:
        there = ", ".join(sorted(str(node) for node in Path("/dev").glob("video*"))) or "none"
        return CameraOpenError(f"{where} is not there; nodes that are: {there}; check plug and power", Cause.ABSENT)
    if error.errno == errno.EBUSY:
        return CameraOpenError(
            f"{where} is held by another program; end it (`fuser -v {path}` names it) and try again", Cause.HELD
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return CameraOpenError(
            f"{where} may not be opened by this user; add it to the group that owns the node, mostly `video`: "
            "sudo usermod -aG video $USER, and log in again",
            Cause.INSTALLATION,
        )
    if error.errno in (errno.ENOTTY, errno.EINVAL):
        return CameraOpenError(f"{where} is no video device ({error.strerror}); give /dev/video…", Cause.REFUSED)
    if error.errno == errno.ENOSPC:
        return CameraOpenError(
            f"{where}: the USB bus has no room for this stream; lower size or frame rate, take MJPG, or move the "
            "camera to another bus",
            Cause.NETWORK,
        )
    return CameraOpenError(f"{where} cannot be opened: {error.strerror}; `dmesg` says more", Cause.UNKNOWN)
