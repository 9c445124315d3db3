"""Holds what a reader found against the images themselves, and makes samples of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datasets.errors import ImageError
from datasets.files import in_threads, read_bytes
from datasets.headers import Header
from datasets.images import inspect_bytes
from datasets.readers.folder import Folder
from datasets.readers.record import (
    MASK_SIZE,
    MISSING_FILE,
    NO_AREA,
    OTHER_SIZE,
    OUTSIDE,
    TWICE,
    Problem,
    Record,
)
from datasets.readers.shapes import area, bounds, clipped
from datasets.sample import Mark, Place

SLACK_PX = 1.0  # tools round, and Pascal VOC counts from 1: what sticks out by a pixel is cut off, more is a mistake


@dataclass(frozen=True, slots=True)
class Settled:
    """Records whose outlines lie in pixels of their image, and all that does not fit."""

    records: tuple[Record, ...]
    problems: tuple[Problem, ...]


def settle(folder: Folder, records: Sequence[Record], headers: Mapping[Path, Header]) -> Settled:
    """Return the records with marks in pixels of their own image, clipped to it, and what is wrong with them.

    Checked: the size that the annotation states, marks beyond the image by more than a pixel or without an area, masks
    and templates that are missing or of another size, places outside their image, images that are annotated twice.
    """
    problems = _repeated(folder, records)
    named = {file for record in records for file in (record.mask, record.template) if file is not None}
    files = sorted(named - headers.keys())
    sizes: dict[Path, tuple[int, int] | str] = dict(zip(files, in_threads(_size_of, files), strict=True))
    sizes |= {path: (header.width, header.height) for path, header in headers.items()}
    settled = []
    for record in records:
        header = headers.get(record.path)
        if header is not None:
            size, name = (header.width, header.height), folder.relative(record.path)
            marks, found = _marks(record, size, name)
            problems += found + _files(folder, record, size, sizes) + _place(record.place, size, name)
            record = replace(record, marks=marks, relative=False)
        settled.append(record)
    return Settled(tuple(settled), tuple(problems))


def _repeated(folder: Folder, records: Sequence[Record]) -> list[Problem]:
    times = Counter((record.path, record.place.name if record.place else "") for record in records)
    return [
        Problem(
            TWICE, f"{folder.relative(path)}{f' at {place}' if place else ''}: {number} annotations; one is allowed"
        )
        for (path, place), number in times.items()
        if number > 1
    ]


def _marks(record: Record, size: tuple[int, int], name: str) -> tuple[tuple[Mark, ...], list[Problem]]:
    width, height = size
    stated = record.stated_size
    if stated is not None and stated != size:
        turned = " (width and height swapped: a turned photograph?)" if stated == size[::-1] else ""
        text = f"{name}: {width}×{height} pixels, annotated as {stated[0]}×{stated[1]}{turned}"
        return record.marks, [Problem(OTHER_SIZE, text)]
    kept, problems = [], []
    for mark in record.marks:
        if record.relative:
            mark = replace(mark, outline=tuple((x * width, y * height) for x, y in mark.outline))
        left, top, right, bottom = bounds(mark.outline)
        where = f"{name}: '{mark.label}' from ({left:g}, {top:g}) to ({right:g}, {bottom:g})"
        if min(left, top) < -SLACK_PX or right > width + SLACK_PX or bottom > height + SLACK_PX:
            problems.append(Problem(OUTSIDE, f"{where} in {width}×{height} pixels"))
            continue
        inside = clipped(mark.outline, width, height)
        if area(inside) <= 0:
            problems.append(Problem(NO_AREA, where))
        else:
            kept.append(replace(mark, outline=inside))
    return tuple(kept), problems


def _files(
    folder: Folder, record: Record, size: tuple[int, int], sizes: Mapping[Path, tuple[int, int] | str]
) -> list[Problem]:
    problems = []
    for what, file in (("mask", record.mask), ("template", record.template)):
        found = sizes.get(file) if file is not None else None
        if file is None or found is None:
            continue
        if isinstance(found, str):
            problems.append(Problem(MISSING_FILE, f"{folder.relative(record.path)}: {what} {found}"))
        elif found != size and what == "mask":
            text = f"{folder.relative(file)}: {found[0]}×{found[1]} pixels, its image has {size[0]}×{size[1]}"
            problems.append(Problem(MASK_SIZE, text))
    return problems


def _size_of(file: Path) -> tuple[int, int] | str:
    """Return width and height of a mask or a template, or in words why it cannot be used."""
    try:
        header = inspect_bytes(file, read_bytes(file))
    except ImageError as error:
        return str(error)
    return header.width, header.height


def _place(place: Place | None, size: tuple[int, int], name: str) -> list[Problem]:
    if place is None or (place.x + place.width <= size[0] and place.y + place.height <= size[1]):
        return []
    corner = f"({place.x + place.width}, {place.y + place.height})"
    return [Problem(OUTSIDE, f"{name}: place '{place.name}' ends at {corner} in {size[0]}×{size[1]} pixels")]


def labels_of(record: Record, good: str, images_of: Mapping[str, int]) -> tuple[str, ...]:
    """Return the defect types of a record, what is marked most often first, then what fewer images show; else good."""
    times = Counter(mark.label for mark in record.marks)
    for label in record.types:
        times[label] += 0
    types = sorted((t for t in times if t != good), key=lambda t: (-times[t], images_of.get(t, 0), t))
    return tuple(types) or (good,)


def images_of_each_type(records: Sequence[Record]) -> dict[str, int]:
    """Count the images that show each type."""
    found: defaultdict[str, int] = defaultdict(int)
    for record in records:
        for label in {*record.types, *(mark.label for mark in record.marks)}:
            found[label] += 1
    return dict(found)
