"""From pictures of a board to a lens: its matrix and distortion, how well they are known, and when they are refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.geometry.board import Corners, Points
from camera.geometry.errors import CalibrationError

LEAST_PICTURES = 8
LEAST_COVERAGE = 0.5
CELLS = (8, 6)
"""What the picture is divided into, to see where corners lay."""
_LEAST_TILT_DEG, _LEAST_TILTED = 10.0, 3  # so many pictures show the board tilted by so much
_MOST_FOCAL_SPREAD = 0.01  # one standard deviation of the focal length, as a share of it


@dataclass(frozen=True, slots=True)
class Lens:
    """A camera's matrix and distortion (k1, k2, p1, p2, k3 as OpenCV names them), and how well they are known.

    rms_px: of the distance between each corner and where the lens puts it. p95_px: 95 of 100 corners are nearer.
    spread: one standard deviation of fx, fy, cx, cy in pixels. residuals: (n, 2) by picture.
    tilts_deg: of the board in each picture, 0 where it faced the camera.
    """

    matrix: NDArray[np.float64]
    distortion: NDArray[np.float64]
    picture_size: tuple[int, int]
    rms_px: float
    p95_px: float
    spread_px: tuple[float, float, float, float]
    coverage: float
    residuals: Mapping[str, Points]
    tilts_deg: tuple[float, ...]

    @property
    def rms_of_pictures(self) -> dict[str, float]:
        """The rms of each picture, in pixels."""
        return {name: _rms(residual) for name, residual in self.residuals.items()}


def coverage_of(found: Mapping[str, Corners], picture_size: tuple[int, int]) -> float:
    """Return the share of the picture, in cells of an 8×6 grid, in which a corner was seen."""
    seen = np.zeros(CELLS, bool)
    for corners in found.values():
        column, row = np.floor(corners.pixels / picture_size * CELLS).astype(int).T
        seen[np.clip(column, 0, CELLS[0] - 1), np.clip(row, 0, CELLS[1] - 1)] = True
    return float(seen.mean())


def calibrate(found: Mapping[str, Corners], picture_size: tuple[int, int], *, most_rms_px: float = 0.5) -> Lens:
    """Return the lens that explains the corners best (Zhang 2000, as OpenCV has it), by picture's name.

    Raises CalibrationError for too few pictures, too little of the picture covered, boards that were all held alike
    (the focal length stays open), or corners that no lens explains.
    """
    if len(found) < LEAST_PICTURES:
        raise CalibrationError(
            f"the board was found in {len(found)} pictures — {LEAST_PICTURES} at least are needed — take more, sharp "
            "and evenly lit, with the whole board in the picture (a ChArUco board may be seen in part)"
        )
    coverage = coverage_of(found, picture_size)
    if coverage < LEAST_COVERAGE:
        raise CalibrationError(
            f"corners lie in {coverage:.0%} of the picture — {LEAST_COVERAGE:.0%} at least are needed — take pictures "
            "with the board in each corner and at each edge"
        )
    lens = _fit(found, picture_size, coverage)
    tilted = sum(tilt >= _LEAST_TILT_DEG for tilt in lens.tilts_deg)
    if tilted < _LEAST_TILTED:
        raise CalibrationError(
            f"the board is tilted by {_LEAST_TILT_DEG:.0f}° or more in {tilted} pictures — {_LEAST_TILTED} at least "
            "are needed, the focal length is not told by others — tilt it by 20 to 40° in several directions"
        )
    focal_spread = max(lens.spread_px[0] / lens.matrix[0, 0], lens.spread_px[1] / lens.matrix[1, 1])
    if not focal_spread <= _MOST_FOCAL_SPREAD:
        raise CalibrationError(
            f"the focal length is known to {focal_spread:.1%} only — {_MOST_FOCAL_SPREAD:.0%} is needed — take "
            "more pictures with the board tilted by 20 to 40°, in several directions"
        )
    if not lens.rms_px <= most_rms_px:
        worst = sorted(lens.rms_of_pictures.items(), key=lambda one: -one[1])[:3]
        told = ", ".join(f"{name} ({rms:.2f} px)" for name, rms in worst)
        raise CalibrationError(
            f"corners lie {lens.rms_px:.2f} px (rms) from where any lens puts them — at most {most_rms_px:g} px — look "
            f"at {told}: blurred, or is the board bent? Leave them out, or take them again"
        )
    return lens


def _fit(found: Mapping[str, Corners], picture_size: tuple[int, int], coverage: float) -> Lens:
    boards = [np.column_stack((one.board_mm, np.zeros(len(one.board_mm)))).astype(np.float32) for one in found.values()]
    pixels = [one.pixels.astype(np.float32) for one in found.values()]
    try:
        _, matrix, distortion, turns, shifts, spread, *_ = cv2.calibrateCameraExtended(
            boards, pixels, picture_size, np.eye(3), np.zeros(5), flags=cv2.CALIB_FIX_K3
        )
    except cv2.error as error:
        raise CalibrationError(
            f"no lens explains the corners ({error.err}) — is --board the number of inner corners of this board? — "
            "mend it, or take other pictures"
        ) from None
    residuals = {}
    for (name, one), board, turn, shift in zip(found.items(), boards, turns, shifts, strict=True):
        put = cv2.projectPoints(board.astype(np.float64), turn, shift, matrix, distortion)[0].reshape(-1, 2)
        residuals[name] = one.pixels - put
    every = np.concatenate(list(residuals.values()))
    fx, fy, cx, cy = (float(value) for value in np.asarray(spread).ravel()[:4])
    return Lens(
        matrix=np.asarray(matrix, np.float64),
        distortion=np.asarray(distortion, np.float64).ravel()[:5],
        picture_size=picture_size,
        rms_px=_rms(every),
        p95_px=float(np.percentile(np.hypot(*every.T), 95)),
        spread_px=(fx, fy, cx, cy),
        coverage=coverage,
        residuals=residuals,
        tilts_deg=tuple(_tilt_deg(np.asarray(turn, np.float64)) for turn in turns),
    )


def _tilt_deg(turn: NDArray[np.float64]) -> float:
    """Return the angle between the board's normal and the optical axis from a Rodrigues vector."""
    return float(np.degrees(np.arccos(np.clip(abs(cv2.Rodrigues(turn)[0][2, 2]), 0.0, 1.0))))


def _rms(residuals: Points) -> float:
    return float(np.sqrt((residuals**2).sum(1).mean()))
