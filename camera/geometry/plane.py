"""The plane of the belt: from one picture of the board lying on it to millimetres."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.geometry.board import Corners, Points
from camera.geometry.errors import CalibrationError
from camera.geometry.lens import Lens


@dataclass(frozen=True, slots=True)
class Plane:
    """The belt under a camera. homography: from an undistorted pixel to mm on the belt, 3×3, free of the lens.

    mm_per_px: in the middle of the picture. residual_mm: rms of the board's corners. Origin and axes are the board's.
    """

    homography: NDArray[np.float64]
    mm_per_px: float
    residual_mm: float


def belt_plane(corners: Corners, lens: Lens, *, most_rms_px: float = 0.5) -> Plane:
    """Return the plane on which the board lay. Raises CalibrationError where the corners lie in no plane."""
    straight = np.asarray(
        cv2.undistortPoints(corners.pixels.reshape(-1, 1, 2), lens.matrix, lens.distortion, P=lens.matrix), np.float64
    ).reshape(-1, 2)
    found, _ = cv2.findHomography(straight, corners.board_mm, 0)
    if found is None or not np.isfinite(found).all():
        raise CalibrationError(
            "the board on the belt gives no plane — its corners lie on a line — take another picture"
        )
    homography = np.asarray(found, np.float64)
    width, height = lens.picture_size
    jacobian = _jacobian(homography, ((width - 1) / 2, (height - 1) / 2))
    mm_per_px = float(np.sqrt(abs(np.linalg.det(jacobian))))
    off_mm = apply(homography, straight) - corners.board_mm
    residual_mm = float(np.sqrt((off_mm**2).sum(1).mean()))
    if residual_mm > most_rms_px * mm_per_px:
        raise CalibrationError(
            f"the board on the belt is {residual_mm:.2f} mm (rms) from a plane — {most_rms_px * mm_per_px:.2f} mm is "
            "allowed — lay it flat, and take the picture again"
        )
    return Plane(homography, mm_per_px, residual_mm)


def apply(homography: NDArray[np.float64], points: Points) -> Points:
    """Return where points, (n, 2), come to lie."""
    lifted = np.column_stack((points, np.ones(len(points)))) @ homography.T
    return np.asarray(lifted[:, :2] / lifted[:, 2:], np.float64)


def to_belt_view(plane: Plane, picture_size: tuple[int, int]) -> NDArray[np.float64]:
    """Return the homography from the straight view of the belt to an undistorted pixel, 3×3.

    The straight view has the same mm in every pixel, `mm_per_px`; in the middle of the picture it lies and is turned
    as the camera's own.
    """
    width, height = picture_size
    middle = ((width - 1) / 2, (height - 1) / 2)
    left, _, right = np.linalg.svd(_jacobian(plane.homography, middle))
    linear = plane.mm_per_px * (left @ right)  # the nearest turn: polar decomposition
    at = apply(plane.homography, np.array([middle]))[0]
    view_to_mm = np.eye(3)
    view_to_mm[:2, :2], view_to_mm[:2, 2] = linear, at - linear @ middle
    return np.asarray(np.linalg.inv(plane.homography) @ view_to_mm, np.float64)


def _jacobian(homography: NDArray[np.float64], at: tuple[float, float]) -> NDArray[np.float64]:
    """Return the derivative of a homography at a place, 2×2."""
    u, v, w = homography @ (*at, 1.0)
    return np.asarray((homography[:2, :2] - np.outer((u / w, v / w), homography[2, :2])) / w, np.float64)
