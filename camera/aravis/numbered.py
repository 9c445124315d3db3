"""A test picture that carries its own number: a strip of 32 bits above one grey level, so that a torn one is seen."""

from __future__ import annotations

import numpy as np

from camera.frame import Pixels

_BITS = 32
_STRIP = 2  # rows: a Bayer pattern's height


def level(number: int) -> int:
    """Return the grey level of picture `number` (from 1): 16 of them, 15 apart."""
    return 15 * ((number - 1) % 16) + 7


def draw(number: int, height: int, row_bytes: int) -> Pixels:
    """Return picture `number` as uint8 (height, row_bytes), whatever the bytes of a row stand for."""
    picture = np.full((height, row_bytes), level(number), np.uint8)
    bits = np.unpackbits(np.array([number & 0xFFFFFFFF], ">u4").view(np.uint8))
    cell = row_bytes // _BITS
    picture[:_STRIP] = 0
    picture[:_STRIP, : cell * _BITS] = np.repeat(bits * np.uint8(255), cell)
    return picture
