"""White balance from a grey card: which ratios make red, green and blue of a region alike."""

from __future__ import annotations

from camera.figures import SATURATED
from camera.frame import Pixels
from inspection.tuning.errors import TuningError

Ratios = tuple[float, float, float]

_MOST_SATURATED = 0.01  # share of the region's pixels: what is clipped has lost its colour
_LEAST_MEAN = 20.0  # grey values: below it, the black level and noise make the colour


def means_of(card: Pixels) -> Ratios:
    """Return the means of red, green and blue of a region, uint8 (H, W, 3) RGB. Raises TuningError for a bad one."""
    if card.ndim != 3:
        raise TuningError(
            "white balance: the picture is grey — a colour camera in a Bayer, RGB or YUV format is needed — choose "
            "another pixel format"
        )
    saturated = float((card >= SATURATED).any(axis=2).mean())
    if saturated > _MOST_SATURATED:
        raise TuningError(
            f"white balance: {saturated:.0%} of the region is overexposed — {_MOST_SATURATED:.0%} at most — shorten "
            "the exposure, then measure again"
        )
    red, green, blue = (float(mean) for mean in card.reshape(-1, 3).mean(axis=0))
    if min(red, green, blue) < _LEAST_MEAN:
        raise TuningError(
            f"white balance: the region is too dark (red {red:.0f}, green {green:.0f}, blue {blue:.0f}) — "
            f"{_LEAST_MEAN:.0f} of 255 at least — lengthen the exposure, then measure again"
        )
    return red, green, blue


def balanced(now: Ratios, means: Ratios) -> Ratios:
    """Return the ratios (red, green, blue) that make a region grey that has these means at the ratios of now.

    A sample is proportional to its ratio. Green stays as it is: many devices cannot change it.
    """
    red, green, blue = means
    return now[0] * green / red, now[1], now[2] * green / blue
