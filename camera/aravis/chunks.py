"""The chunks of a buffer that Aravis delivered, by the names of the device's description."""

from __future__ import annotations

from collections.abc import Mapping

from camera.aravis.binding import AravisError, Library
from camera.errors import NodeError
from camera.genicam.chunks import read_chunks
from camera.genicam.options import Chunk


class ChunkParser:
    """Reads what a device sent along with a picture; owned by the grabbing thread, closed with the device.

    Written after the library's documentation: no device that sends chunks was at hand, the one without hardware has
    none. A value that cannot be read is a missing one.
    """

    def __init__(self, library: Library, device: int, wanted: tuple[Chunk, ...], tick_hz: int | None) -> None:
        self._library, self._wanted, self._tick_hz = library, wanted, tick_hz
        self._parser: int | None = library.arv_device_create_chunk_parser(device)
        self._buffer = 0

    def read(self, buffer: int) -> Mapping[str, int | float]:
        """Return the wanted chunks of a whole buffer, those that came, by the names in `camera.genicam.chunks`."""
        self._buffer = buffer
        return read_chunks(self, self._wanted, self._tick_hz)

    def has(self, name: str) -> bool:
        """Return True: only the attempt to read it tells."""
        del name
        return True

    def get(self, name: str) -> int | float:
        """Return the value of a chunk of the buffer. Raises NodeError for one that did not come."""
        aravis, encoded = self._library, name.encode()
        for read in (aravis.arv_chunk_parser_get_integer_value, aravis.arv_chunk_parser_get_float_value):
            try:
                value: int | float = read(self._parser, self._buffer, encoded)
            except AravisError as error:
                why = error
            else:
                return value
        raise NodeError(f"chunk {name} did not come: {why}") from why

    def close(self) -> None:
        """Let go of the device's description. Idempotent."""
        parser, self._parser = self._parser, None
        if parser is not None:
            self._library.g_object_unref(parser)
