"""The chunks of a buffer of a GenTL producer, shown by the features of the device's description."""

from __future__ import annotations

from collections.abc import Mapping
from ctypes import byref, c_size_t

from genicam import genapi

from camera.frame import Pixels
from camera.genicam.chunks import read_chunks
from camera.genicam.clock import tick_hz
from camera.genicam.options import Chunk
from camera.gentl.binding import Binding, GentlError, Handle, SingleChunk
from camera.gentl.nodes import GentlNodes

_LARGEST = 4096  # bytes: what is larger is no number, but the image or a list


class ChunkReader:
    """Reads what a device sent along with a picture; owned by the grabbing thread.

    The image is a chunk, too, as large as it is: only the small ones are copied for the node map to look at.
    """

    def __init__(self, binding: Binding, nodes: GentlNodes, wanted: tuple[Chunk, ...]) -> None:
        self._binding, self._nodes, self._wanted = binding, nodes, wanted
        self._adapter = genapi.ChunkAdapterGeneric(nodes.node_map)
        self._tick_hz = tick_hz(nodes)

    def read(self, stream: Handle, buffer: int, memory: Pixels) -> Mapping[str, int | float]:
        """Return the wanted chunks of a whole buffer, those that came, by the names in `camera.genicam.chunks`."""
        try:
            content, layout = self._small(self._layout(stream, buffer), memory)
        except GentlError:
            return {}
        with self._nodes.alone:
            try:
                self._adapter.attach_buffer(content, layout)
            except (genapi.GenericException, RuntimeError):
                return {}
            try:
                return read_chunks(self._nodes, self._wanted, self._tick_hz)
            finally:
                self._adapter.detach_buffer()

    def _layout(self, stream: Handle, buffer: int) -> list[SingleChunk]:
        count = c_size_t(0)
        self._binding.call("DSGetBufferChunkData", stream, buffer, None, byref(count))
        found = (SingleChunk * max(1, count.value))()
        self._binding.call("DSGetBufferChunkData", stream, buffer, found, byref(count))
        return list(found[: count.value])

    def _small(self, layout: list[SingleChunk], memory: Pixels) -> tuple[bytes, list[genapi.SingleChunkData]]:
        """Return copies of the small chunks, one after the other, and where each lies in them."""
        content, places = bytearray(), []
        for one in layout:
            if one.length <= _LARGEST and 0 <= one.offset <= memory.size - one.length:
                place = genapi.SingleChunkData()
                place.chunk_id, place.chunk_offset, place.chunk_length = one.id, len(content), one.length
                places.append(place)
                content += memory[one.offset : one.offset + one.length].tobytes()
        return bytes(content), places
