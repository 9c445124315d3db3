"""labelme: a json beside each image, with polygons, rectangles, circles and masks."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from datasets.headers import HeaderError, read_header
from datasets.readers.documents import head_of, number, numbers, objects, read_json
from datasets.readers.folder import Folder
from datasets.readers.record import MISSING_IMAGE, UNREADABLE, Found, MalformedError, Problem, Record
from datasets.readers.shapes import MAX_MASK_PIXELS, Outline, box, ellipse, pairs
from datasets.readers.tracing import outlines_of
from datasets.readers.unlisted import unlisted
from datasets.sample import Mark

_KEY = re.compile(r'"(shapes|imagePath)"\s*:')


def recognise(folder: Folder) -> str:
    """Return the number of json files where one of them is labelme's; '' else."""
    files = _files(folder)
    return f"{len(files)} json files like {folder.relative(files[0])}" if files else ""


def read(folder: Folder) -> Found:
    """Return every image that has a json; its flags that are set count as types too, no shape means a good image."""
    records: list[Record] = []
    problems: list[Problem] = []
    for file in _files(folder):
        try:
            record = _record(folder, file)
        except MalformedError as error:
            problems.append(Problem(UNREADABLE, f"{folder.relative(file)}: {error}"))
            continue
        if record is None:
            problems.append(Problem(MISSING_IMAGE, f"{folder.relative(file)} has no image beside it"))
        else:
            records.append(record)
    return Found("labelme", tuple(records), (*problems, *unlisted(folder, records, problems)))


def _files(folder: Folder) -> list[Path]:
    return [file for file in folder.with_suffix(".json") if _KEY.search(head_of(file))]


def _record(folder: Folder, file: Path) -> Record | None:
    content = read_json(file)
    if not isinstance(content, dict):
        raise MalformedError("is a list; an object with shapes is needed")
    path = folder.find(str(content.get("imagePath") or ""), file) or folder.find_stem(file.stem, file)
    if path is None:
        return None
    marks = [mark for shape in objects(content.get("shapes"), "shapes") for mark in _marks(shape)]
    flags = content.get("flags")
    types = tuple(str(name) for name, is_set in flags.items() if is_set is True) if isinstance(flags, dict) else ()
    sides = [content.get(key) for key in ("imageWidth", "imageHeight")]
    size = (int(number(sides[0], "imageWidth")), int(number(sides[1], "imageHeight"))) if all(sides) else None
    return Record(path, types, tuple(marks), stated_size=size, split=folder.split_of(path))


def _marks(shape: dict[str, Any]) -> list[Mark]:
    label = str(shape.get("label") or "").strip()
    if not label:
        raise MalformedError("a shape has no label")
    points = shape.get("points")
    if not isinstance(points, list):
        raise MalformedError(f"the points of '{label}' are no list")
    flat = [value for point in points for value in numbers(point, f"a point of '{label}'")]
    return [Mark(label, outline) for outline in _outlines(str(shape.get("shape_type") or "polygon"), flat, shape)]


def _outlines(kind: str, flat: list[float], shape: dict[str, Any]) -> list[Outline]:
    if kind == "polygon":
        return [pairs(flat)]
    if len(flat) != 4 and kind in ("rectangle", "circle", "mask"):
        raise MalformedError(f"a {kind} of {len(flat) // 2} points; two are needed")
    if kind == "rectangle":
        return [box(*flat)]
    if kind == "circle":
        radius = float(np.hypot(flat[2] - flat[0], flat[3] - flat[1]))
        return [ellipse(flat[0], flat[1], radius, radius)]
    if kind == "mask":
        return outlines_of(_picture(shape.get("mask")), flat[0], flat[1])
    raise MalformedError(f"a shape of the kind '{kind}' has no area; draw polygons, rectangles, circles or masks")


def _picture(text: object) -> Any:
    """Return the mask (h, w) out of the base64 text of a PNG."""
    try:
        data = base64.b64decode(text if isinstance(text, str) else "", validate=True)
        header = read_header(data)
        if header.width * header.height > MAX_MASK_PIXELS:
            raise MalformedError(f"a mask of {header.width}×{header.height} pixels is too large")
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    except (binascii.Error, HeaderError, cv2.error) as error:
        raise MalformedError("a mask is no base64 text of a PNG") from error
    if pixels is None:
        raise MalformedError("a mask is no base64 text of a PNG")
    return pixels > 0
