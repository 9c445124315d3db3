"""The defects that a part can carry, painted into the part's own patch before it is laid on the belt.

Each painter changes `light` (brightness), `film` (tint) and `cover` (where there is material) in place and returns the
points, in patch pixels, that the defect lies between. Lengths are in outer radii, as in `shape`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.synthetic.shape import BORE_RADIUS, CENTRE_RADIUS, FLAT_AT, MARGIN, Map, bore_centres

Points = NDArray[np.float32]
Window = tuple[slice, slice]
_SHIFT = 4  # fractional bits of the points that cv2 draws


@dataclass(slots=True)
class Patch:
    """One part while it is being painted; owned by the call that renders it.

    light: (side, side) brightness, 0 … about 1.6. cover: (side, side) 1 where there is material. film: a region and the
    factors (h, w, 3) by which a film on it dims R, G and B, or None while the part is bare metal.
    """

    light: Map
    cover: Map
    film: tuple[Window, Map] | None = None

    @property
    def radius_px(self) -> float:
        """Outer radius in pixels."""
        return float(self.light.shape[0] / 2 / MARGIN)


def paint_scratch(patch: Patch, rng: np.random.Generator) -> Points:
    """Draw a slightly bent scratch over the face: a bright burr beside a dark groove."""
    start = _place_on_face(rng, 0.12)
    length, heading, bend = rng.uniform(0.35, 0.85), rng.uniform(0, 2 * np.pi), rng.uniform(-0.5, 0.5)
    steps = np.linspace(-0.5, 0.5, 14)
    angles = heading + bend * steps
    path = start + np.cumsum(np.stack([np.cos(angles), np.sin(angles)], 1), 0) * length / len(steps)
    path -= path.mean(0) - start
    path += rng.normal(0, 0.003, path.shape)
    path = path[_on_metal(path)]
    if len(path) < 9:
        return paint_scratch(patch, rng)
    width = max(1, round(patch.radius_px / 165 * rng.uniform(1.8, 3.2)))
    strength = np.float32(rng.uniform(0.5, 0.8) / 255)
    points = _pixels(patch, path)
    beside = points + np.array([-np.sin(heading), np.cos(heading)]) * width * 0.9
    window = _window(patch, points, 4 * width)
    patch.light[window] *= 1 - _lines(points, width, window) * strength
    patch.light[window] += _lines(beside, width, window) * (strength * np.float32(0.75))
    return np.concatenate([points - width, points + width, beside - width, beside + width])


def paint_chip(patch: Patch, rng: np.random.Generator) -> Points:
    """Break a piece out of the rim, or of a bore's edge, and leave a rough bright fracture around the gap."""
    size = rng.uniform(0.075, 0.15)
    if rng.random() < 0.7:
        angle = rng.uniform(0, 2 * np.pi)
        heading = np.array([np.cos(angle), np.sin(angle)])
        reach = min(1.0, FLAT_AT / heading[0]) if heading[0] > 0 else 1.0
        centre = heading * (reach - 0.01)
    else:
        angle = rng.uniform(0, 2 * np.pi)
        centre = np.array(bore_centres()[rng.integers(6)]) + BORE_RADIUS * np.array([np.cos(angle), np.sin(angle)])
    corners = _blob(rng, size, 0.35)
    outline, gap = _pixels(patch, centre + corners), _pixels(patch, centre + 0.72 * corners)
    window = _window(patch, outline, 2)
    light, cover = patch.light[window], patch.cover[window]
    facets = _patchy(rng, light.shape, patch.radius_px / 33, 0.15, 1.15)
    light += (facets - light) * (_filled(outline, window) * np.float32(1 / 255))
    cover *= 1 - _filled(gap, window) * np.float32(1 / 255)
    return outline


def paint_stain(patch: Patch, rng: np.random.Generator) -> Points:
    """Lay an uneven film of rust or of burnt oil over the face."""
    centre, size = _place_on_face(rng, 0.05), rng.uniform(0.10, 0.23)
    rust = rng.random() < 0.6
    tint = np.array((0.80, 0.50, 0.27) if rust else (0.50, 0.47, 0.44), np.float32) * np.float32(rng.uniform(0.85, 1.1))
    outline = _pixels(patch, centre + _blob(rng, size, 0.45))
    soft = max(1.0, patch.radius_px * size * 0.10)
    window = _window(patch, outline, int(3 * soft) + 1)
    film = np.asarray(cv2.GaussianBlur(_filled(outline, window), (0, 0), soft)) * np.float32(1 / 255)
    film *= _patchy(rng, film.shape, patch.radius_px / 18, 0.45, 1.0) * np.float32(rng.uniform(0.65, 1.0))
    patch.film = window, np.asarray(1 - film[:, :, None] * (1 - tint), np.float32)
    return outline


def _place_on_face(rng: np.random.Generator, margin: float) -> NDArray[np.float64]:
    """Return a point (x, y) on metal, at least `margin` inside the rim."""
    while True:
        radius, angle = np.sqrt(rng.uniform(0.33**2, (0.92 - margin) ** 2)), rng.uniform(0, 2 * np.pi)
        point = np.array([radius * np.cos(angle), radius * np.sin(angle)])
        if _on_metal(point[None])[0]:
            return point


def _on_metal(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell for each (x, y) whether there is material."""
    radius = np.hypot(points[:, 0], points[:, 1])
    good = (radius > CENTRE_RADIUS + 0.03) & (radius < 0.95) & (points[:, 0] < FLAT_AT - 0.04)
    for x, y in bore_centres():
        good &= np.hypot(points[:, 0] - x, points[:, 1] - y) > BORE_RADIUS + 0.02
    return np.asarray(good, np.bool_)


def _blob(rng: np.random.Generator, size: float, roughness: float) -> NDArray[np.float64]:
    """Return 24 corners (x, y) of an irregular closed outline about the origin, `size` being its mean radius."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    reach = np.ones_like(angles)
    for wave in range(2, 7):
        reach += roughness / wave * rng.normal() * np.cos(wave * angles + rng.uniform(0, 2 * np.pi))
    reach = size * np.clip(reach, 0.35, 1.8)
    return np.asarray(np.stack([reach * np.cos(angles), reach * np.sin(angles)], 1), np.float64)


def _pixels(patch: Patch, points: NDArray[np.float64]) -> Points:
    return np.asarray((points + MARGIN) * patch.radius_px, np.float32)


def _window(patch: Patch, points: Points, margin: int) -> Window:
    """Return the part of the patch that the points and `margin` pixels around them cover."""
    low = np.maximum(np.floor(points.min(0)).astype(int) - margin, 0)
    high = np.minimum(np.ceil(points.max(0)).astype(int) + margin + 1, patch.light.shape[0])
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


def _patchy(rng: np.random.Generator, shape: tuple[int, ...], grain_px: float, low: float, high: float) -> Map:
    """Return smooth random values (h, w) between about `low` and `high`, with blotches of `grain_px` pixels."""
    coarse = rng.uniform(low, high, [int(size / grain_px) + 2 for size in shape[:2]]).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR), np.float32)


def _lines(points: NDArray[np.floating], width: int, window: Window) -> NDArray[np.uint8]:
    canvas, fixed = _canvas(points, window)
    cv2.polylines(canvas, [fixed], False, 255.0, width, cv2.LINE_AA, _SHIFT)
    return canvas


def _filled(outline: NDArray[np.floating], window: Window) -> NDArray[np.uint8]:
    canvas, fixed = _canvas(outline, window)
    cv2.fillPoly(canvas, [fixed], 255.0, cv2.LINE_AA, _SHIFT)
    return canvas


def _canvas(points: NDArray[np.floating], window: Window) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Return an empty canvas for a window and the points in its fixed-point coordinates."""
    rows, columns = window
    canvas = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
    return canvas, np.rint((points - (columns.start, rows.start)) * (1 << _SHIFT)).astype(np.int32)
