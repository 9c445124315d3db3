"""What an SDK that delivers buffers is to `StreamingCamera`: one open device, and one buffer of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from camera.frame import Pixels
from camera.frame_memory import MemorySource
from camera.genicam.block_ids import BlockIds
from camera.genicam.nodes import Nodes

_NO_CHUNKS: Mapping[str, int | float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Received:
    """A buffer that the SDK delivered; valid until it is given back.

    block_id: the stream's number of the exposure, None where the part of it that says so did not come. data: the flat
    bytes of the image, as many as were filled. padding: bytes after each row. trouble: what is wrong with it by the
    SDK's own word, '' for a whole one. underruns: pictures that found no free buffer since the last one came. token:
    what the SDK knows it by. chunks: what came along with a whole one, by the names of `camera.genicam.chunks`.
    """

    block_id: int | None
    device_ns: int | None
    width: int
    height: int
    pixel_format: str
    padding: int
    data: Pixels
    trouble: str
    token: object
    underruns: int = 0
    chunks: Mapping[str, int | float] = field(default_factory=lambda: _NO_CHUNKS)


class Link(Protocol):
    """One open device under an SDK. From one thread at a time, but for what says otherwise."""

    @property
    def nodes(self) -> Nodes:
        """Return the features of the device."""
        ...

    def block_ids(self) -> BlockIds:
        """Return what counts this device's block numbers."""
        ...

    def begin(self, memory: MemorySource) -> None:
        """Let the device acquire into buffers in this memory. Raises CameraLostError, NodeError."""
        ...

    def pop(self, timeout_s: float) -> Received | None:
        """Return the next buffer. Raises CameraLostError."""
        ...

    def lend(self, received: Received) -> bool:
        """Leave the memory of the buffer to whoever looks at its picture; False where it must be copied.

        That is so where no other buffer could take its place, or where the picture does not begin with the buffer.
        """
        ...

    def give_back(self, received: Received) -> None:
        """Let the SDK fill the buffer again, unless it was lent."""
        ...

    def is_ready(self) -> bool:
        """Return whether the device takes a software trigger now, as far as it tells. From any thread; never raises."""
        ...

    def give_up(self) -> None:
        """Note that the device is lost: from now on nothing that waits for its answer is asked. From any thread."""
        ...

    def end(self) -> None:
        """Let the device acquire no longer; what it had delivered is discarded. Never raises."""
        ...

    def close(self) -> None:
        """Let go of the device. Never raises."""
        ...

    def counted(self) -> Mapping[str, int]:
        """Return what the SDK itself counts, by the names of `Camera.counters`. From any thread; never raises."""
        ...
