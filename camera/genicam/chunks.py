"""Chunk data: what a device sends along with each picture, under names that say what it is and in which unit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from camera.errors import NodeError
from camera.genicam.nodes import Value
from camera.genicam.options import Chunk


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """One kind of chunk: its name in `Frame.chunks`, and what devices call it, SFNC first.

    selectors: entries of ChunkSelector; nodes: the features that show its value once a buffer is attached.
    """

    name: str
    selectors: tuple[str, ...]
    nodes: tuple[str, ...]


CHUNKS: dict[Chunk, ChunkRow] = {
    "timestamp": ChunkRow("timestamp_device_ns", ("Timestamp", "FrameTimestamp"), ("ChunkTimestamp",)),
    "counter": ChunkRow(
        "counter",
        ("CounterValue", "Counter", "Triggerinputcounter", "FrameID", "Framecounter", "FrameCounter"),
        (
            "ChunkCounterValue",
            "ChunkCounter",
            "ChunkTriggerinputcounter",
            "ChunkFrameID",
            "ChunkFramecounter",
            "ChunkFrameCounter",
        ),
    ),
    "encoder": ChunkRow(
        "encoder", ("EncoderValue", "Encoder", "EncoderCounter"), ("ChunkEncoderValue", "ChunkEncoderCounter")
    ),
    "exposure": ChunkRow(
        "exposure_us", ("ExposureTime", "Exposure"), ("ChunkExposureTime", "ChunkExposureTimeAbs", "ChunkExposure")
    ),
}


class ChunkNodes(Protocol):
    """The features that show the chunks of one buffer."""

    def has(self, name: str) -> bool:
        """Return whether the feature may be read."""
        ...

    def get(self, name: str) -> Value:
        """Return its value. Raises NodeError for one that did not come."""
        ...


def read_chunks(nodes: ChunkNodes, wanted: Iterable[Chunk], tick_hz: int | None = None) -> dict[str, int | float]:
    """Return the chunks of the buffer that the node map is attached to, by the names in CHUNKS.

    tick_hz: how often a second the time stamp counts, where that is not nanoseconds. One that cannot be read now is
    left out: the picture is whole without it.
    """
    found: dict[str, int | float] = {}
    for chunk in wanted:
        row = CHUNKS[chunk]
        value = _first_number(nodes, row.nodes)
        if value is not None:
            is_ticks = chunk == "timestamp" and tick_hz is not None and tick_hz > 0
            found[row.name] = int(value) * 1_000_000_000 // (tick_hz or 1) if is_ticks else value
    return found


def missing_chunks(wanted: Iterable[Chunk], came: Mapping[str, int | float]) -> list[Chunk]:
    """Return which of the wanted chunks are not among those that came."""
    return [chunk for chunk in wanted if CHUNKS[chunk].name not in came]


def _first_number(nodes: ChunkNodes, names: Iterable[str]) -> int | float | None:
    for name in names:
        if nodes.has(name):
            try:
                value = nodes.get(name)
            except NodeError:
                continue
            if isinstance(value, (int, float)) and math.isfinite(value):
                return value
    return None
