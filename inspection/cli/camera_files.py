"""The files that the commands for lens and part read and write: pictures, calibrations, regions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from camera.frame import Pixels
    from camera.geometry.calibration import Calibration


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures of a folder by name. Raises GeometryFileError where there are none."""
    from camera.geometry.errors import GeometryFileError
    from camera.imagefile import SUFFIXES

    files = sorted(file for file in folder.glob("*") if file.suffix.lower() in SUFFIXES) if folder.is_dir() else []
    if not files:
        raise GeometryFileError(f"{folder}: no pictures — a folder with {', '.join(sorted(SUFFIXES))} files is needed")
    return files


def picture_of(file: Path) -> Pixels:
    """Read one picture. Raises GeometryFileError."""
    from camera.geometry.errors import GeometryFileError
    from camera.imagefile import ImageFileError, read_image

    try:
        return read_image(file)
    except ImageFileError as error:
        raise GeometryFileError(f"{error} — a picture that can be read is needed — leave it out") from None


def calibration_of(lens: Path | None) -> Calibration | None:
    """Read a calibration where there is one."""
    from camera.geometry.calibration import load_calibration

    return None if lens is None else load_calibration(lens)


def straight_picture_of(file: Path, lens: Path | None) -> tuple[Calibration | None, Pixels]:
    """Return a picture as the part is looked for in it: straight where there is a calibration."""
    from camera.geometry.rectify import straight_picture

    calibration, image = calibration_of(lens), picture_of(file)
    return calibration, image if calibration is None else straight_picture(calibration, image)


def rectangle_of(text: str) -> tuple[int, int, int, int]:
    """Read x,y,width,height. Raises GeometryFileError."""
    from camera.geometry.errors import GeometryFileError

    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError:
        raise GeometryFileError(f"--region {text!r} — x,y,width,height in whole pixels is needed — mend it") from None
    return x, y, width, height


def writable(option: str, file: Path, *read: Path | None) -> Path:
    """Return a file that is to be written. Raises BadParameter: no folder for it, or one of those that are read."""
    if file.is_dir() or not file.absolute().parent.is_dir():
        raise typer.BadParameter(f"{option} {file}: a file in a folder that exists is needed")
    if file.resolve() in {one.resolve() for one in read if one is not None}:
        raise typer.BadParameter(f"{option} {file}: would overwrite what is read here; name another file")
    return file


def write_png(file: Path, image: Pixels) -> None:
    """Write an image, (H, W) or (H, W, 3) RGB."""
    import cv2

    from camera.whole_file import write_whole

    bgr = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    write_whole(file, cv2.imencode(".png", bgr)[1].tobytes())
