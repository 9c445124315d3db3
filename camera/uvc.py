"""USB cameras that the kernel knows as /dev/video*, by Video4Linux2 itself: each frame has its number and its time."""

from __future__ import annotations

import os
import select
import threading
import time

import cv2
import numpy as np

from camera.copying import check_room, put
from camera.errors import CameraLostError, CameraOpenError, Cause
from camera.frame import BrokenFrame, Frame, Pixels
from camera.genicam.block_ids import BlockIds
from camera.image_size import BadImageError, image_size
from camera.interface import Camera
from camera.v4l2 import abi
from camera.v4l2.find import devices, node_of
from camera.v4l2.formats import RAW
from camera.v4l2.node import VideoNode, open_error
from camera.v4l2.options import Options
from camera.v4l2.settings import Stream, apply
from camera.v4l2.stream import BufferQueue

__all__ = ["Options", "UvcCamera", "devices"]


class UvcCamera(Camera):
    """One V4L2 camera, owned by one grabbing thread; `stop` and `close` from another one end a grab at once.

    The kernel counts every picture that the device sends, also one that found no free buffer: gaps are
    `lost_before`. Its clock is the host's monotonic one. A picture that the driver calls damaged, one of another
    size and a JPEG that was cut off are BrokenFrames.
    """

    def __init__(self, name: str, options: Options) -> None:
        super().__init__(name)
        self._options = options
        self._lock = threading.Lock()  # held by a grab, so that nobody pulls the buffers away
        self._node: VideoNode | None = None
        self._queue: BufferQueue | None = None
        self._stream: Stream | None = None
        self._wake = -1
        self._ids = BlockIds(abi.SEQUENCE_BITS, zero_is_skipped=False)
        self._heard_host_ns = 0
        self._counts = {"frames": 0, "broken_frames": 0, "lost_frames": 0, "unexpected_frames": 0, "wrong_size": 0}

    @property
    def picture_size(self) -> tuple[int, int] | None:
        """Width and height that the device was set to."""
        return None if self._stream is None else (self._stream.width, self._stream.height)

    def counters(self) -> dict[str, int]:
        """Return what was counted since it was opened; those of wrong_size are among the broken_frames."""
        return dict(self._counts)

    def check_settings(self) -> list[str]:
        """Return nothing, for its controls are not read back; while nobody grabs, look whether it is still there.

        Raises CameraLostError when it was unplugged.
        """
        node = self._node
        if node is not None and not self._is_started and node.is_gone():
            raise node.lost("nobody took pictures")
        return []

    def _open(self) -> None:
        node = VideoNode(node_of(self._options.device, self.name), self.name)
        try:
            self._require_camera(node)
            self._stream = apply(node, self.name, self._options)
            self._queue = BufferQueue(node, self._options.buffers)
        except BaseException:
            node.close()
            raise
        self.applied = self._stream.settings
        self._node = node
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._ids = BlockIds(abi.SEQUENCE_BITS, zero_is_skipped=False)
        self._counts = dict.fromkeys(self._counts, 0)

    def _require_camera(self, node: VideoNode) -> None:
        answer = node.capability()
        caps = answer.device_caps if answer.capabilities & abi.CAP_DEVICE_CAPS else answer.capabilities
        if not (caps & abi.CAP_VIDEO_CAPTURE and caps & abi.CAP_STREAMING):
            raise CameraOpenError(
                f"camera '{self.name}': {node.path} takes no pictures (a node of metadata or of an output); a camera "
                "has several nodes, give the first",
                Cause.REFUSED,
            )

    def _start(self) -> None:
        node, queue, _ = self._opened()
        self._ids.restarted()
        try:
            queue.start()
        except OSError as error:
            queue.stop()
            if node.is_gone():
                raise node.lost("starting", error) from error
            raise open_error(self.name, node.path, error) from error
        self._heard_host_ns = time.monotonic_ns()

    def _grab(self, into: Pixels | None, timeout_s: float) -> Frame | BrokenFrame | None:
        until_host_ns = time.monotonic_ns() + round(timeout_s * 1e9)
        with self._lock:
            if self._is_ending():
                return None
            node, queue, stream = self._opened()
            check_room(self.name, into, _size(stream))
            while True:
                try:
                    with queue.taken() as taken:
                        exposure = None if taken is None else self._exposure(*taken, into)
                except OSError as error:
                    raise node.lost("taking a picture", error) from error
                if exposure is not None:
                    return exposure
                if taken is None and not self._wait(node, until_host_ns):
                    return None

    def _is_ending(self) -> bool:
        """Return whether another thread stops or closes the camera."""
        return not self._is_started

    def _wait(self, node: VideoNode, until_host_ns: int) -> bool:
        """Wait for a picture; False where the time is up or the camera was stopped. Raises CameraLostError."""
        now_host_ns = time.monotonic_ns()
        silent_host_ns = self._heard_host_ns + round(self._silence_s() * 1e9)
        end_host_ns = until_host_ns if self._options.is_triggered else min(until_host_ns, silent_host_ns)
        poll = select.poll()
        poll.register(node.fd, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        ready = dict(poll.poll(max(0, -(-(end_host_ns - now_host_ns) // 1_000_000))))
        if self._is_ending():
            return False
        events = ready.get(node.fd, 0)
        if events & (select.POLLERR | select.POLLHUP | select.POLLNVAL) and not events & select.POLLIN:
            raise node.lost("waiting for a picture")
        now_host_ns = time.monotonic_ns()
        if not ready and not self._options.is_triggered and now_host_ns >= silent_host_ns:
            raise CameraLostError(
                f"camera '{self.name}': {node.path} is there and has sent nothing for "
                f"{(now_host_ns - self._heard_host_ns) / 1e9:.1f} s; plug it in anew, or set triggered = true where a "
                "wire triggers it",
                Cause.SILENT,
            )
        return bool(ready) or now_host_ns < until_host_ns

    def _silence_s(self) -> float:
        if self._options.silence_s is not None:
            return self._options.silence_s
        rate_hz = None if self._stream is None else self._stream.rate_hz
        return max(2.0, 5 / rate_hz if rate_hz else 0.0)

    def _exposure(self, buffer: abi.Buffer, data: Pixels, into: Pixels | None) -> Frame | BrokenFrame | None:
        received_host_ns = self._heard_host_ns = time.monotonic_ns()
        _, queue, stream = self._opened()
        place = self._ids.take(buffer.sequence)
        if place is None:  # a number that came before: no exposure of its own
            self._counts["unexpected_frames"] += 1
            return None
        counter, lost_before = place
        self._counts["lost_frames"] += lost_before
        stamp = buffer.timestamp
        device_ns = (stamp.tv_sec * 1_000_000 + stamp.tv_usec) * 1_000 if queue.is_monotonic else None
        try:
            pixels = self._pixels(buffer.flags, data, stream, into)
        except BadImageError as error:
            self._counts["broken_frames"] += 1
            return BrokenFrame(self.name, counter, device_ns, received_host_ns, lost_before, str(error))
        self._counts["frames"] += 1
        pixel_format = RAW.get(stream.code, "RGB8")
        return Frame(self.name, counter, device_ns, received_host_ns, lost_before, pixel_format, pixels)

    def _pixels(self, flags: int, data: Pixels, stream: Stream, into: Pixels | None) -> Pixels:
        if flags & abi.BUF_FLAG_ERROR:
            raise BadImageError(f"the kernel's driver calls the picture damaged ({data.size} bytes came)")
        shape = _shape(stream)
        picture = None if stream.row_bytes else decoded(data, stream.width, stream.height)
        if picture is not None and into is None:
            return picture
        pixels = np.empty(shape, np.uint8) if into is None else into[: _size(stream)].reshape(shape)
        if picture is not None:
            put(pixels, picture)
            return pixels
        needed = stream.stride * (stream.height - 1) + stream.row_bytes
        if data.size < needed:
            self._counts["wrong_size"] += 1
            raise BadImageError(f"{data.size} of {needed} bytes came")
        rows = np.lib.stride_tricks.as_strided(data, (stream.height, stream.row_bytes), (stream.stride, 1))
        put(pixels.reshape(stream.height, stream.row_bytes), rows)
        return pixels

    def _device_now_ns(self) -> int | None:
        _, queue, _ = self._opened()
        return time.monotonic_ns() if queue.is_monotonic else None

    def _stop(self) -> None:
        os.eventfd_write(self._wake, 1)
        with self._lock:
            if self._queue is not None:
                self._queue.stop()
            os.eventfd_read(self._wake)

    def _close(self) -> None:
        with self._lock:
            if self._queue is not None:
                self._queue.close()
            if self._node is not None:
                self._node.close()
            if self._wake >= 0:
                os.close(self._wake)
            self._node, self._queue, self._stream, self._wake = None, None, None, -1

    def _opened(self) -> tuple[VideoNode, BufferQueue, Stream]:
        assert self._node is not None  # the life cycle puts open() before
        assert self._queue is not None
        assert self._stream is not None
        return self._node, self._queue, self._stream


def decoded(data: Pixels, width: int, height: int) -> Pixels:
    """Decode one JPEG to (height, width, 3) RGB. Raises BadImageError for one that is cut off or of another size."""
    size = image_size(data.tobytes())
    if size != (width, height):
        raise BadImageError(f"the picture has {size[0]}×{size[1]} pixels, {width}×{height} were set")
    try:
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    except cv2.error as error:
        raise BadImageError(f"the JPEG cannot be decoded ({error.err})") from error
    if picture is None or picture.shape != (height, width, 3):
        raise BadImageError(f"the JPEG of {data.size} bytes is damaged")
    return np.asarray(picture, np.uint8)


def _shape(stream: Stream) -> tuple[int, ...]:
    if not stream.row_bytes or RAW[stream.code] in ("RGB8", "BGR8"):
        return stream.height, stream.width, 3
    return stream.height, stream.row_bytes


def _size(stream: Stream) -> int:
    return int(np.prod(_shape(stream)))
