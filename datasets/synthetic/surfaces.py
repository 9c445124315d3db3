"""What surfaces look like: turning grooves in metal, the woven belt, sensor noise; made once, then cut from."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.synthetic.shape import HUB_RADIUS, Map, Shape

Pixels = NDArray[np.uint8]


def turned_texture(shape: Shape, rng: np.random.Generator) -> Map:
    """Return the relative brightness (side, side), about 1, of a turned face with a brushed hub."""
    rings = 4 * shape.side
    noise = rng.normal(0, 1, (rings, 256)).astype(np.float32)
    along = np.asarray(cv2.GaussianBlur(np.tile(noise, (1, 3)), (0, 0), sigmaX=24, sigmaY=1.1)[:, 256:512])
    along = along / along.std()
    steady = cv2.GaussianBlur(rng.normal(0, 1, (rings, 1)).astype(np.float32), (0, 0), sigmaX=0.1, sigmaY=2.2)
    polar = 0.55 * along + 0.8 * steady / steady.std()
    half = shape.side / 2
    y, x = np.mgrid[0 : shape.side, 0 : shape.side].astype(np.float32) + 0.5 - half
    turn = ((np.arctan2(y, x) / (2 * np.pi)) % 1 * 255).astype(np.float32)
    ring = (np.hypot(x, y) / (half * 1.5) * (rings - 1)).astype(np.float32)
    grooves = cv2.remap(polar, turn, ring, cv2.INTER_LINEAR)
    brushed = cv2.GaussianBlur(rng.normal(0, 1, grooves.shape).astype(np.float32), (0, 0), sigmaX=9, sigmaY=0.6)
    hub = np.clip((HUB_RADIUS - shape.radius) * 60, 0, 1)
    mixed = grooves * (1 - hub) + brushed / brushed.std() * 0.9 * hub
    grain = rng.normal(0, 0.010, grooves.shape)
    return np.asarray(1 + 0.040 * mixed + grain, dtype=np.float32)


def woven_belt(height: int, width: int, rng: np.random.Generator) -> Pixels:
    """Return a dark rubber belt (height, width, 3) RGB that runs along x: weave, worn streaks, dust."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    weave = np.sin(2 * np.pi * (x + y) / 7.3) * np.sin(2 * np.pi * (x - y) / 7.3)
    streaks = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), sigmaX=60, sigmaY=1.5)
    clouds = cv2.resize(
        rng.normal(0, 1, (height // 48 + 2, width // 48 + 2)), (width, height), interpolation=cv2.INTER_CUBIC
    )
    level = 44 + 2.6 * weave + 2.8 * streaks / streaks.std() + 2.2 * clouds + rng.normal(0, 1.6, (height, width))
    dust = np.zeros((height, width), np.uint8)
    for _ in range(height * width // 9000):
        at = (int(rng.integers(width)), int(rng.integers(height)))
        cv2.circle(dust, at, int(rng.integers(0, 2)), float(rng.integers(20, 90)), -1, cv2.LINE_AA)
    level = level + 0.6 * cv2.GaussianBlur(dust, (0, 0), 0.7)
    tint = np.array([0.94, 1.0, 1.06], np.float32)
    return np.asarray(np.clip(level[:, :, None] * tint, 0, 255), np.uint8)


def sensor_noise(height: int, width: int, sigma: float, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
    """Return noise as what to add and what to take away, each (height, width, 3), which saturates as a sensor does.

    sigma: standard deviation in grey levels; half of the variance is common to the three colours.
    """
    own = rng.normal(0, sigma * 0.7, (height, width, 3))
    noise = np.rint(own + rng.normal(0, sigma * 0.7, (height, width, 1)))
    return np.clip(noise, 0, 255).astype(np.uint8), np.clip(-noise, 0, 255).astype(np.uint8)
