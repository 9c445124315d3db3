"""One open device of a GenTL producer: its features, and the buffers that it fills."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from numpy.typing import NDArray

from camera.errors import CameraLostError, CameraOpenError, Cause, NodeError
from camera.frame import Pixels
from camera.frame_memory import Filling, MemorySource
from camera.genicam.block_ids import BlockIds
from camera.genicam.link import Received
from camera.genicam.options import StreamingOptions
from camera.genicam.pfnc import canonical, image_bytes, name_of
from camera.gentl.binding import INFINITE, NEW_BUFFER, BufferInfo, Code, DeviceInfo, GentlError, Handle, StreamInfo
from camera.gentl.chunks import ChunkReader
from camera.gentl.nodes import GentlNodes
from camera.gentl.producer import Producer, Seen, release

_DISCARD_ALL = 4  # ACQ_QUEUE_TYPE of GenTL
_CODES_OF_PFNC = (None, 0, 1, 4)  # PIXELFORMAT_NAMESPACE: not told (TLSimu), GigE Vision, PFNC; not IIDC, PFNC 16 bit
_IMAGE, _CHUNK_DATA = 1, 4  # PAYLOAD_TYPE; 0 is unknown
_LEAST_SIZE = 64
_SIGN_OF_LIFE_S = 2.0
_NS = 1_000_000_000
_UNNUMBERED = (
    "the producer does not say which exposure it is (no BUFFER_INFO_FRAMEID), so that nobody knows what was lost "
    "before it; install the vendor's newest producer, or use another one"
)


class GentlLink:
    """An open device; owned by the camera's grabbing thread. Takes over the claim on the producer.

    A whole buffer without the number of its exposure is broken, with that as its reason: numbered by arrival, one that
    was lost would be noticed by nobody, and each picture after it would be another part's. It cannot be refused at
    open, for a producer says what it numbers only of a buffer that was filled.
    """

    def __init__(self, producer: Producer, seen: Seen, options: StreamingOptions) -> None:
        self._producer, self._binding, self._wanted = producer, producer.binding, options.buffers
        self._lost = ""
        self._event: Handle | None = None
        self._announced: dict[int, tuple[int, Pixels]] = {}  # place and memory by buffer
        self._filling: Filling | None = None
        self._withdrawn: set[int] = set()  # the buffers that the producer did not take back
        self._not_taken_back = 0  # of them, and of those in earlier acquisitions
        self._is_acquiring = False
        self._underruns = 0
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
            self._announce(self._payload_size(), memory)
            self._event = self._binding.opened("GCRegisterEvent", self._stream, NEW_BUFFER)
            self._underruns = self._stream_info(StreamInfo.NUM_UNDERRUN) or 0
            self._binding.call("DSStartAcquisition", self._stream, 0, INFINITE)
            self._is_acquiring = True
            self.nodes.execute("AcquisitionStart")
        except GentlError as error:
            raise self._gone(error) from error
        self._alive_at_s = time.monotonic()
        self._has_delivered = False

    def pop(self, timeout_s: float) -> Received | None:
        """Return the next buffer that was filled. Raises CameraLostError."""
        if self._event is None:
            return None
        self._require_buffers()
        buffer = None
        try:
            buffer = self._binding.next_buffer(self._event, int(timeout_s * 1000))
            if buffer is None:
                self._look_for_life()
                return None
            self._alive_at_s = time.monotonic()
            if buffer not in self._announced or self._number(buffer, BufferInfo.NEW_DATA) == 0:
                self._again(buffer)
                return None
            received = self._received(buffer)
            self._has_delivered = True
            return received
        except GentlError as error:
            if error.code == Code.ERROR and not self._has_delivered:
                self._again(buffer)  # no picture yet, and this is none: what a stream may hold of before its start
                return None
            raise self._gone(error) from error

    def lend(self, received: Received) -> bool:
        """Leave the memory of the buffer to whoever looks at it, if another one can be queued in its place."""
        return self._is_acquiring and self._filling is not None and self._filling.lend(received.data)

    def give_back(self, received: Received) -> None:
        """Queue the buffer again, unless it was lent."""
        self._again(received.token)

    def end(self) -> None:
        """Stop the device and the stream, and take all buffers back."""
        if self._is_acquiring and not self._lost:
            try:
                self.nodes.execute("AcquisitionStop")
            except (NodeError, CameraLostError) as error:
                self._lost = self._lost or str(error)
        if self._is_acquiring:
            self._is_acquiring = False
            self._quietly("DSStopAcquisition", self._stream, 0)
        self._quietly("DSFlushQueue", self._stream, _DISCARD_ALL)
        if self._event is not None:
            self._event = None
            self._quietly("GCUnregisterEvent", self._stream, NEW_BUFFER)
        for buffer in self._announced:
            self._quietly("DSRevokeBuffer", self._stream, buffer, Handle(), Handle())
        self._announced.clear()
        self._withdrawn.clear()
        # A stream that TLSimu starts again hands out buffers of before, empty or such that every question about them
        # fails; one that is opened anew has shown none in 780 restarts.
        self._quietly("DSClose", self._stream)
        if self._filling is not None:
            self._filling.end()
            self._filling = None
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
        return {"buffers_not_taken_back": self._not_taken_back}

    def _received(self, buffer: int) -> Received:
        _, memory = self._announced[buffer]
        width, height = self._number(buffer, BufferInfo.WIDTH), self._number(buffer, BufferInfo.HEIGHT)
        offset = self._number(buffer, BufferInfo.IMAGE_OFFSET) or 0
        padding = self._number(buffer, BufferInfo.X_PADDING) or 0
        filled = self._number(buffer, BufferInfo.SIZE_FILLED)
        if filled is None:
            filled = memory.size
        pixel_format = self._pixel_format(buffer)
        underruns = self._stream_info(StreamInfo.NUM_UNDERRUN) or 0
        missing, self._underruns = max(0, underruns - self._underruns), underruns
        trouble = self._trouble(buffer, filled, memory.size)
        block_id = self._number(buffer, BufferInfo.FRAME_ID)
        if trouble and block_id == 0:
            block_id = None  # of a broken buffer 0 may as well mean that the packet with the number did not come
        elif block_id is None:
            trouble = trouble or _UNNUMBERED
        chunks: Mapping[str, int | float] = {}
        end = min(filled, self._number(buffer, BufferInfo.DATA_SIZE) or filled)
        if self._number(buffer, BufferInfo.CONTAINS_CHUNK_DATA):
            if self._chunks is not None and not trouble:
                chunks = self._chunks.read(self._stream, buffer, memory)
            end = min(end, offset + image_bytes(pixel_format, width or 0, height or 0, padding))
        return Received(
            block_id=block_id,
            device_ns=self._device_ns(buffer),
            width=width or 0,
            height=height or 0,
            pixel_format=pixel_format,
            padding=padding,
            data=memory[offset : max(offset, end)],
            trouble=trouble,
            token=buffer,
            underruns=missing,
            chunks=chunks,
        )

    def _trouble(self, buffer: int, filled: int, room: int) -> str:
        if self._number(buffer, BufferInfo.IS_INCOMPLETE):
            return f"it is incomplete: {filled} of its bytes came"
        if self._number(buffer, BufferInfo.DATA_LARGER_THAN_BUFFER) or filled > room:
            return f"it is larger than the {room} bytes that the device told of"
        payload = self._number(buffer, BufferInfo.PAYLOAD_TYPE) or 0
        if payload not in (0, _IMAGE, _CHUNK_DATA):
            return f"its payload is of GenTL type {payload}, no image"
        delivered = self._number(buffer, BufferInfo.DELIVERED_IMAGE_HEIGHT)
        height = self._number(buffer, BufferInfo.HEIGHT)
        if delivered and height and delivered != height:
            return f"{delivered} of its {height} rows came"
        return ""

    def _pixel_format(self, buffer: int) -> str:
        code = self._number(buffer, BufferInfo.PIXEL_FORMAT)
        namespace = self._number(buffer, BufferInfo.PIXEL_FORMAT_NAMESPACE)
        if code is None or namespace not in _CODES_OF_PFNC:
            return f"format {code} of namespace {namespace}"
        return canonical(name_of(code))

    def _device_ns(self, buffer: int) -> int | None:
        stamp_ns = self._number(buffer, BufferInfo.TIMESTAMP_NS)
        if stamp_ns:
            return stamp_ns
        ticks = self._number(buffer, BufferInfo.TIMESTAMP)
        return ticks * _NS // self._tick_hz if ticks else None

    def _number(self, buffer: int, what: BufferInfo) -> int | None:
        return self._binding.integer("DSGetBufferInfo", self._stream, buffer, what)

    def _stream_info(self, what: StreamInfo) -> int | None:
        return self._binding.integer("DSGetInfo", self._stream, what)

    def _again(self, buffer: object) -> None:
        """Have the producer fill a buffer again, unless it was lent or is none of these."""
        announced = self._announced.get(buffer)  # type: ignore[call-overload]
        if self._is_acquiring and self._filling is not None and announced is not None:
            self._filling.again(announced[0])

    def _queue(self, buffer: int) -> None:
        """Give the producer a buffer to fill. While it acquires, one that it does not take is missing from then on."""
        try:
            self._binding.call("DSQueueBuffer", self._stream, buffer)
        except GentlError as error:
            if not self._is_acquiring:
                raise
            self._withdrawn.add(buffer)
            self._not_taken_back += 1
            self._not_taken = str(error)

    def _require_buffers(self) -> None:
        """Raise CameraLostError once the producer has no buffer left that it could fill: nothing would come again."""
        if self._withdrawn and self._filling is not None and len(self._withdrawn) >= self._filling.filled:
            raise CameraLostError(
                f"the producer took none of its {len(self._withdrawn)} buffers back ({self._not_taken}), so that no "
                "picture can come; the device is closed and opened again",
                Cause.CONTROL_LOST,
            )

    def _payload_size(self) -> int:
        size = None
        if self._stream_info(StreamInfo.DEFINES_PAYLOAD_SIZE):
            size = self._stream_info(StreamInfo.PAYLOAD_SIZE)
        return max(_LEAST_SIZE, size or int(self.nodes.get("PayloadSize")))

    def _announce(self, size: int, source: MemorySource) -> None:
        """Announce every place that frames may be lent in, and queue as many as are to wait at most."""
        filled = max(self._wanted, self._stream_info(StreamInfo.BUF_ANNOUNCE_MIN) or 1)
        memory = source(size, filled)
        handles: list[int] = []
        for place in range(memory.count):
            slot: NDArray[Any] = memory.slot(place)
            handle = self._binding.opened("DSAnnounceBuffer", self._stream, slot.ctypes.data, size, None)
            handles.append(int(handle.value or 0))
            self._announced[handles[-1]] = place, slot[:size]
        self._filling = Filling(memory, lambda place: self._queue(handles[place]))
        self._filling.begin(filled)

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
