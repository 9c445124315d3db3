"""What the file may say about lens and pose: the calibration of a camera, and the part that is looked for."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from camera.geometry.calibration import load_calibration
from camera.geometry.errors import GeometryFileError
from camera.geometry.locate import Limits, Locator
from camera.geometry.reference import load
from camera.geometry.straighten import Straightener
from inspection.config.section import Section

if TYPE_CHECKING:
    from inspection.config.cameras import CameraSection
    from inspection.config.sections import StationConfig
    from inspection.pipeline.prepare import Region


class AlignSection(Section):
    """align = {…} of a camera: the part is looked for, and judged in its own coordinates; not found, it is rejected."""

    reference: str = Field(min_length=1, description="the file that `lineward cameras align-learn` wrote")
    max_shift_px: float = Field(40.0, ge=0, le=4000, description="how far the part may be shifted")
    max_angle_deg: float = Field(10.0, ge=0, le=180, description="how far it may be turned, either way")
    min_score: float = Field(0.6, ge=0.2, lt=1, description="correlation from which on it is the part")

    def limits(self) -> Limits:
        """Return it as the search takes it."""
        return Limits(self.max_shift_px, self.max_angle_deg, self.min_score)


def straighteners(config: StationConfig, regions: list[Region | None]) -> list[Straightener | None]:
    """Return what makes the pictures of each view straight; None for a view that is taken as it is.

    regions: one a view. Raises GeometryFileError where a file cannot be used, with the camera's name.
    """
    views: list[Straightener | None] = []
    for camera in config.cameras:
        views += [_straightener(camera, region) for region in regions[len(views) : len(views) + camera.frames]]
    return views


def _straightener(camera: CameraSection, region: Region | None) -> Straightener | None:
    if camera.lens is None and camera.align is None:
        return None
    try:
        calibration = None if camera.lens is None else load_calibration(Path(camera.lens).expanduser())
        locator = None
        if camera.align is not None:
            locator = Locator(load(Path(camera.align.reference).expanduser()), camera.align.limits())
        return Straightener(None if region is None else region.rectangle, calibration, locator)
    except GeometryFileError as error:
        raise GeometryFileError(f"camera '{camera.name}': {error}") from None


def other_size(camera: CameraSection, size: tuple[int, int] | None) -> list[str]:
    """Return a sentence where the camera's pictures have another size than those that its files were made from.

    size: width and height of its pictures, None where nobody knows. Raises GeometryFileError.
    """
    made_from = {}
    if camera.lens is not None:
        made_from[camera.lens] = load_calibration(Path(camera.lens).expanduser()).picture_size
    if camera.align is not None:
        made_from[camera.align.reference] = load(Path(camera.align.reference).expanduser()).picture_size
    return [
        f"camera '{camera.name}': its pictures are {size[0]}×{size[1]}, {file} was made from {made[0]}×{made[1]} — "
        "they must be the same — make it anew, or set the camera's size"
        for file, made in made_from.items()
        if size is not None and made != size
    ]


def named_files(config: StationConfig) -> dict[str, str]:
    """Return the sha256 of each file of geometry that the configuration names, '' for one that cannot be read."""
    names = [camera.lens for camera in config.cameras if camera.lens is not None]
    names += [camera.align.reference for camera in config.cameras if camera.align is not None]
    return {name: _sha256(Path(name).expanduser()) for name in names}


def _sha256(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""
