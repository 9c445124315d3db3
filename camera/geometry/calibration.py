"""The calibration file of a camera: what was found out about its lens and the belt under it, readable by people."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from camera.geometry.errors import GeometryFileError
from camera.geometry.lens import Lens
from camera.geometry.plane import Plane
from camera.whole_file import write_whole

Row = tuple[float, float, float]
Finite = Annotated[float, Field(allow_inf_nan=False)]
_MOST_BYTES = 10_000_000


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class BeltPlane(_Part):
    """The belt: from an undistorted pixel to mm on it, and the scale in the middle of the picture."""

    homography: tuple[Row, Row, Row]
    mm_per_px: float = Field(gt=0)
    residual_mm: float = Field(ge=0)
    picture: str

    @classmethod
    def of(cls, plane: Plane, picture: str) -> Self:
        """Return a plane as the file keeps it; picture: the name of the one that it was found in."""
        rows = plane.homography.tolist()
        return cls(homography=rows, mm_per_px=plane.mm_per_px, residual_mm=plane.residual_mm, picture=picture)

    @property
    def plane(self) -> Plane:
        """The same as the geometry takes it."""
        return Plane(np.array(self.homography), self.mm_per_px, self.residual_mm)


class Calibration(_Part):
    """Everything about one camera's lens and belt. Immutable; `digest` names it in what was learned with it."""

    format: Literal["lineward-lens"] = "lineward-lens"
    version: Literal[1] = 1
    camera: str = ""
    serial: str = ""
    date: str
    board: str
    picture_width: int = Field(ge=16, le=65_536)
    picture_height: int = Field(ge=16, le=65_536)
    matrix: tuple[Row, Row, Row]
    distortion: tuple[float, float, float, float, float]
    rms_px: float = Field(ge=0)
    p95_px: float = Field(ge=0)
    spread_px: tuple[float, float, float, float]
    coverage: float = Field(ge=0, le=1)
    belt: BeltPlane | None = None
    pictures: dict[str, str]
    rms_of_pictures_px: dict[str, float]

    @model_validator(mode="after")
    def _can_be_a_camera(self) -> Self:
        fx, fy = self.matrix[0][0], self.matrix[1][1]
        if fx <= 0 or fy <= 0 or self.matrix[2] != (0.0, 0.0, 1.0):
            raise ValueError(f"a matrix with fx = {fx:g}, fy = {fy:g} and last row {self.matrix[2]} is no camera's")
        if self.belt is not None and abs(np.linalg.det(np.array(self.belt.homography))) < 1e-30:
            raise ValueError("the belt's homography cannot be inverted")
        return self

    @property
    def picture_size(self) -> tuple[int, int]:
        """Width and height of the pictures that it is for."""
        return self.picture_width, self.picture_height

    @property
    def k(self) -> NDArray[np.float64]:
        """The camera's matrix, 3×3."""
        return np.array(self.matrix, np.float64)

    @property
    def digest(self) -> str:
        """The first twelve digits of the sha256 of the calibration's content."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


def from_lens(
    lens: Lens,
    *,
    date: str,
    board: str,
    pictures: dict[str, str],
    camera: str = "",
    serial: str = "",
    belt: BeltPlane | None = None,
) -> Calibration:
    """Return the calibration of a lens. pictures: the sha256 of each by its name; date: ISO 8601."""
    matrix = lens.matrix.tolist()
    width, height = lens.picture_size
    return Calibration.model_validate(
        {
            "camera": camera, "serial": serial, "date": date, "board": board,
            "picture_width": width, "picture_height": height, "matrix": matrix,
            "distortion": lens.distortion.tolist(), "rms_px": lens.rms_px, "p95_px": lens.p95_px,
            "spread_px": lens.spread_px, "coverage": lens.coverage, "belt": belt, "pictures": pictures,
            "rms_of_pictures_px": lens.rms_of_pictures,
        }
    )  # fmt: skip


def save_calibration(calibration: Calibration, file: Path) -> None:
    """Write the file, JSON with one key a line."""
    write_whole(file, calibration.model_dump_json(indent=1) + "\n")


def load_calibration(file: Path) -> Calibration:
    """Read the file. Raises GeometryFileError."""
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise GeometryFileError(
                f"{file}: more than {_MOST_BYTES} bytes — no calibration is so large — make it anew"
            )
        return Calibration.model_validate_json(file.read_bytes())
    except OSError as error:
        raise GeometryFileError(
            f"{file}: cannot be read ({error.strerror or error}) — `lineward cameras calibrate` writes it"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "file"
        raise GeometryFileError(
            f"{file}: is no calibration ({where}: {first['msg']}) — make it anew with `lineward cameras calibrate`"
        ) from None
