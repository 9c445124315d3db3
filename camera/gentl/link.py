"""One open device of a GenTL producer: its features, and the buffers that it fills."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress

from camera.errors import CameraLostError, CameraOpenError, Cause, NodeError
from camera.frame_memory import MemorySource
from camera.genicam.block_ids import BlockIds
from camera.genicam.link import Received
from camera.genicam.options import StreamingOptions
from camera.gentl.binding import INFINITE, NEW_BUFFER, Code, DeviceInfo, GentlError, Handle, StreamInfo
from camera.gentl.buffers import Buffers
from camera.gentl.chunks import ChunkReader
from camera.gentl.filled import FilledBuffers
from camera.gentl.nodes import GentlNodes
from camera.gentl.producer import Producer, Seen, release

_DISCARD_ALL = 4  # ACQ_QUEUE_TYPE of GenTL
_LEAST_SIZE = 64
_SIGN_OF_LIFE_S = 2.0
_NS = 1_000_000_000


class GentlLink:
    """An open device; owned by the camera's grabbing thread. Takes over the claim on the producer."""

    def __init__(self, producer: Producer, seen: Seen, options: StreamingOptions) -> None:
        self._producer, self._binding, self._wanted = producer, producer.binding, options.buffers
        self._lost = ""
        self._event: Handle | None = None
        self._buffers = Buffers(self._binding)
        self._device = producer.open_device(seen)
        try:
            self._port = self._binding.opened("DevGetPort", self._device)
            self.nodes = GentlNodes(self._binding, self._port, lambda: bool(self._lost) or not self._answers())
            self._stream = self._opened_stream()
        except BaseException:
            self._quietly("DevClose", self._device)
            raise
        frequency = self._binding.integer(
            "IFGetDeviceInfo", producer.interface(seen.interface), seen.id.encode(), DeviceInfo.TIMESTAMP_FREQUENCY
        )
        self._tick_hz = frequency or _NS
        self._chunks = ChunkReader(self._binding, self.nodes, options.chunks) if options.chunks else None

    def block_ids(self) -> BlockIds:
        """Return 64-bit numbers: GenTL widens what the device counts (GenTL 1.6, BUFFER_INFO_FRAMEID)."""
        return BlockIds(64, zero_is_skipped=False)

    def begin(self, memory: MemorySource) -> None:
        """Announce and queue buffers, and let the device acquire."""
        try:
            self._set_locked(True)
            filled = max(self._wanted, self._stream_info(StreamInfo.BUF_ANNOUNCE_MIN) or 1)
            self._buffers.announce(self._stream, self._payload_size(), filled, memory)
            self._event = self._binding.opened("GCRegisterEvent", self._stream, NEW_BUFFER)
            self._filled = FilledBuffers(self._binding, self._stream, self._tick_hz, self._chunks)
            self._binding.call("DSStartAcquisition", self._stream, 0, INFINITE)
            self._buffers.is_acquiring = True
            self.nodes.execute("AcquisitionStart")
        except GentlError as error:
            raise self._gone(error) from error
        self._alive_at_s = time.monotonic()
        self._has_delivered = False

    def pop(self, timeout_s: float) -> Received | None:
        """Return the next buffer that was filled. Raises CameraLostError."""
        if self._event is None:
            return None
        self._buffers.require_any()
        buffer = None
        try:
            buffer = self._binding.next_buffer(self._event, int(timeout_s * 1000))
            if buffer is None:
                self._look_for_life()
                return None
            self._alive_at_s = time.monotonic()
            memory = self._buffers.memory(buffer)
            if memory is None or not self._filled.is_new(buffer):
                self._buffers.again(buffer)
                return None
            received = self._filled.read(buffer, memory)
            self._has_delivered = True
            return received
        except GentlError as error:
            if error.code == Code.ERROR and not self._has_delivered:
                self._buffers.again(
                    buffer
                )  # no picture yet, and this is none: what a stream may hold of before its start
                return None
            raise self._gone(error) from error

    def lend(self, received: Received) -> bool:
        """Leave the memory of the buffer to whoever looks at it, if another one can be queued in its place."""
        return self._buffers.lend(received.data)

    def give_back(self, received: Received) -> None:
        """Queue the buffer again, unless it was lent."""
        self._buffers.again(received.token)

    def end(self) -> None:
        """Stop the device and the stream, and take all buffers back."""
        if self._buffers.is_acquiring and not self._lost:
            try:
                self.nodes.execute("AcquisitionStop")
            except (NodeError, CameraLostError) as error:
                self._lost = self._lost or str(error)
        if self._buffers.is_acquiring:
            self._buffers.is_acquiring = False
            self._quietly("DSStopAcquisition", self._stream, 0)
        self._quietly("DSFlushQueue", self._stream, _DISCARD_ALL)
        if self._event is not None:
            self._event = None
            self._quietly("GCUnregisterEvent", self._stream, NEW_BUFFER)
        self._buffers.revoke(self._stream)
        # A stream that TLSimu starts again hands out buffers of before, empty or such that every question about them
        # fails; one that is opened anew has shown none in 780 restarts.
        self._quietly("DSClose", self._stream)
        self._buffers.give_up()
        try:
            self._stream = self._opened_stream()
        except GentlError as error:
            self._lost = self._lost or str(error)
        if not self._lost:
            self._set_locked(False)

    def close(self) -> None:
        """Close the stream and the device, and let the producer go."""
        self.end()
        self._quietly("DSClose", self._stream)
        self._quietly("DevClose", self._device)
        release(self._producer)

    def is_ready(self) -> bool:
        """Return True: GenTL has no word for it."""
        return True

    def give_up(self) -> None:
        """Do nothing: a producer itself tells soon that a device does not answer."""

    def counted(self) -> Mapping[str, int]:
        """Return how many buffers the producer did not take back; what it says of pictures the camera itself counts."""
        return {"buffers_not_taken_back": self._buffers.not_taken_back}

    def _stream_info(self, what: StreamInfo) -> int | None:
        return self._binding.integer("DSGetInfo", self._stream, what)

    def _payload_size(self) -> int:
        size = None
        if self._stream_info(StreamInfo.DEFINES_PAYLOAD_SIZE):
            size = self._stream_info(StreamInfo.PAYLOAD_SIZE)
        return max(_LEAST_SIZE, size or int(self.nodes.get("PayloadSize")))

    def _opened_stream(self) -> Handle:
        name = self._binding.text("DevGetDataStreamID", self._device, 0)
        return self._binding.opened("DevOpenDataStream", self._device, name.encode())

    def _set_locked(self, locked: bool) -> None:
        """Lock what must not change while pictures are taken (SFNC 2.7, TLParamsLocked)."""
        if self.nodes.has("TLParamsLocked"):
            try:
                self.nodes.set("TLParamsLocked", int(locked))
            except (NodeError, CameraLostError):
                return

    def _look_for_life(self) -> None:
        """Ask an idle device for a register now and then: a producer need not tell that it is gone."""
        now_s = time.monotonic()
        if now_s - self._alive_at_s < _SIGN_OF_LIFE_S:
            return
        self._alive_at_s = now_s
        if not self._answers():
            raise CameraLostError(
                "the device does not answer any more; check its cable, power and address", Cause.CONTROL_LOST
            )

    def _answers(self) -> bool:
        try:
            self._binding.read(self._port, self.nodes.description_address, 4)
        except GentlError as error:
            self._lost = self._lost or str(error)
            return False
        return True

    def _gone(self, error: GentlError) -> CameraLostError:
        self._lost = self._lost or str(error)
        return CameraLostError(f"the producer says: {error}; the device is closed and opened again", Cause.CONTROL_LOST)

    def _quietly(self, name: str, *arguments: object) -> None:
        with suppress(GentlError):
            self._binding.call(name, *arguments)


def refusal(camera: str, error: GentlError, seen: Seen) -> CameraOpenError:
    """Return why a device that is there cannot be opened."""
    if error.code in (Code.RESOURCE_IN_USE, Code.ACCESS_DENIED, Code.BUSY):
        return CameraOpenError(
            f"camera '{camera}': device {seen.id!r} is held by another program, or by another camera of this one; end "
            f"that ({error})",
            Cause.HELD,
        )
    return CameraOpenError(f"camera '{camera}': device {seen.id!r} cannot be opened: {error}", Cause.UNKNOWN)
