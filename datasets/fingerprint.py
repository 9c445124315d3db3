"""What an image looks like apart from its light and its crop, so that two photographs of one piece can be told.

The picture's logarithm is high-passed and divided by its local contrast: a longer exposure or another lamp changes that
little. Of the result the low spatial frequencies are kept. Their magnitudes stay when the crop moves, which finds
candidates; their phases give the correlation peak that decides (phase correlation, Kuglin and Hines 1975).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

CANVAS_PX = 128  # every picture is laid in the middle of a square of this side …
CONTENT_PX = 120  # … after scaling so that a typical long side has this length
_KEPT = 40  # spatial frequencies kept each way, of CANVAS_PX / 2
_FINE_SIGMA, _CONTRAST_SIGMA = 3.0, 6.0  # of the high-pass and of the local contrast, in scaled pixels
_BAND_SIGMA = 0.18  # of the weight of a spatial frequency in the peak, in cycles a pixel
_FADE = 0.12  # share of each side over which the picture fades out, so that its border makes no edge

Spectrum = NDArray[np.complex64]


@dataclass(frozen=True, slots=True)
class Look:
    """One image's fingerprint. phases: (2·40, 40) complex64 of modulus 1, all zero where the image shows nothing.

    magnitudes: (3200,) float32 of unit length.
    """

    phases: Spectrum
    magnitudes: NDArray[np.float32]


def look_of(pixels: NDArray[np.uint8], shrink: float) -> Look:
    """Return the fingerprint of an image, (H, W) or (H, W, 3), that is first made `shrink` times smaller."""
    canvas = _canvas(_flatten(pixels, shrink))
    spectrum = np.fft.rfft2(canvas)
    low = np.concatenate([spectrum[:_KEPT, :_KEPT], spectrum[-_KEPT:, :_KEPT]])
    strength = np.abs(low)
    mean = float(strength.mean())
    if mean < 1e-6:
        return Look(np.zeros(low.shape, np.complex64), np.zeros(low.size, np.float32))
    magnitudes = np.sqrt(strength).ravel()
    return Look(
        np.asarray(low / (strength + 1e-3 * mean), np.complex64),
        np.asarray(magnitudes / np.linalg.norm(magnitudes), np.float32),
    )


def peaks(phases: Spectrum, others: Spectrum) -> NDArray[np.float32]:
    """Return the height of each pair's correlation peak, (n, 80, 40) against (n, 80, 40): 1 = the same, 0 = unrelated.

    The peak may lie at any shift, so that crops of one piece meet; the correlation is sampled on an 80 × 80 grid.
    """
    cross = phases * others.conj() * _WEIGHT
    surface = np.fft.irfft2(cross, s=(2 * _KEPT, 2 * _KEPT))
    return np.asarray(surface.max(axis=(1, 2)) / _FULL, np.float32)


def _weight() -> NDArray[np.float32]:
    rows = np.concatenate([np.arange(_KEPT), np.arange(-_KEPT, 0)])[:, None] / CANVAS_PX
    columns = np.arange(_KEPT)[None] / CANVAS_PX
    return np.exp(-(rows**2 + columns**2) / (2 * _BAND_SIGMA**2)).astype(np.float32)


_WEIGHT = _weight()
_FULL = float(np.fft.irfft2(_WEIGHT, s=(2 * _KEPT, 2 * _KEPT)).max())


def _flatten(pixels: NDArray[np.uint8], shrink: float) -> NDArray[np.float32]:
    """Return the scaled grey picture without its light: high-passed logarithm over local contrast, within ±3."""
    grey = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    size = [max(8, round(side / shrink)) for side in grey.shape[1::-1]]
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    logarithm = cv2.log(small + 8)
    fine = logarithm - cv2.GaussianBlur(logarithm, (0, 0), _FINE_SIGMA)
    contrast = np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), _CONTRAST_SIGMA))
    return np.asarray(np.clip(fine / (contrast + 0.02), -3, 3), np.float32)


def _canvas(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the middle of the picture, faded at its border, in the middle of an empty square."""
    height, width = (min(side, CANVAS_PX) for side in picture.shape)
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    faded = picture[top : top + height, left : left + width] * np.outer(_fade(height), _fade(width))
    canvas = np.zeros((CANVAS_PX, CANVAS_PX), np.float32)
    top, left = (CANVAS_PX - height) // 2, (CANVAS_PX - width) // 2
    canvas[top : top + height, left : left + width] = faded
    return canvas


def _fade(length: int) -> NDArray[np.float32]:
    inside = np.arange(length) + 0.5
    return np.asarray(np.clip(np.minimum(inside, length - inside) / (_FADE * length), 0, 1), np.float32)
