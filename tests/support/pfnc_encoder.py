"""Pictures as cameras send them, bit by bit from the text of the PFNC: what the tests hold the product's reading to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Samples = NDArray[np.uint16]

PATTERNS = {"BayerRG": "RGGB", "BayerGR": "GRBG", "BayerGB": "GBRG", "BayerBG": "BGGR"}


def mosaic(rgb: Picture, start: str) -> Picture:
    """Return what a sensor with a colour filter sees of (H, W, 3): the colour of each place of its 2×2 pattern."""
    raw = np.empty(rgb.shape[:2], np.uint8)
    for place, colour in enumerate(PATTERNS[start]):
        row, column = divmod(place, 2)
        raw[row::2, column::2] = rgb[row::2, column::2, "RGB".index(colour)]
    return raw


def demosaiced(raw: Picture, start: str) -> NDArray[np.float64]:
    """Return (H − 2, W − 2, 3) of (H, W): a colour that a place lacks is the mean of those around it that have it."""
    result = np.zeros((*raw.shape, 3))
    for channel, colour in enumerate("RGB"):
        has = np.zeros(raw.shape, bool)
        for place in (place for place, one in enumerate(PATTERNS[start]) if one == colour):
            has[place // 2 :: 2, place % 2 :: 2] = True
        known = np.where(has, raw, 0).astype(float)
        shifts = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
        total = sum(np.roll(known, shift, (0, 1)) for shift in shifts)
        count = sum(np.roll(has, shift, (0, 1)).astype(int) for shift in shifts)
        result[:, :, channel] = np.where(has, raw, total / count)
    return result[1:-1, 1:-1]


def encoded(samples: Samples, depth: str) -> Picture:
    """Return samples (H, W) of so many bits as the bytes of each row: depth "8", "12", "12p", "12Packed" …"""
    if depth == "8":
        return samples.astype(np.uint8)
    bits = int(depth.removesuffix("Packed").removesuffix("p"))
    if depth.endswith("p"):  # one stream of bits, each sample's lowest first
        each = np.unpackbits(samples.astype("<u2").view(np.uint8), axis=1, bitorder="little")
        stream = each.reshape(samples.shape[0], -1, 16)[:, :, :bits].reshape(samples.shape[0], -1)
        return np.packbits(stream, axis=1, bitorder="little")
    if depth.endswith("Packed"):  # GigE Vision: upper 8 bits of one, the lower bits of both, upper 8 of the other
        low = bits - 8
        one, other = samples[:, ::2], samples[:, 1::2]
        between = (one & (1 << low) - 1) | (other & (1 << low) - 1) << 4
        return np.stack([one >> low, between, other >> low], axis=2).reshape(samples.shape[0], -1).astype(np.uint8)
    return samples.astype("<u2").view(np.uint8)


def yuv_encoded(rgb: Picture, *, video: bool, luminance_first: bool) -> Picture:
    """Return (H, W, 3) as YUV 4:2:2 bytes of each row: levels 0 … 255 (ITU-T T.871), or those of ITU-R BT.601."""
    r, g, b = (rgb[:, :, channel].astype(float) for channel in range(3))
    y = 0.299 * r + 0.587 * g + 0.114 * b
    colours = [(b - y) / 1.772, (r - y) / 1.402]
    if video:
        y = 16 + y * 219 / 255
        colours = [colour * 224 / 255 for colour in colours]
    u, v = (128 + (colour[:, ::2] + colour[:, 1::2]) / 2 for colour in colours)
    group = [y[:, ::2], u, y[:, 1::2], v] if luminance_first else [u, y[:, ::2], v, y[:, 1::2]]
    return np.rint(np.clip(np.stack(group, axis=2), 0, 255)).astype(np.uint8).reshape(rgb.shape[0], -1)
