"""What a sensor is worth, after EMVA Standard 1288, Release 4.0 Linear: by pictures of the dark and of even light.

Everything is in the digital numbers (DN) of the samples that are given: give all bits of a camera that has more than 8.
No light meter is needed, so nothing is said about quantum efficiency. A Bayer sensor is measured as one, which its
colours make coarser: give one colour of it (`samples[:, ::2, ::2]`) for figures to compare with a data sheet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Stack = NDArray[Any]
"""Pictures of one still scene, (n, rows, columns), one sample a pixel, n >= 2."""

QUANTISATION = 1.0 / 12.0
"""Variance that rounding to whole numbers adds, DN² (section 2, noise model)."""
_LEAST_DARK = 0.24  # DN²: a smaller dark variance drowns in rounding, and is told as an upper limit (section 6)
_FITTED = 0.7  # the photon transfer is fitted up to this share of saturation (section 6, photon transfer method)
_LINEAR = (0.05, 0.95)  # linearity is held against the straight line between these shares (section 6, linearity)
_BOX = 33  # pixels: what is wider than this is the light's doing, not the sensor's


class TooFewPicturesError(ValueError):
    """The pictures do not say what was asked for; the text says which are missing."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Level:
    """One brightness: mean of the samples, and the variances over time and over the sensor's surface, DN and DN².

    exposure: of the pictures, in any unit that grows with the light; None where it was not varied.
    """

    mean: float
    temporal: float
    spatial: float
    exposure: float | None = None


@dataclass(frozen=True, slots=True)
class Sensor:
    """What the levels say of a sensor. gain: K, DN per electron. dark_noise: electrons.

    dark_noise_is_limit: True where rounding hides it, so that it is at most that. dsnu: electrons. prnu: a share.
    saturation: DN above dark. full_well: electrons. snr_max: at saturation, a ratio. dynamic_range: a ratio.
    linearity_error: mean deviation from the straight line, a share; None where the exposure was not varied.
    """

    gain: float
    dark_mean: float
    dark_noise: float
    dark_noise_is_limit: bool
    dsnu: float
    prnu: float
    saturation: float
    saturation_was_reached: bool
    full_well: float
    snr_max: float
    dynamic_range: float
    linearity_error: float | None


def level(stack: Stack, exposure: float | None = None) -> Level:
    """Measure one brightness. Raises TooFewPicturesError for fewer than two pictures.

    temporal: Σ (y − mean of the pixel − how far the whole picture is off)² / (n − 1), over all pixels (section 6; for
    n = 2 half the mean square of the difference less half the square of its mean). spatial: variance of the mean
    picture without what is wider than 33 pixels, less temporal / n, which the mean still holds (section 8).
    """
    if len(stack) < 2 or stack.ndim != 3:
        raise TooFewPicturesError(
            f"pictures {stack.shape}: at least two of the same size are needed at each brightness"
        )
    means = stack.mean(axis=(1, 2), dtype=np.float64)
    average = stack.mean(axis=0, dtype=np.float64)
    total = 0.0
    for picture, mean in zip(stack, means, strict=True):
        off = picture - average
        off -= mean - means.mean()
        total += float(np.square(off).mean())
    temporal = total / (len(stack) - 1)
    return Level(float(means.mean()), temporal, max(_spatial(average) - temporal / len(stack), 0.0), exposure)


def _spatial(average: NDArray[np.float64]) -> float:
    """Return the variance of a mean picture after a high-pass that takes the light's own unevenness off."""
    side = min(_BOX, *(size // 2 * 2 - 1 for size in average.shape))
    if side < 3:
        return float(average.var())
    smooth = cv2.blur(average, (side, side), borderType=cv2.BORDER_REFLECT)
    edge = side // 2
    rest = (average - smooth)[edge:-edge, edge:-edge]
    return float(rest.var() * side**2 / (side**2 - 1))  # the box holds the pixel itself


def characterise(dark: Level, bright: Sequence[Level], highest: int) -> Sensor:
    """Say what a sensor is worth from a dark level and some bright ones; highest: the largest DN that a sample can be.

    Sections 2 (model: σ² = σ_dark² + K (μ − μ_dark)), 6 (photon transfer, linearity) and 8 (DSNU, PRNU at about half of
    saturation). Raises TooFewPicturesError where nothing is bright enough, or all of it saturated.
    """
    levels = sorted(bright, key=lambda one: one.mean)
    saturated, reached = _saturation(levels, highest)
    reach = saturated - dark.mean
    usable = [one for one in levels if 0.0 < one.mean - dark.mean <= _FITTED * reach]
    if not usable:
        raise TooFewPicturesError(
            f"no brightness lies between dark ({dark.mean:.1f}) and {_FITTED:.0%} of saturation ({saturated:.1f}); "
            "take pictures of even light at about half of the range"
        )
    gain = _gain(dark, usable)
    dark_variance = max(dark.temporal, _LEAST_DARK)
    noise = sqrt(dark_variance - QUANTISATION) / gain
    half = min(usable, key=lambda one: abs(one.mean - dark.mean - 0.5 * reach))
    full_well = reach / gain
    return Sensor(
        gain=gain,
        dark_mean=dark.mean,
        dark_noise=noise,
        dark_noise_is_limit=dark.temporal < _LEAST_DARK,
        dsnu=sqrt(dark.spatial) / gain,
        prnu=sqrt(max(half.spatial - dark.spatial, 0.0)) / (half.mean - dark.mean),
        saturation=reach,
        saturation_was_reached=reached,
        full_well=full_well,
        snr_max=sqrt(full_well),
        dynamic_range=full_well / max(noise, 1e-9),
        linearity_error=linearity_error(dark, levels, reach),
    )


def _saturation(levels: Sequence[Level], highest: int) -> tuple[float, bool]:
    """Return the mean of the noisiest level if a brighter one is less noisy (section 6), else `highest`, and which."""
    noisiest = max(range(len(levels)), key=lambda place: levels[place].temporal, default=None)
    if noisiest is not None and noisiest < len(levels) - 1:
        return levels[noisiest].mean, True
    return float(highest), False


def _gain(dark: Level, usable: Sequence[Level]) -> float:
    """Return K: the slope through the origin of σ² − σ_dark² over μ − μ_dark, by least squares."""
    signal = np.array([one.mean - dark.mean for one in usable])
    noise = np.array([one.temporal - dark.temporal for one in usable])
    gain = float(signal @ noise / (signal @ signal))
    if gain <= 0.0:
        raise TooFewPicturesError(
            "brighter pictures are not noisier than dark ones: the camera smooths, sharpens or compresses its "
            "pictures, or they are copies of one; switch that off"
        )
    return gain


def linearity_error(dark: Level, levels: Sequence[Level], reach: float) -> float | None:
    """Return the mean deviation from a straight line of signal over exposure, as a share; None below three exposures.

    Section 6: between 5 % and 95 % of saturation, the line that makes the squared relative deviations least.
    """
    low, high = (share * reach for share in _LINEAR)
    points = [
        (one.exposure, one.mean - dark.mean)
        for one in levels
        if one.exposure is not None and low <= one.mean - dark.mean <= high
    ]
    if len({exposure for exposure, _ in points}) < 3:
        return None
    exposure, signal = np.array(points, np.float64).T
    weighted = np.stack([np.ones_like(exposure), exposure], axis=1) / signal[:, None]
    line, *_ = np.linalg.lstsq(weighted, np.ones_like(signal), rcond=None)
    fitted = line[0] + line[1] * exposure
    return float(np.abs(signal / fitted - 1.0).mean())


def snr(dark: Level, one: Level) -> float:
    """Return the signal-to-noise ratio of a level, temporal noise alone (section 2)."""
    return float((one.mean - dark.mean) / sqrt(max(one.temporal, QUANTISATION)))


@dataclass(frozen=True, slots=True)
class Defects:
    """Pixels that stand out, as (x, y), the furthest first: hot ones in the dark, weak and strong ones in the light."""

    hot: tuple[tuple[int, int], ...]
    dead: tuple[tuple[int, int], ...]


def defects(
    dark: NDArray[Any], bright: NDArray[Any], *, hot_sigmas: float = 8.0, dead_share: float = 0.3, most: int = 10_000
) -> Defects:
    """Find hot and dead pixels in the mean pictures of dark and even light, (rows, columns) each.

    hot: more than so many robust standard deviations (1.4826 × median absolute deviation, at least 1 DN) above the
    median of its 5 × 5 neighbours. dead: its response differs from theirs by more than `dead_share`. The standard
    leaves the limits to the application (section 8, defect pixels).
    """
    above = dark - _neighbours(dark)
    spread = max(1.4826 * float(np.median(np.abs(above - np.median(above)))), 1.0)
    response = np.asarray(bright, np.float32) - np.asarray(dark, np.float32)
    around = np.maximum(_neighbours(response), 1.0)
    off = np.abs(response / around - 1.0)
    hot = above > hot_sigmas * spread
    off[hot] = 0.0  # a hot pixel saturates in the light: it is told once
    return Defects(_furthest(above, hot, most), _furthest(off, off > dead_share, most))


def _neighbours(picture: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(cv2.medianBlur(np.asarray(picture, np.float32), 5), np.float32)


def _furthest(values: NDArray[Any], chosen: NDArray[np.bool_], most: int) -> tuple[tuple[int, int], ...]:
    rows, columns = np.nonzero(chosen)
    order = np.argsort(-values[rows, columns], kind="stable")[:most]
    return tuple((int(columns[place]), int(rows[place])) for place in order)
