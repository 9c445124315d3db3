"""The stream of one acquisition: buffers that Aravis fills, popped in order and given back, and what it counted."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from ctypes import byref, c_int, c_size_t
from dataclasses import dataclass

from camera.aravis.binding import Library
from camera.aravis.chunks import ChunkParser
from camera.aravis.network import widen_receiver
from camera.frame_memory import Filling, FrameMemory
from camera.genicam.link import Received
from camera.genicam.pfnc import image_bytes, name_of

_SUCCESS = 0
_NO_ID = (1 << 64) - 1
_STATUSES = {
    -1: "its state is unknown",
    1: "nothing was received",
    2: "its last packets did not come in time",
    3: "packets are missing",
    4: "a packet had a wrong number",
    5: "it is larger than was set",
    6: "it was still being filled",
    7: "it was cut off by the end of the acquisition",
}
_WITH_IMAGE = (1, 4, 5)  # ArvBufferPayloadType: image, and image with chunks
_PACKET_SOCKET_DISABLED = 1
_FIXED = 0  # ArvGvStreamSocketBuffer: automatic sizes lose nearly everything on short bursts
_COUNTED = {
    "missing_packets": "n_missing_packets",
    "resend_requests": "n_resend_requests",
    "resent_packets": "n_resent_packets",
    "underruns": "n_underruns",
}


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """How a stream receives. buffers: how many frames it may hold; the rest is for GigE Vision only."""

    buffers: int
    socket_buffer_bytes: int
    packet_socket: bool
    resend: bool
    packet_timeout_us: int
    frame_retention_us: int


class Stream:
    """One ArvStream and its buffers. Made by `start`, used by the grabbing thread, closed once nobody waits in it.

    `counted` is for any thread.
    """

    def __init__(
        self,
        library: Library,
        device: int,
        is_gige: bool,
        payload: int,
        settings: StreamSettings,
        memory: FrameMemory,
        chunks: ChunkParser | None,
    ) -> None:
        """Make the stream and hand it its buffers of `payload` bytes. Raises AravisError."""
        self._library, self._payload, self._memory, self._chunks = library, payload, memory, chunks
        self._counting = threading.Lock()  # the stream is not freed while another thread asks what it counted
        if is_gige:
            options = 0 if settings.packet_socket else _PACKET_SOCKET_DISABLED
            library.arv_gv_device_set_stream_options(device, options)
        self._stream: int | None = library.arv_device_create_stream(device, None, None)
        if is_gige:
            for name, value in (
                ("socket-buffer", _FIXED),
                ("socket-buffer-size", settings.socket_buffer_bytes),
                ("packet-resend", int(settings.resend)),
                ("packet-timeout", settings.packet_timeout_us),
                ("frame-retention", settings.frame_retention_us),
            ):
                library.set_property(self._stream or 0, name, value)
            widen_receiver(library.arv_gv_stream_get_port(self._stream), settings.socket_buffer_bytes)
        self._buffers: dict[int, int] = {}  # by place
        self._places: dict[int, int] = {}  # by buffer
        self._out: set[int] = set()  # buffers that the library does not have
        self._filling = Filling(memory, self._push)
        self._filling.begin(settings.buffers)

    def pop(self, timeout_s: float) -> Received | None:
        """Wait for the next buffer, whole or not; None when none came in time."""
        library = self._library
        if timeout_s > 0:
            address = library.arv_stream_timeout_pop_buffer(self._stream, max(1, int(timeout_s * 1e6)))
        else:
            address = library.arv_stream_try_pop_buffer(self._stream)
        if not address:
            return None
        self._out.add(address)
        return self._received(address)

    def lend(self, received: Received) -> bool:
        """Leave the buffer's memory to whoever looks at it; False where no other one can take its place."""
        return self._filling.lend(received.data)

    def give_back(self, received: Received) -> None:
        """Let the buffer be filled again, unless it was lent."""
        self._filling.again(self._places[int(received.token)])  # type: ignore[call-overload]

    def counted(self) -> Mapping[str, int]:
        """Return what the stream counted since it was made, by the names of `Camera.counters`."""
        ask = self._library.arv_stream_get_info_uint64_by_name
        with self._counting:
            if self._stream is None:
                return {}
            return {ours: int(ask(self._stream, theirs.encode())) for ours, theirs in _COUNTED.items()}

    def close(self) -> None:
        """End the receiving thread and free the buffers. Idempotent."""
        with self._counting:
            stream, self._stream = self._stream, None
        if stream is not None:
            self._library.g_object_unref(stream)  # it ends its thread and frees every buffer that it still has
            for address in self._out:
                self._library.g_object_unref(address)
            self._filling.end()

    def _push(self, place: int) -> None:
        address = self._buffers.get(place) or self._made(place)
        self._out.discard(address)
        # A buffer whose leader is lost keeps number and time of its picture before: these say that none came.
        self._library.arv_buffer_set_frame_id(address, _NO_ID)
        self._library.arv_buffer_set_timestamp(address, 0)
        self._library.arv_stream_push_buffer(self._stream, address)

    def _made(self, place: int) -> int:
        address = int(self._library.arv_buffer_new(self._payload, self._memory.slot(place).ctypes.data))
        self._buffers[place], self._places[address] = address, place
        return address

    def _received(self, address: int) -> Received:
        library = self._library
        status = library.arv_buffer_get_status(address)
        width = height = code = 0
        padding = c_int(0)
        trouble = "" if status == _SUCCESS else _STATUSES.get(status, f"its status is {status}")
        if not trouble and library.arv_buffer_get_payload_type(address) not in _WITH_IMAGE:
            trouble = "it carries no image"
        if not trouble:  # of a broken one, the library refuses to say
            width = library.arv_buffer_get_image_width(address)
            height = library.arv_buffer_get_image_height(address)
            code = library.arv_buffer_get_image_pixel_format(address)
            library.arv_buffer_get_image_padding(address, byref(padding), byref(c_int(0)))
        frame_id = library.arv_buffer_get_frame_id(address)
        size = c_size_t(0)
        library.arv_buffer_get_data(address, byref(size))
        pixel_format = name_of(code)
        filled = min(size.value, image_bytes(pixel_format, width, height, padding.value) or size.value)
        return Received(
            block_id=None if frame_id == _NO_ID else frame_id,
            device_ns=library.arv_buffer_get_timestamp(address) or None,
            width=width,
            height=height,
            pixel_format=pixel_format,
            padding=padding.value,
            data=self._memory.slot(self._places[address])[:filled],
            trouble=trouble,
            token=address,
            chunks=self._chunks.read(address) if self._chunks is not None and not trouble else {},
        )
