"""Sub-pixel refinement of a pose: normalised inverse-compositional alignment of edges on one scale."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.frame import Pixels
from camera.geometry.pose import Place, rigid, shrunk

Grey = NDArray[np.float32]
Estimate = tuple[float, float, float]
"""angle in radians, dx, dy in pixels of the whole picture."""

_ENOUGH_PX = 0.01  # a step shorter than this, in pixels of the scale, is the last


def shrink(grey: Pixels, factor: int) -> Pixels:
    """Average factor × factor pixels; the rest of a row or a column that fills no square is left out."""
    if factor == 1:
        return grey
    rows, columns = grey.shape[0] // factor, grey.shape[1] // factor
    whole = grey[: rows * factor, : columns * factor]
    return cast(Pixels, cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA))


def edges(grey: Pixels) -> Grey:
    """Return the strength of edges: light that falls differently moves reflexes, hardly outlines."""
    soft = cv2.GaussianBlur(grey, (0, 0), 1.0)
    right, down = cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)
    return cast(Grey, cv2.magnitude(right, down))


class FineScale:
    """The reference on one scale, ready to be compared. Immutable, for any thread.

    Baker and Matthews, Lucas-Kanade 20 Years On (IJCV 2004), inverse compositional, for a turn and a shift; both
    pictures are brought to mean 0 and norm 1 first, so that brightness and contrast do not count.
    """

    def __init__(self, reference: Pixels, origin: Place, centre: Place, factor: int, *, turns: bool = True) -> None:
        """Prepare the reference's region: grey (H, W), at `origin` of its picture; turned about `centre`, or held."""
        self.factor = factor
        self._origin, self._centre = origin, centre
        target = edges(shrink(reference, factor))
        rows, columns = target.shape
        self._size = (columns, rows)
        mean = float(target.mean())
        norm = max(float(np.linalg.norm(target - mean)), 1e-6)
        self._target = ((target - mean) / norm).ravel()
        slope_y, slope_x = np.gradient(target / norm)
        y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
        middle = (factor - 1) / 2
        x -= np.float32((centre[0] - origin[0] - middle) / factor)
        y -= np.float32((centre[1] - origin[1] - middle) / factor)
        descent = np.stack([(slope_y * x - slope_x * y).ravel(), slope_x.ravel(), slope_y.ravel()])
        if not turns:
            descent[0] = 0.0  # the pseudo-inverse then leaves the angle alone
        descent -= descent.mean(1, keepdims=True)
        descent -= np.outer(descent @ self._target, self._target)
        hessian = descent @ descent.T
        self._solve = (np.linalg.pinv(hessian.astype(np.float64)) @ descent).astype(np.float32)
        self._reach = max(columns, rows) / 2

    def correlation(self, window: Grey, window_origin: Place, estimate: Estimate) -> float:
        """Return the correlation, −1…1, of the reference with what lies at an estimate; arguments as of `refine`."""
        return float(self._normal(window, window_origin, *estimate) @ self._target)

    def refine(self, window: Grey, window_origin: Place, start: Estimate, steps: int) -> Estimate:
        """Return the estimate from which no step leads further, or the one after so many steps.

        window: `edges` of a part of the picture, shrunk by the same factor; window_origin: where it begins.
        """
        angle, dx, dy = start
        for _ in range(steps):
            seen = self._normal(window, window_origin, angle, dx, dy)
            turn, right, down = (self._solve @ (seen - self._target)).tolist()
            angle -= turn
            cos, sin = np.cos(angle), np.sin(angle)
            dx -= self.factor * (cos * right - sin * down)
            dy -= self.factor * (sin * right + cos * down)
            if abs(turn) * self._reach + abs(right) + abs(down) < _ENOUGH_PX:
                break
        return angle, float(dx), float(dy)

    def _normal(self, window: Grey, window_origin: Place, angle: float, dx: float, dy: float) -> Grey:
        matrix = shrunk(rigid(angle, (dx, dy), self._centre), self.factor, window_origin, self._origin)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        seen = cv2.warpAffine(window, matrix, self._size, flags=flags, borderMode=cv2.BORDER_REPLICATE).ravel()
        level = cast(Grey, seen - seen.mean())
        return level / np.float32(max(float(np.linalg.norm(level)), 1e-6))
