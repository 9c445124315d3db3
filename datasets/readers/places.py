"""Several places of each image, each judged by itself: boxes in places.csv or places.toml, labels for each place."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from datasets.errors import DatasetError
from datasets.readers.documents import header_of, read_csv, read_toml
from datasets.readers.folder import Folder
from datasets.readers.labels_csv import LABELS_FILE, find_listed, types_of
from datasets.readers.record import (
    MISSING_ANNOTATION,
    MISSING_IMAGE,
    UNKNOWN_CATEGORY,
    Found,
    MalformedError,
    Problem,
    Record,
)
from datasets.sample import Place

PLACE_FILES = ("places.toml", "places.csv")
_COLUMNS = ("name", "x", "y", "width", "height")


class _Box(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=100)
    x: int = Field(ge=0)
    y: int = Field(ge=0)
    width: int = Field(ge=1)
    height: int = Field(ge=1)


class PlaceFile(BaseModel):
    """What places.toml holds: a plain value; places.csv has the places alone.

    one, zero: the labels that the last digits of a file name mean, where there is no labels.csv; '' is the good class.
    pass_over: patterns of paths under the root whose images have no labels and are left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    place: tuple[_Box, ...] = Field(min_length=1, max_length=1000)
    one: str = "good"
    zero: str = "bad"
    pass_over: tuple[str, ...] = ()


def recognise(folder: Folder) -> str:
    """Return the name of the file of places; '' where there is none."""
    file = place_file(folder)
    return file.name if file is not None else ""


def place_file(folder: Folder) -> Path | None:
    """Return places.toml or places.csv in the root, or the one of any name that the caller named."""
    for file in folder.with_suffix(".toml", ".csv"):
        if file.parent == folder.root and file.name in PLACE_FILES:
            return file
        if file == folder.named and (file.suffix.lower() == ".toml" or set(_COLUMNS) <= header_of(file)):
            return file
    return None


def read(folder: Folder) -> Found:
    """Return a record for each image and place, all places of an image in the group of that image.

    The labels stand in labels.csv beside the file of places (file,place,label; an empty label is a good place), or at
    the end of each file name: as many digits 0 and 1 as there are places, in their order (`12_0110.jpg`).
    """
    file = place_file(folder)
    assert file is not None
    description = _description(file)
    places = [Place(**box.model_dump()) for box in description.place]
    if len({place.name for place in places}) < len(places):
        raise DatasetError(f"{file}: two places have one name ({', '.join(p.name for p in places)}); name them apart")
    images = [
        path
        for path in folder.photographs()
        if not any(fnmatch(folder.relative(path), pattern) for pattern in description.pass_over)
    ]
    labels = file.with_name(LABELS_FILE)
    if labels.is_file():
        return _by_file(folder, labels, places, images)
    return _by_name(folder, description, places, images)


def _description(file: Path) -> PlaceFile:
    try:
        content: dict[str, Any] = (
            read_toml(file) if file.suffix.lower() == ".toml" else {"place": read_csv(file, _COLUMNS)}
        )
        return PlaceFile.model_validate(content)
    except MalformedError as error:
        raise DatasetError(f"{file} {error}; see docs/datasets.md for an example") from error
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(str(key) for key in item['loc'])}: {item['msg']}" for item in error.errors())
        raise DatasetError(f"{file}: {found}; name, x, y, width and height in pixels are needed") from error


def _by_name(folder: Folder, description: PlaceFile, places: list[Place], images: list[Path]) -> Found:
    label_of = {"1": types_of(description.one), "0": types_of(description.zero)}
    bits = re.compile(rf"(?:^|.*[^01])([01]{{{len(places)}}})")
    records: list[Record] = []
    problems: list[Problem] = []
    for path in images:
        found = bits.fullmatch(path.stem)
        if found is None:
            text = f"{folder.relative(path)}: the name does not end in {len(places)} digits 0 or 1"
            problems.append(Problem(MISSING_ANNOTATION, f"{text}; write {LABELS_FILE}, or name it in pass_over"))
            continue
        records += [
            Record(path, label_of[bit], place=place, split=folder.split_of(path))
            for place, bit in zip(places, found[1], strict=True)
        ]
    return Found("places", tuple(records), tuple(problems))


def _by_file(folder: Folder, labels: Path, places: list[Place], images: list[Path]) -> Found:
    place_of = {place.name: place for place in places}
    records: list[Record] = []
    problems: list[Problem] = []
    for line, row in enumerate(read_csv(labels, ("file", "place", "label")), start=2):
        where = f"{labels.name} line {line}"
        path = find_listed(folder, row["file"])
        if path is None:
            problems.append(Problem(MISSING_IMAGE, f"{where}: {row['file']}"))
        elif row["place"] not in place_of:
            known = ", ".join(place_of)
            problems.append(Problem(UNKNOWN_CATEGORY, f"{where}: no place '{row['place']}'; there are {known}"))
        else:
            place = place_of[row["place"]]
            records.append(Record(path, types_of(row["label"]), place=place, split=folder.split_of(path)))
    listed = {(record.path, record.place.name) for record in records if record.place is not None}
    problems += [
        Problem(MISSING_ANNOTATION, f"{folder.relative(path)}: no line for {', '.join(missing)}")
        for path in images
        if (missing := [name for name in place_of if (path, name) not in listed])
    ]
    return Found("places", tuple(records), tuple(problems))
