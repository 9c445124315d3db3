"""What a camera with a known lens sees of a board that is held in a known way: each pixel is traced to the board."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.frame import Pixels
from camera.geometry.board import Board, Points

SIZE = (640, 480)
MATRIX = np.array([[820.0, 0.0, 322.0], [0.0, 815.0, 236.0], [0.0, 0.0, 1.0]])
DISTORTION = np.array([-0.25, 0.12, 0.001, -0.0008, 0.0])
BOARD = Board(10, 7, 10.0, "charuco")

_FINE = 2  # rays along each side of a pixel
_SQUARE_PX = 40


@dataclass(frozen=True)
class Held:
    """How the board is held: Rodrigues vector, and its outer corner in mm from the camera."""

    turn: tuple[float, float, float]
    place_mm: tuple[float, float, float]

    @property
    def to_view(self) -> NDArray[np.float64]:
        """The homography from mm on the board to the camera's ideal plane at distance 1."""
        rotation = cv2.Rodrigues(np.array(self.turn))[0]
        return np.column_stack((rotation[:, 0], rotation[:, 1], np.array(self.place_mm)))


LYING = Held((0.13, -0.09, 0.06), (-50.0, -35.0, 165.0))
"""The board on a belt that the camera looks at a little askew."""


def held_in_many_ways(count: int, seed: int = 1, tilt: float = 0.5) -> list[Held]:
    """Return ways that cover the picture, the board tilted by up to `tilt` radians about both axes."""
    rng = np.random.default_rng(seed)
    return [
        Held(
            (float(rng.uniform(-tilt, tilt)), float(rng.uniform(-tilt, tilt)), float(rng.uniform(-0.3, 0.3))),
            (float(rng.uniform(-85, -15)), float(rng.uniform(-60, -10)), float(rng.uniform(130, 190))),
        )
        for _ in range(count)
    ]


@lru_cache(maxsize=1)
def _rays() -> NDArray[np.float64]:
    """Return where on the ideal plane each ray of the camera goes: distortion is undone to 1e-10."""
    width, height = SIZE
    u, v = np.meshgrid((np.arange(width * _FINE) + 0.5) / _FINE - 0.5, (np.arange(height * _FINE) + 0.5) / _FINE - 0.5)
    pixels = np.stack([u.ravel(), v.ravel()], 1)[:, None]
    exact = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 60, 1e-10)
    ideal = cv2.undistortPoints(pixels, MATRIX, DISTORTION, criteria=exact)[:, 0]
    return np.column_stack((ideal, np.ones(len(ideal))))


def shoot(held: Held, seed: int = 0, board: Board = BOARD, noise: float = 1.5) -> Pixels:
    """Return the picture, grey uint8 (480, 640): board on grey ground, soft as through a lens, with noise."""
    across = _rays() @ np.linalg.inv(held.to_view).T
    on_board = across[:, :2] / across[:, 2:] / board.square_mm * _SQUARE_PX + _SQUARE_PX - 0.5
    places = on_board.reshape(SIZE[1] * _FINE, SIZE[0] * _FINE, 2).astype(np.float32)
    drawn = board.draw(_SQUARE_PX, _SQUARE_PX)
    large = cv2.remap(drawn, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=150)
    seen = cv2.GaussianBlur(cv2.resize(large, SIZE, interpolation=cv2.INTER_AREA), (0, 0), 0.7)
    grain = np.random.default_rng(seed).normal(0, noise, seen.shape)
    return np.clip(seen * 0.8 + 20 + grain, 0, 255).astype(np.uint8)


def true_corners(held: Held, board_mm: Points) -> Points:
    """Return where the lens puts corners of the board, (n, 2) in pixels."""
    flat = np.column_stack((board_mm, np.zeros(len(board_mm))))
    put = cv2.projectPoints(flat, np.array(held.turn), np.array(held.place_mm), MATRIX, DISTORTION)[0]
    return np.asarray(put, np.float64).reshape(-1, 2)
