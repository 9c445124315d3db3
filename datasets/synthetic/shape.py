"""The geometry of the rendered part, a turned flange with six bores, a hub and a keyway, as maps computed once.

All lengths are in units of the outer radius. The maps cover a square patch whose centre is the part's axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]

MARGIN = 1.06  # half a patch, in outer radii
PITCH_RADIUS = 0.70  # of the circle that the bores lie on
BORE_RADIUS = 0.105
BORE_ANGLES = tuple(np.pi / 6 + np.pi / 3 * k for k in range(6))
HUB_RADIUS = 0.44
CENTRE_RADIUS = 0.27
FLAT_AT = 0.93  # distance of the milled flat from the axis
KEY_HALF_WIDTH = 0.07
KEY_DEPTH = 0.38
_CHAMFER = 0.030
_SUPERSAMPLING = 3


@dataclass(frozen=True)
class Shape:
    """Maps of one part, all (side, side) float32; read only once built, so any thread may use them.

    cover: 1 on the part, 0 off it and in its bores. slope_x, slope_y: outward slope of chamfers and hub wall.
    cos2, sin2: of twice the tangent's angle, along which the turning grooves run. radius: distance from the axis.
    face: 1 on flat turned faces, less on chamfers.
    """

    side: int
    cover: Map
    slope_x: Map
    slope_y: Map
    cos2: Map
    sin2: Map
    radius: Map
    face: Map


def build_shape(radius_px: float) -> Shape:
    """Return the maps for a part whose outer radius is `radius_px` pixels."""
    side = 2 * round(radius_px * MARGIN)
    fine = side * _SUPERSAMPLING
    axis = (np.arange(fine, dtype=np.float32) + 0.5) / fine * 2 - 1
    x, y = np.meshgrid(axis * np.float32(MARGIN), axis * np.float32(MARGIN))
    radius = np.hypot(x, y)
    outer = np.minimum(1 - radius, FLAT_AT - x)  # positive inside
    keyway = np.maximum(np.abs(y) - KEY_HALF_WIDTH, np.abs(x + KEY_DEPTH / 2) - KEY_DEPTH / 2)
    centre = np.minimum(radius - CENTRE_RADIUS, keyway)
    bores = np.min([np.hypot(x - px, y - py) - BORE_RADIUS for px, py in bore_centres()], axis=0)
    edge = np.minimum(outer, np.minimum(centre, bores)).astype(np.float32)
    hub_wall = _ramp((radius - HUB_RADIUS) / 0.018)
    chamfer = _ramp(1 - edge / _CHAMFER)
    gy, gx = np.gradient(edge, axis[1] - axis[0])
    rx, ry = x / np.maximum(radius, 1e-3), y / np.maximum(radius, 1e-3)
    wall = 4 * hub_wall * (1 - hub_wall)
    angle = np.arctan2(y, x) + np.pi / 2
    face = (1 - 0.75 * (edge < _CHAMFER)) * (1 - 0.6 * wall)
    return Shape(
        side=side,
        cover=_shrink(edge > 0, side),
        slope_x=_shrink(-gx / MARGIN * chamfer * (edge > 0) + 0.8 * rx * wall, side),
        slope_y=_shrink(-gy / MARGIN * chamfer * (edge > 0) + 0.8 * ry * wall, side),
        cos2=_shrink(np.cos(2 * angle), side),
        sin2=_shrink(np.sin(2 * angle), side),
        radius=_shrink(radius, side),
        face=_shrink(face, side),
    )


def bore_centres() -> list[tuple[float, float]]:
    """Return the centres (x, y) of the bores in outer radii from the axis."""
    return [(PITCH_RADIUS * float(np.cos(a)), PITCH_RADIUS * float(np.sin(a))) for a in BORE_ANGLES]


def _ramp(value: NDArray[np.floating]) -> Map:
    return np.asarray(np.clip(value, 0, 1), np.float32)


def _shrink(fine: NDArray[np.generic], side: int) -> Map:
    shrunk = cv2.resize(fine.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, dtype=np.float32)
