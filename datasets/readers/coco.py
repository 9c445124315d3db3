"""COCO's json: images, categories, and annotations as boxes, polygons or run lengths."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from datasets.layout import SPLIT_OF_FOLDER
from datasets.readers.documents import head_of, number, numbers, objects, read_json
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
from datasets.readers.shapes import Outline, box, counts_of_text, mask_of_runs, pairs
from datasets.readers.tracing import outlines_of
from datasets.readers.unlisted import unlisted
from datasets.sample import Mark

_FIRST_KEY = re.compile(r'\s*\{\s*"(info|licenses|images|annotations|categories|type)"\s*:')


def recognise(folder: Folder) -> str:
    """Return the json files that begin as COCO does; '' where there are none."""
    return ", ".join(file.name for file in _files(folder)[:3])


def read(folder: Folder) -> Found:
    """Return every image that the json files list; one without annotations has nothing marked and is good."""
    files = _files(folder)
    records: list[Record] = []
    problems: list[Problem] = []
    for file in files:
        try:
            _read_file(folder, file, records, problems)
        except MalformedError as error:
            problems.append(Problem(UNREADABLE, f"{file}: {error}"))
    return Found("coco", tuple(records), (*problems, *unlisted(folder, records, problems)))


def _files(folder: Folder) -> list[Path]:
    return [file for file in folder.with_suffix(".json") if _FIRST_KEY.match(head_of(file))]


def _read_file(folder: Folder, file: Path, records: list[Record], problems: list[Problem]) -> None:
    content = read_json(file)
    if not isinstance(content, dict):
        raise MalformedError("is a list; an object with images, annotations and categories is needed")
    names = {_key(item, "id"): str(item.get("name")) for item in objects(content.get("categories"), "categories")}
    images = {_key(item, "id"): item for item in objects(content.get("images"), "images")}
    marks: defaultdict[int | str, list[Mark]] = defaultdict(list)
    for item in objects(content.get("annotations", []), "annotations"):
        where = f"{file.name}: annotation {item.get('id')}"
        try:
            image, category = _key(item, "image_id"), _key(item, "category_id")
            if category not in names:
                problems.append(Problem(UNKNOWN_CATEGORY, f"{where} is of category {category}"))
            elif image not in images:
                problems.append(Problem(MISSING_IMAGE, f"{where} is about image {image}, which is not listed"))
            else:
                marks[image] += [Mark(names[category], outline) for outline in _outlines(item)]
        except MalformedError as error:
            problems.append(Problem(UNREADABLE, f"{where}: {error}"))
    split = split_of_name(file)
    for key, item in images.items():
        name = str(item.get("file_name", ""))
        path = folder.find(name, file)
        if path is None:
            problems.append(Problem(MISSING_IMAGE, f"{file.name}: {name}"))
            continue
        sides = [item.get("width"), item.get("height")]
        size = None if None in sides else (int(number(sides[0], "width")), int(number(sides[1], "height")))
        taken = str(item.get("date_captured") or "")
        split_here = split or folder.split_of(path)
        records.append(Record(path, marks=tuple(marks[key]), stated_size=size, split=split_here, taken=taken))


def _key(item: dict[str, Any], name: str) -> int | str:
    value = item.get(name)
    if not isinstance(value, (int, str)):
        raise MalformedError(f"'{name}' is {value!r}; a number is needed")
    return value


def split_of_name(file: Path) -> str | None:
    """Return the split that an annotation file's name says, or its folder's (`instances_val2017.json`)."""
    words = re.findall(r"[a-z]+", f"{file.parent.name} {file.stem}".lower())
    return next((SPLIT_OF_FOLDER[word] for word in reversed(words) if word in SPLIT_OF_FOLDER), None)


def _outlines(item: dict[str, Any]) -> list[Outline]:
    """Return the outlines of an annotation: its polygons, else its run lengths, else its box."""
    shape = item.get("segmentation")
    if isinstance(shape, dict):
        height, width = (int(value) for value in numbers(shape.get("size"), "size"))
        counts = shape.get("counts")
        runs = counts_of_text(counts) if isinstance(counts, str) else [int(n) for n in numbers(counts, "counts")]
        return outlines_of(mask_of_runs(runs, height, width, by_column=True))
    if isinstance(shape, list) and shape:
        return [pairs(numbers(polygon, "segmentation")) for polygon in shape]
    corner = numbers(item.get("bbox"), "bbox")
    if len(corner) != 4 or min(corner[2:]) <= 0:
        raise MalformedError(f"bbox {corner}; x, y, width and height above 0 are needed")
    return [box(corner[0], corner[1], corner[0] + corner[2], corner[1] + corner[3])]
