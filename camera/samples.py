"""Raw camera pixels to samples of their full depth, for who measures or keeps a picture: nothing is rounded away."""

from __future__ import annotations

import re
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.errors import PixelFormatError
from camera.frame import Pixels
from camera.pixels import SAMPLED, frame_size, image_of

Samples = NDArray[np.uint8] | NDArray[np.uint16]


def bits_of(pixel_format: str) -> int:
    """Return how many bits a sample has: 8 for colour that is no Bayer pattern."""
    found = re.search(r"\d+", pixel_format) if pixel_format in SAMPLED else None
    return 8 if found is None else int(found[0])


def samples_of(pixels: Pixels, pixel_format: str) -> Samples:
    """Return what the sensor gave, one sample a pixel (H, W): uint8 of 8 bits, else uint16 with the value as it is.

    Raises PixelFormatError for a format of several samples a pixel (RGB8, BGR8, YUV422), or pixels that are none.
    """
    rows, columns = frame_size(pixels, pixel_format)
    layout = SAMPLED.get(pixel_format)
    if layout is None:
        raise PixelFormatError(
            f"{pixel_format} has no raw samples: the camera made colours of them; leave them as they are, or set the "
            "camera to a Bayer or Mono format"
        )
    bits = bits_of(pixel_format)
    if bits == 8:
        return pixels
    if layout.size == 2 and layout.pixels == 1:
        return np.ascontiguousarray(pixels).view("<u2").astype(np.uint16, copy=False)
    missing = -pixels.shape[1] % layout.size
    whole = np.pad(pixels, ((0, 0), (0, missing))) if missing else np.ascontiguousarray(pixels)
    groups = whole.reshape(rows, -1, layout.size).astype(np.uint16)
    unpack = _ended_by_low_bits if pixel_format.endswith("Packed") else _low_bits_first
    return unpack(groups, bits, layout.pixels).reshape(rows, -1)[:, :columns]


def picture_of(pixels: Pixels, pixel_format: str) -> Samples:
    """Return a frame as grey (H, W) or RGB (H, W, 3) at its full depth; Bayer: bilinear. Raises PixelFormatError."""
    layout = SAMPLED.get(pixel_format)
    if layout is None or bits_of(pixel_format) == 8:
        return image_of(pixels, pixel_format)
    samples = samples_of(pixels, pixel_format)
    if layout.bayer is None:
        return samples
    if min(samples.shape) < 4:
        raise PixelFormatError(f"a Bayer frame of {samples.shape[1]}×{samples.shape[0]}; at least 4×4 is needed")
    return cast(Samples, cv2.cvtColor(np.ascontiguousarray(samples), layout.bayer))


def to_16_bits(samples: Samples, bits: int) -> Samples:
    """Return samples of more than 8 bits moved up to the full range of 16, so that any program shows them; else same.

    Lossless: a sample is the value >> (16 − bits).
    """
    return samples if bits == 8 else cast(Any, samples) << (16 - bits)


def _low_bits_first(groups: NDArray[np.uint16], bits: int, pixels: int) -> NDArray[np.uint16]:
    """Read Mono10p and Mono12p: sample n takes the bits n·bits … (n+1)·bits − 1 of the group, the lowest first."""
    result = np.empty((*groups.shape[:2], pixels), np.uint16)
    for place in range(pixels):
        byte, shift = divmod(place * bits, 8)
        two = groups[:, :, byte] | groups[:, :, byte + 1] << 8
        result[:, :, place] = two >> shift & (1 << bits) - 1
    return result


def _ended_by_low_bits(groups: NDArray[np.uint16], bits: int, pixels: int) -> NDArray[np.uint16]:
    """Read Mono10Packed and Mono12Packed: the upper 8 bits outside, the lower ones in the two halves of the middle."""
    low, mask = bits - 8, (1 << bits - 8) - 1
    result = np.empty((*groups.shape[:2], pixels), np.uint16)
    result[:, :, 0] = groups[:, :, 0] << low | groups[:, :, 1] & mask
    result[:, :, 1] = groups[:, :, 2] << low | groups[:, :, 1] >> 4 & mask
    return result
