"""A camera held against what a good one is, and against itself when it was commissioned: from frames to figures."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.commissioning import Reference, reference_of
from camera.emva import Defects, Level, Sensor, TooFewPicturesError, characterise, defects, level, snr
from camera.figures import measure
from camera.frame import Frame
from camera.interface import Camera
from camera.samples import bits_of, samples_of
from inspection.offline.asking import whole_frames


@dataclass(frozen=True, slots=True)
class Still:
    """Pictures of one even brightness. exposure_us: None where it was not told."""

    frames: Sequence[Frame]
    exposure_us: float | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found out about a sensor: its figures, those of each brightness, and its defects."""

    sensor: Sensor
    dark: Level
    bright: tuple[Level, ...]
    snr: tuple[float, ...]
    defects: Defects
    bits: int


def take(camera: Camera, count: int, timeout_s: float) -> list[Frame]:
    """Take whole frames of an open camera; fewer where no other came for `timeout_s`, or a recording is at its end."""
    taken = list(whole_frames(camera, count, timeout_s))
    camera.stop()
    return taken


def verify_sensor(dark: Still, bright: Sequence[Still]) -> Verified:
    """Measure a sensor; a Bayer one by one of its greens, its defects in each colour by itself.

    Raises TooFewPicturesError for what the pictures do not say, PixelFormatError for colours that the camera made.
    """
    if not bright or not dark.frames or not all(still.frames for still in bright):
        raise TooFewPicturesError("there are no pictures of the dark, or none of even light; both are needed")
    dark_samples = _samples(dark)
    dark_level = level(_one_colour(dark_samples, dark))
    brightest, levels = None, []
    for still in bright:
        samples = _samples(still)
        if samples.shape[1:] != dark_samples.shape[1:]:
            raise TooFewPicturesError(
                f"pictures of {samples.shape[2]}×{samples.shape[1]} and dark ones of {dark_samples.shape[2]}×"
                f"{dark_samples.shape[1]}; take all of them with the same settings"
            )
        levels.append(level(_one_colour(samples, still), still.exposure_us))
        mean = samples.mean(axis=0, dtype=np.float32)
        highest = 2 ** bits_of(still.frames[0].pixel_format) - 1
        if mean.mean() < 0.9 * highest and (brightest is None or mean.mean() > brightest.mean()):
            brightest = mean
    if brightest is None:
        raise TooFewPicturesError("all the pictures of even light are saturated; take some at about half of the range")
    bits = bits_of(dark.frames[0].pixel_format)
    sensor = characterise(dark_level, levels, 2**bits - 1)
    found = _defects(dark_samples.mean(axis=0, dtype=np.float32), brightest, dark.frames[0].pixel_format)
    return Verified(sensor, dark_level, tuple(levels), tuple(snr(dark_level, one) for one in levels), found, bits)


def reference_now(camera: str, frames: Sequence[Frame]) -> Reference:
    """Measure pictures of the target as the line's gate would, whole. Raises CommissioningError for none."""
    return reference_of(camera, time.time(), [measure(frame.pixels, frame.pixel_format) for frame in frames])


def _samples(still: Still) -> NDArray[Any]:
    return np.stack([samples_of(frame.pixels, frame.pixel_format) for frame in still.frames])


def _one_colour(samples: NDArray[Any], still: Still) -> NDArray[Any]:
    """Return one green of a Bayer pattern, all of what has none."""
    pattern = still.frames[0].pixel_format
    if not pattern.startswith("Bayer"):
        return samples
    return samples[:, ::2, 1::2] if pattern.startswith(("BayerRG", "BayerBG")) else samples[:, ::2, ::2]


def _defects(dark: NDArray[Any], bright: NDArray[Any], pixel_format: str) -> Defects:
    if not pixel_format.startswith("Bayer"):
        return defects(dark, bright)
    hot: list[tuple[int, int]] = []
    dead: list[tuple[int, int]] = []
    for y, x in ((0, 0), (0, 1), (1, 0), (1, 1)):
        of_colour = defects(dark[y::2, x::2], bright[y::2, x::2])
        hot += _placed(of_colour.hot, x, y)
        dead += _placed(of_colour.dead, x, y)
    return Defects(tuple(hot), tuple(dead))


def _placed(places: Sequence[tuple[int, int]], x: int, y: int) -> Iterator[tuple[int, int]]:
    return ((2 * column + x, 2 * row + y) for column, row in places)
