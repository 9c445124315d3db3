"""The reference of a part, learned from one picture: the file that a recipe names."""

from __future__ import annotations

import io
import json
import math
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2

from camera.encoded import decode_image
from camera.frame import Pixels
from camera.geometry.errors import GeometryFileError
from camera.geometry.pose import Place
from camera.image_size import BadImageError
from camera.whole_file import write_whole

Rectangle = tuple[int, int, int, int]

LEAST_SIDE_PX = 16
_LEAST_CONTRAST = 4.0  # grey levels: standard deviation below which there is nothing to hold on to
_FORMAT, _VERSION = "lineward-part", 1
_MOST_BYTES = 64_000_000
_NOT_A_STORY = (KeyError, ValueError, TypeError, OverflowError)
_NOT_OURS = (*_NOT_A_STORY, zipfile.BadZipFile, BadImageError, RuntimeError, zlib.error, EOFError)


@dataclass(frozen=True, slots=True)
class Reference:
    """How the part looks where it lies straight: the place that is looked for, and what surrounds it. Immutable.

    picture: grey (H, W), which begins at `origin` of the picture that it was learned from. region: x, y, width and
    height of what is looked for, in that picture. calibration: which lens made it straight ('' for none).
    """

    picture: Pixels
    origin: tuple[int, int]
    region: Rectangle
    picture_size: tuple[int, int]
    calibration: str = ""

    @property
    def centre(self) -> Place:
        """The middle of the region, about which the part is said to be turned."""
        x, y, width, height = self.region
        return x + (width - 1) / 2, y + (height - 1) / 2

    @property
    def patch(self) -> Pixels:
        """The pixels of the region alone."""
        x, y, width, height = self.region
        left, top = x - self.origin[0], y - self.origin[1]
        return self.picture[top : top + height, left : left + width]


def grey_of(image: Pixels) -> Pixels:
    """Return an image, (H, W) or (H, W, 3) RGB, as grey (H, W)."""
    return image if image.ndim == 2 else cast(Pixels, cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))


def learn(image: Pixels, region: Rectangle, calibration: str = "") -> Reference:
    """Return the reference that a picture shows in `region`. Raises GeometryFileError where nothing could be found by.

    What surrounds the region is kept too, as far as a turned region reaches.
    """
    x, y, width, height = region
    rows, columns = image.shape[:2]
    if min(width, height) < LEAST_SIDE_PX or x < 0 or y < 0 or x + width > columns or y + height > rows:
        raise GeometryFileError(
            f"region x={x} y={y} width={width} height={height} in a picture of {columns}×{rows} — at least "
            f"{LEAST_SIDE_PX}×{LEAST_SIDE_PX} pixels inside the picture are needed — mend --region"
        )
    more = math.ceil((math.hypot(width, height) - min(width, height)) / 2)
    left, top = max(0, x - more), max(0, y - more)
    picture = grey_of(image)[top : y + height + more, left : x + width + more].copy()
    reference = Reference(picture, (left, top), region, (columns, rows), calibration)
    contrast = float(reference.patch.std())
    if contrast < _LEAST_CONTRAST:
        raise GeometryFileError(
            f"the region's grey levels differ by {contrast:.1f} (standard deviation) — {_LEAST_CONTRAST:g} at least "
            "are needed to find it again — choose a region that holds an outline of the part"
        )
    return reference


def save(reference: Reference, file: Path) -> None:
    """Write the file: a zip of `part.json` and `reference.png`; the same reference gives the same bytes."""
    story = {
        "format": _FORMAT,
        "version": _VERSION,
        "region": reference.region,
        "origin": reference.origin,
        "picture_size": reference.picture_size,
        "calibration": reference.calibration,
    }
    encoded = cv2.imencode(".png", reference.picture)[1].tobytes()
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in (("part.json", json.dumps(story, indent=1).encode()), ("reference.png", encoded)):
            archive.writestr(zipfile.ZipInfo(name), content)
    write_whole(file, data.getvalue())


def load(file: Path) -> Reference:
    """Read the file that `save` wrote. Raises GeometryFileError."""
    try:
        with zipfile.ZipFile(file) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _MOST_BYTES:
                raise GeometryFileError(
                    f"{file}: more than {_MOST_BYTES} bytes — no reference is so large — learn it anew"
                )
            story = json.loads(archive.read("part.json"))
            picture = grey_of(decode_image(archive.read("reference.png"), min_side_px=1, max_pixels=_MOST_BYTES))
        if (story["format"], story["version"]) != (_FORMAT, _VERSION):
            raise ValueError(f"format {story['format']!r} version {story['version']!r}")
        x, y, width, height = map(int, story["region"])
        left, top = map(int, story["origin"])
        columns, rows = map(int, story["picture_size"])
        reference = Reference(picture, (left, top), (x, y, width, height), (columns, rows), str(story["calibration"]))
        if min(x - left, y - top, width - LEAST_SIDE_PX, height - LEAST_SIDE_PX, left, top) < 0:
            raise ValueError("its region lies outside its picture")
        if reference.patch.shape != (height, width):
            raise ValueError("its region lies outside its picture")
    except OSError as error:
        raise GeometryFileError(
            f"{file}: cannot be read ({error.strerror or error}) — `lineward cameras align-learn` writes it"
        ) from None
    except _NOT_OURS as error:
        raise GeometryFileError(
            f"{file}: is no reference of a part ({error}) — `lineward cameras align-learn` writes one — learn it anew"
        ) from None
    return reference
