"""How a part lies in its picture, compared with the reference: shifted, turned, and how surely."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Pose:
    """A turn about a centre and a shift, and the correlation of the part with its reference there.

    dx, dy: how far the centre moved, in pixels, to the right and down. angle_deg: clockwise in the picture.
    score: −1…1. runner_up: the score of the best place that is another one, −1 where there was none to look at.
    """

    dx: float
    dy: float
    angle_deg: float
    score: float = 1.0
    runner_up: float = -1.0

    def matrix(self, centre: Place) -> Matrix:
        """Return the 2×3 matrix from a place in the reference to the same place of the part in its picture."""
        return rigid(np.deg2rad(self.angle_deg), (self.dx, self.dy), centre)

    @property
    def figures(self) -> dict[str, float]:
        """The pose as it stands in a record."""
        return {  # + 0.0: a small negative one is rounded to -0.0
            "dx_px": round(self.dx, 2) + 0.0,
            "dy_px": round(self.dy, 2) + 0.0,
            "angle_deg": round(self.angle_deg, 2) + 0.0,
            "score": round(self.score, 3),
        }


def rigid(angle: float, shift: Place, centre: Place) -> Matrix:
    """Return the 2×3 matrix p ↦ R(angle)·(p − centre) + centre + shift; angle in radians, clockwise (y points down)."""
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    x, y = centre
    return np.array(
        [[cos, -sin, x + shift[0] - cos * x + sin * y], [sin, cos, y + shift[1] - sin * x - cos * y]], np.float64
    )


def shrunk(matrix: Matrix, factor: int, target_origin: Place = (0.0, 0.0), source_origin: Place = (0.0, 0.0)) -> Matrix:
    """Return a 2×3 matrix between pictures for their crops from these origins, both shrunk by averaging factor².

    A pixel's number is the place of its centre, so a pixel p of the small picture lies at origin + f·p + (f − 1)/2.
    """
    middle = (factor - 1) / 2
    linear, offset = matrix[:, :2], matrix[:, 2]
    moved = linear @ (np.asarray(source_origin) + middle) + offset - np.asarray(target_origin) - middle
    return np.column_stack((linear, moved / factor))
