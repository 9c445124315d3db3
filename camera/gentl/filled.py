"""What a producer says of a buffer that it filled: which exposure it is, its size and format, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping

from camera.frame import Pixels
from camera.genicam.link import Received
from camera.genicam.pfnc import canonical, image_bytes, name_of
from camera.gentl.binding import Binding, BufferInfo, Handle, StreamInfo
from camera.gentl.chunks import ChunkReader

_CODES_OF_PFNC = (None, 0, 1, 4)  # PIXELFORMAT_NAMESPACE: not told (TLSimu), GigE Vision, PFNC; not IIDC, PFNC 16 bit
_IMAGE, _CHUNK_DATA = 1, 4  # PAYLOAD_TYPE; 0 is unknown
_NS = 1_000_000_000
_UNNUMBERED = (
    "the producer does not say which exposure it is (no BUFFER_INFO_FRAMEID), so that nobody knows what was lost "
    "before it; install the vendor's newest producer, or use another one"
)


class FilledBuffers:
    """Reads what one acquisition fills; owned by the link, on the grabbing thread.

    A whole buffer without the number of its exposure is broken, with that as its reason: numbered by arrival, one that
    was lost would be noticed by nobody, and each picture after it would be another part's. It cannot be refused at
    open, for a producer says what it numbers only of a buffer that was filled.
    """

    def __init__(self, binding: Binding, stream: Handle, tick_hz: int, chunks: ChunkReader | None) -> None:
        self._binding, self._stream, self._tick_hz, self._chunks = binding, stream, tick_hz, chunks
        self._underruns = self._counted_underruns()

    def is_new(self, buffer: int) -> bool:
        """Return whether anything was filled in, as far as the producer tells. Raises GentlError."""
        return self._number(buffer, BufferInfo.NEW_DATA) != 0

    def read(self, buffer: int, memory: Pixels) -> Received:
        """Return what was filled in. Raises GentlError."""
        width, height = self._number(buffer, BufferInfo.WIDTH), self._number(buffer, BufferInfo.HEIGHT)
        offset = self._number(buffer, BufferInfo.IMAGE_OFFSET) or 0
        padding = self._number(buffer, BufferInfo.X_PADDING) or 0
        filled = self._number(buffer, BufferInfo.SIZE_FILLED)
        if filled is None:
            filled = memory.size
        pixel_format = self._pixel_format(buffer)
        underruns = self._counted_underruns()
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

    def _counted_underruns(self) -> int:
        return self._binding.integer("DSGetInfo", self._stream, StreamInfo.NUM_UNDERRUN) or 0

    def _number(self, buffer: int, what: BufferInfo) -> int | None:
        return self._binding.integer("DSGetBufferInfo", self._stream, buffer, what)
