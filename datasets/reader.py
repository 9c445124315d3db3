"""One reader for every format in the table: a folder in, a checked data set out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.errors import DatasetError, ImageError
from datasets.files import Progress, in_threads, read_bytes
from datasets.groups import GROUPS_FILE, describe_problems, read_groups
from datasets.headers import Header
from datasets.images import inspect_bytes, load_image
from datasets.layout import find_good
from datasets.readers.folder import Folder, walk
from datasets.readers.record import Found, Record, complaint
from datasets.readers.settle import images_of_each_type, labels_of, settle
from datasets.readers.table import find_format
from datasets.readers.templates import with_templates
from datasets.sample import Dataset, Sample

__all__ = ["load_image", "load_sample", "read_dataset"]


def read_dataset(
    root: Path,
    *,
    good: str | None = None,
    groups: Path | None = None,
    require_good: bool = True,
    progress: Progress | None = None,
    format: str | None = None,
    annotations: Path | None = None,
) -> Dataset:
    """Return every labelled image under `root`; `datasets.readers.table` says which formats there are.

    good: the class that passes, else found by its name; images on which nothing is marked are of it. groups: a groups
    file, else `groups.csv` in the root where it exists. format: a name in the table, else found by looking.
    annotations: the file with the labels where it lies elsewhere, or where several do. Every image is read once and
    checked without decoding it: content as its name says, complete, size in bounds; so is what is marked on it.
    Raises DatasetError: one that names all files which cannot be used, or one that lists the classes.
    """
    root = root.resolve()
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; a folder of class folders is needed; check the path")
    if annotations is not None and not annotations.is_file():
        raise DatasetError(f"{annotations}: no such file; --annotations names the file with the labels; check the path")
    folder = walk(root, annotations)
    found = with_templates(folder, find_format(folder, format).read(folder))
    headers = _inspect(root, found, progress)
    settled = settle(folder, found.records, headers)
    if problems := (*found.problems, *settled.problems):
        raise complaint(root, problems)
    if not found.records:
        raise DatasetError(
            f"{root}: no images; class folders of JPEG, PNG, BMP or TIFF files are needed; check the path"
        )
    return _dataset(folder, found.layout, settled.records, good, groups, require_good)


def load_sample(sample: Sample) -> NDArray[np.uint8]:
    """Return the pixels that a sample means: its image, or the place of it, as `load_image` does. Raises ImageError."""
    pixels = load_image(sample.path)
    place = sample.place
    if place is None:
        return pixels
    return np.ascontiguousarray(pixels[place.y : place.y + place.height, place.x : place.x + place.width])


def _inspect(root: Path, found: Found, progress: Progress | None) -> dict[Path, Header]:
    """Return the header of each image; raise one error for all that cannot be used."""
    paths = list(dict.fromkeys(record.path for record in found.records))
    headers = list(in_threads(_header_of, paths, total=len(paths), progress=progress))
    problems = [*found.strays, *(header for header in headers if isinstance(header, str))]
    if problems:
        raise DatasetError(describe_problems(f"{root}: {len(problems)} image file(s) cannot be used", problems))
    return {path: header for path, header in zip(paths, headers, strict=True) if isinstance(header, Header)}


def _header_of(path: Path) -> Header | str:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        name = str(path).encode(errors="backslashreplace").decode()
        return f"{name}: the name is no UTF-8 text, which tables and reports cannot hold; rename the file or its folder"
    try:
        return inspect_bytes(path, read_bytes(path))
    except ImageError as error:
        return str(error)


def _dataset(
    folder: Folder, layout: str, records: Sequence[Record], good: str | None, groups: Path | None, require_good: bool
) -> Dataset:
    images_of = images_of_each_type(records)
    passes = _good_class(records, sorted(images_of), good, required=require_good)
    file = groups if groups is not None else folder.root / GROUPS_FILE
    grouped = _groups(file, folder, records, passes) if groups is not None or file.is_file() else {}
    samples = [_sample(folder, record, passes, images_of, grouped) for record in records]
    samples.sort(key=lambda sample: folder.relative(sample.path))
    labels = {label for sample in samples for label in sample.types}
    classes = ([passes] if passes else []) + sorted(labels - {passes})
    return Dataset(folder.root, layout, passes, tuple(samples), tuple(classes))


def _good_class(records: Sequence[Record], classes: list[str], good: str | None, *, required: bool) -> str:
    """Return the class that passes.

    Where classes are stated it is one of them; where defects are outlined, or images show nothing, it is the one asked
    for, the one that is named so, or 'good', which then is what is not marked.
    """
    if not any(record.marks or not record.types for record in records):
        return find_good(classes, good, required=required)
    named = find_good(classes, None, required=False)
    if good is not None and named and good not in classes:
        return find_good(classes, good, required=True)
    return good or named or "good"


def _groups(file: Path, folder: Folder, records: Sequence[Record], good: str) -> dict[Path, str]:
    single = {record.path: record for record in records}
    entries = [_sample(folder, record, good, {}, {}) for record in single.values()]
    return read_groups(file, folder.root, entries)


def _sample(
    folder: Folder, record: Record, good: str, images_of: Mapping[str, int], grouped: Mapping[Path, str]
) -> Sample:
    types = labels_of(record, good, images_of)
    return Sample(
        path=record.path,
        label=types[0],
        group=grouped.get(record.path) or record.group or folder.relative(record.path),
        split=record.split,
        mask=record.mask,
        labels=types if len(types) > 1 else (),
        marks=tuple(mark for mark in record.marks if mark.label != good),
        template=record.template,
        place=record.place,
        taken=record.taken,
    )
