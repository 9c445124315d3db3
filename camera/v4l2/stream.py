"""The buffers that the kernel fills with pictures: mapped, queued, taken one by one, given back."""

from __future__ import annotations

import errno
import mmap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ctypes import c_int32

import numpy as np

from camera.frame import Pixels
from camera.v4l2 import abi
from camera.v4l2.node import VideoNode


class BufferQueue:
    """The kernel's buffers of one open node. Owned by the camera, which locks."""

    def __init__(self, node: VideoNode, count: int) -> None:
        """Claim the stream and map its buffers. Raises CameraOpenError, HELD where another program has it."""
        self._node = node
        self._maps: list[mmap.mmap] = []
        self.is_monotonic = True
        request = abi.RequestBuffers(count, abi.CAPTURE, abi.MEMORY_MMAP)
        node.claim(abi.REQBUFS, request)
        for index in range(request.count):
            buffer = self._empty(index)
            node.claim(abi.QUERYBUF, buffer)
            self._maps.append(mmap.mmap(node.fd, buffer.length, offset=buffer.m.offset))
            clock = buffer.flags & abi.BUF_FLAG_TIMESTAMP_MASK
            self.is_monotonic = self.is_monotonic and clock == abi.BUF_FLAG_TIMESTAMP_MONOTONIC

    def start(self) -> None:
        """Give all buffers to the driver and let it stream. Raises OSError."""
        for index in range(len(self._maps)):
            self._node.call(abi.QBUF, self._empty(index))
        self._node.call(abi.STREAMON, c_int32(abi.CAPTURE))

    def stop(self) -> None:
        """End the stream; the driver gives all buffers back. A device that has gone does not stream either."""
        with suppress(OSError):
            self._node.call(abi.STREAMOFF, c_int32(abi.CAPTURE))

    @contextmanager
    def taken(self) -> Iterator[tuple[abi.Buffer, Pixels] | None]:
        """Take the oldest picture that waits, None where none does; afterwards its buffer is the driver's again.

        Raises OSError where the stream has ended.
        """
        buffer = self._empty(0)
        try:
            self._node.call(abi.DQBUF, buffer)
        except OSError as error:
            if error.errno != errno.EAGAIN:
                raise
            yield None
            return
        try:
            yield buffer, np.frombuffer(self._maps[buffer.index], np.uint8)[: buffer.bytesused]
        finally:
            self._node.call(abi.QBUF, self._empty(buffer.index))

    def close(self) -> None:
        """Let go of the memory, and of the device where it is still there."""
        for mapped in self._maps:
            with suppress(BufferError):  # a traceback may still hold a view; then the memory goes with it
                mapped.close()
        self._maps = []
        with suppress(OSError):
            self._node.call(abi.REQBUFS, abi.RequestBuffers(0, abi.CAPTURE, abi.MEMORY_MMAP))

    @staticmethod
    def _empty(index: int) -> abi.Buffer:
        return abi.Buffer(index=index, type=abi.CAPTURE, memory=abi.MEMORY_MMAP)
