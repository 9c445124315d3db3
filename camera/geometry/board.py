"""The board that a lens is calibrated with: drawing it, and finding its corners in a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from camera.frame import Pixels
from camera.geometry.errors import BoardError
from camera.geometry.reference import grey_of

Points = NDArray[np.float64]

_LEAST_CHARUCO_CORNERS = 8
_MARKER_SHARE = 0.7  # of a square's side, where nothing else is said


@dataclass(frozen=True, slots=True)
class Corners:
    """Corners that were found in one picture: in pixels, (n, 2), and in mm from the board's outer corner, (n, 2)."""

    pixels: Points
    board_mm: Points


@dataclass(frozen=True, slots=True)
class Board:
    """A chessboard of so many inner corners, or a ChArUco board of so many squares. Immutable.

    chess: columns × rows inner corners (a board of 10×7 squares has 9×6). charuco: columns × rows squares, a marker of
    the dictionary in each white one; it may be seen in part.
    """

    columns: int
    rows: int
    square_mm: float
    kind: Literal["chess", "charuco"] = "chess"
    marker_mm: float | None = None
    dictionary: str = "4X4_250"

    def __post_init__(self) -> None:
        if not (3 <= self.columns <= 100 and 3 <= self.rows <= 100 and 0 < self.square_mm <= 1000):
            raise BoardError(
                f"board {self.columns}x{self.rows} with squares of {self.square_mm:g} mm — 3x3 to 100x100, above 0 and "
                "at most 1000 mm are allowed — mend --board or --square-mm"
            )
        if self.kind == "chess" and self.columns == self.rows:
            raise BoardError(
                f"board {self.columns}x{self.rows} looks the same when it is turned — a chessboard needs two different "
                "numbers of inner corners — take another one, or a ChArUco board"
            )

    @property
    def squares(self) -> tuple[int, int]:
        """How many squares there are along each side."""
        return (self.columns + 1, self.rows + 1) if self.kind == "chess" else (self.columns, self.rows)

    def draw(self, square_px: int, margin_px: int) -> Pixels:
        """Return the board as it is printed, grey: white margin, black squares."""
        across, down = self.squares
        if self.kind == "charuco":
            size = (across * square_px + 2 * margin_px, down * square_px + 2 * margin_px)
            return cast(Pixels, self._charuco().generateImage(size, marginSize=margin_px, borderBits=1))
        row, column = np.mgrid[0:down, 0:across]
        squares = np.where((row + column) % 2 == 0, 0, 255).astype(np.uint8)
        large = np.kron(squares, np.ones((square_px, square_px), np.uint8))
        return np.pad(large, margin_px, constant_values=255)

    def find(self, image: Pixels) -> Corners | None:
        """Return the corners in a picture, (H, W) or (H, W, 3); None where the board is not seen."""
        grey = grey_of(image)
        return self._find_chess(grey) if self.kind == "chess" else self._find_charuco(grey)

    def _find_chess(self, grey: Pixels) -> Corners | None:
        """Find all inner corners to a few hundredths of a pixel (Duda and Frese 2018, as OpenCV has it)."""
        flags = cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_EXHAUSTIVE | cv2.CALIB_CB_ACCURACY
        found, corners = cv2.findChessboardCornersSB(grey, (self.columns, self.rows), flags=flags)
        if not found:
            return None
        return Corners(np.asarray(corners, np.float64).reshape(-1, 2), self._grid())

    def _find_charuco(self, grey: Pixels) -> Corners | None:
        corners, ids, _, _ = cv2.aruco.CharucoDetector(self._charuco()).detectBoard(grey)
        if ids is None or len(ids) < _LEAST_CHARUCO_CORNERS:
            return None
        places = self._grid()[np.asarray(ids).ravel()]
        if np.linalg.matrix_rank(places - places.mean(0), tol=1e-3) < 2:
            return None  # all on one line: no plane can be told from them
        return Corners(np.asarray(corners, np.float64).reshape(-1, 2), places)

    def _grid(self) -> Points:
        """Return the inner corners in mm from the outer corner of the first square, row by row."""
        across, down = self.squares
        row, column = np.mgrid[1:down, 1:across]
        return np.stack([column.ravel(), row.ravel()], 1) * float(self.square_mm)

    def _charuco(self) -> cv2.aruco.CharucoBoard:
        code = getattr(cv2.aruco, f"DICT_{self.dictionary.upper()}", None)
        if code is None:
            raise BoardError(
                f"dictionary {self.dictionary!r} is not known — 4X4_50 to 7X7_1000 or APRILTAG_36h11 are — mend "
                "--dictionary"
            )
        marker_mm = self.marker_mm or _MARKER_SHARE * self.square_mm
        if not 0 < marker_mm < self.square_mm:
            raise BoardError(
                f"markers of {marker_mm:g} mm in squares of {self.square_mm:g} mm — they must be smaller "
                "— mend --marker-mm"
            )
        dictionary = cv2.aruco.getPredefinedDictionary(code)
        markers, known = self.columns * self.rows // 2, len(dictionary.bytesList)
        if markers > known:
            raise BoardError(
                f"board {self.columns}x{self.rows} has {markers} markers — {self.dictionary} has {known} — take fewer "
                "squares with --board, or a larger --dictionary, as 4X4_1000"
            )
        return cv2.aruco.CharucoBoard((self.columns, self.rows), self.square_mm, marker_mm, dictionary)
