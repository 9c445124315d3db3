"""CVAT for images 1.1: one xml with boxes, polygons, ellipses, masks and tags of each image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.etree.ElementTree import Element

from datasets.layout import SPLIT_OF_FOLDER
from datasets.readers.documents import number, read_xml, root_tag
from datasets.readers.folder import Folder
from datasets.readers.record import (
    MISSING_IMAGE,
    UNKNOWN_CATEGORY,
    UNREADABLE,
    Found,
    MalformedError,
    Problem,
    Record,
)
from datasets.readers.shapes import Outline, box, ellipse, mask_of_runs, pairs, turned
from datasets.readers.tracing import outlines_of
from datasets.readers.unlisted import unlisted
from datasets.sample import Mark

_WITHOUT_AREA = frozenset({"polyline", "points", "cuboid", "skeleton"})


def recognise(folder: Folder) -> str:
    """Return the xml files with CVAT's first element; '' where there are none."""
    return ", ".join(file.name for file in _files(folder)[:3])


def read(folder: Folder) -> Found:
    """Return every image that the xml files list; one without shape and tag is good."""
    records: list[Record] = []
    problems: list[Problem] = []
    for file in _files(folder):
        try:
            root = read_xml(file)
            if root.find("track") is not None:
                raise MalformedError("is of a video; export the task as 'CVAT for images 1.1'")
            known = {(label.findtext("name") or "").strip() for label in root.iterfind("meta//labels/label")}
            for image in root.iterfind("image"):
                _read_image(folder, file, image, known, records, problems)
        except MalformedError as error:
            problems.append(Problem(UNREADABLE, f"{file}: {error}"))
    return Found("cvat", tuple(records), (*problems, *unlisted(folder, records, problems)))


def _files(folder: Folder) -> list[Path]:
    return [file for file in folder.with_suffix(".xml") if root_tag(file) == "annotations"]


def _read_image(
    folder: Folder, file: Path, image: Element, known: set[str], records: list[Record], problems: list[Problem]
) -> None:
    name = image.get("name", "")
    path = folder.find(name, file)
    if path is None:
        problems.append(Problem(MISSING_IMAGE, f"{file.name}: {name}"))
        return
    types, marks = [], []
    for shape in image:
        label = shape.get("label", "")
        if known and label not in known:
            problems.append(Problem(UNKNOWN_CATEGORY, f"{file.name}: {name}: '{label}'"))
            continue
        try:
            if shape.tag == "tag":
                types.append(label)
            else:
                marks += [Mark(label, outline) for outline in _outlines(shape.tag, shape.attrib)]
        except MalformedError as error:
            problems.append(Problem(UNREADABLE, f"{file.name}: {name}: {error}"))
    size = int(_side(image.attrib, "width")), int(_side(image.attrib, "height"))
    split = SPLIT_OF_FOLDER.get(image.get("subset", "").lower()) or folder.split_of(path)
    records.append(Record(path, tuple(types), tuple(marks), stated_size=size, split=split))


def _side(shape: Mapping[str, str], key: str) -> float:
    return number(shape.get(key), key)


def _outlines(kind: str, shape: Mapping[str, str]) -> list[Outline]:
    if kind == "box":
        corners = box(*(_side(shape, key) for key in ("xtl", "ytl", "xbr", "ybr")))
        return [turned(corners, number(shape.get("rotation", "0"), "rotation"))]
    if kind == "polygon":
        return [pairs([number(value, "points") for value in shape.get("points", "").replace(";", ",").split(",")])]
    if kind == "ellipse":
        round_one = ellipse(*(_side(shape, key) for key in ("cx", "cy", "rx", "ry")))
        return [turned(round_one, number(shape.get("rotation", "0"), "rotation"))]
    if kind == "mask":
        runs = [int(number(value, "rle")) for value in shape.get("rle", "").split(",")]
        mask = mask_of_runs(runs, int(_side(shape, "height")), int(_side(shape, "width")), by_column=False)
        return outlines_of(mask, _side(shape, "left"), _side(shape, "top"))
    what = "has no area" if kind in _WITHOUT_AREA else "is unknown"
    raise MalformedError(f"a shape '{kind}' {what}; draw boxes, polygons, ellipses or masks")
