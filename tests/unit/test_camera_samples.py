"""Samples at full depth: what was packed bit by bit comes out, and a PNG keeps it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from camera.errors import PixelFormatError
from camera.frame import Pixels
from camera.pixels import FORMATS, SAMPLED, image_of
from camera.samples import bits_of, picture_of, samples_of, to_16_bits

ROWS, COLUMNS = 5, 7  # odd, so that the last group of a packed row is cut short


def packed(values: np.ndarray, pixel_format: str) -> Pixels:
    """Pack rows of values as the PFNC and GigE Vision standards lay them out, one bit at a time."""
    bits = bits_of(pixel_format)
    rows = []
    for row in values.tolist():
        if pixel_format.endswith("Packed"):
            rows.append(gige_packed(row, bits))
            continue
        size = bits if pixel_format.endswith("p") else 8 if bits == 8 else 16
        number = sum(value << place * size for place, value in enumerate(row))
        rows.append(number.to_bytes(-(-len(row) * size // 8), "little"))
    return np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1).copy()


def gige_packed(row: list[int], bits: int) -> bytes:
    """Two pixels in three bytes: the upper 8 bits of each outside, the lower ones in the two halves of the middle."""
    low = bits - 8
    data = bytearray()
    for first, second in zip(row[::2], [*row[1::2], 0], strict=False):
        data += bytes((first >> low, first & (1 << low) - 1 | (second & (1 << low) - 1) << 4, second >> low))
    return bytes(data[: -(-len(row) * 3 // 2)])


@pytest.mark.parametrize("pixel_format", SAMPLED)
def test_samples_are_what_was_packed(pixel_format: str) -> None:
    """Every value of every Mono and Bayer format, its largest and smallest too, also of a row with an odd end."""
    bits = bits_of(pixel_format)
    values = np.random.default_rng(1).integers(0, 2**bits, (ROWS, COLUMNS))
    values[0, :2] = 0, 2**bits - 1
    samples = samples_of(packed(values, pixel_format), pixel_format)
    assert samples.dtype == (np.uint8 if bits == 8 else np.uint16)
    assert np.array_equal(samples[:, :COLUMNS], values)


@pytest.mark.parametrize("pixel_format", [name for name in SAMPLED if bits_of(name) > 8])
def test_a_png_keeps_every_bit(pixel_format: str) -> None:
    """Moved up to 16 bits and back through a PNG, the samples are the same; their upper 8 bits are the 8-bit image."""
    bits = bits_of(pixel_format)
    values = np.random.default_rng(2).integers(0, 2**bits, (8, 8))
    pixels = packed(values, pixel_format)
    stored = to_16_bits(samples_of(pixels, pixel_format), bits)
    encoded, data = cv2.imencode(".png", stored)
    assert encoded
    read = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    assert np.array_equal(read >> (16 - bits), values)
    if pixel_format.startswith("Mono"):
        assert np.array_equal(read >> 8, image_of(pixels, pixel_format))


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_a_flat_picture_is_flat(pixel_format: str) -> None:
    """Grey light gives the same grey in every channel, Bayer or not, at the format's depth."""
    bits = bits_of(pixel_format)
    level = 128 << (bits - 8)
    if pixel_format in SAMPLED:
        pixels = packed(np.full((8, 8), level), pixel_format)
    else:
        pixels = np.full((8, 8, 3) if pixel_format in ("RGB8", "BGR8") else (8, 16), 128, np.uint8)
    picture = picture_of(pixels, pixel_format)
    assert picture.shape == ((8, 8) if pixel_format.startswith("Mono") else (8, 8, 3))
    assert np.abs(picture.astype(int) - level).max() <= (2 if "601" in pixel_format else 0)  # video has fewer levels


def test_colours_have_no_raw_samples() -> None:
    """What the camera made colours of is refused, and so are pixels that are no frame."""
    with pytest.raises(PixelFormatError, match="has no raw samples"):
        samples_of(np.zeros((4, 4, 3), np.uint8), "RGB8")
    with pytest.raises(PixelFormatError):
        samples_of(np.zeros((4, 3), np.uint8), "Mono12")
