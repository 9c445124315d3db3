"""A frame: the pixels of one exposure, and everything that identifies it to the end of the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

_NONE: Mapping[str, int | float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Frame:
    """One complete image of a camera; an incomplete buffer never becomes one.

    camera: the configured camera name.
    counter: the device's own count of exposures; on a triggered camera it equals the trigger number.
    device_ns: time stamp of the device's clock, None where the device has none.
    received_host_ns: `time.monotonic_ns()` when the last pixel arrived.
    lost_before: exposures between the previous frame and this one that never arrived.
    pixel_format: GenICam PFNC name (`Mono8`, `RGB8`, `BayerRG12p` …); `camera.pixels.FORMATS` lists what is read.
    pixels: uint8, (height, width) for Mono8 and (height, width, 3) for RGB8 and BGR8; of every other format the raw
        bytes as they came, (height, bytes of a row): `camera.pixels.image_of` makes an image of them.
    chunks: what the device sent along with this picture, by the names of `camera.genicam.chunks`.
    """

    camera: str
    counter: int
    device_ns: int | None
    received_host_ns: int
    lost_before: int
    pixel_format: str
    pixels: Pixels
    chunks: Mapping[str, int | float] = field(default_factory=lambda: _NONE)


@dataclass(frozen=True, slots=True)
class BrokenFrame:
    """One exposure that took place and whose pixels did not come whole: its part has no image, and is known of.

    counter, device_ns, received_host_ns, lost_before: as of a frame. why: what was wrong with it, for people:
    "12 of 144 packets are missing".
    """

    camera: str
    counter: int
    device_ns: int | None
    received_host_ns: int
    lost_before: int
    why: str


@dataclass(frozen=True, slots=True)
class ClockReading:
    """What a device's clock showed when it was asked: it was read between two moments of the host's."""

    device_ns: int
    before_host_ns: int
    after_host_ns: int


@dataclass(frozen=True, slots=True)
class Trigger:
    """One part at the photo-eye: its number (counted from 1) and when the beam was broken, on the host clock.

    position: the belt's encoder count at that moment, None where the source of triggers has no encoder.
    """

    number: int
    host_ns: int
    position: int | None = None
