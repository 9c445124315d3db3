"""YOLO: a txt for each image with a class number and a box, or a polygon, in fractions of width and height."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from datasets.readers.documents import head_of, number, read_text, read_yaml
from datasets.readers.folder import Folder
from datasets.readers.record import (
    MISSING_ANNOTATION,
    MISSING_IMAGE,
    UNKNOWN_CATEGORY,
    UNREADABLE,
    Found,
    MalformedError,
    Problem,
    Record,
)
from datasets.readers.shapes import Outline, box, pairs
from datasets.sample import Mark

_NAME_FILES = frozenset({"classes.txt", "obj.names", "_darknet.labels"})
_NO_LABELS = _NAME_FILES | {"train.txt", "val.txt", "test.txt", "trainval.txt", "readme.txt", "license.txt"}
_SPLIT_KEYS = {"train": "train", "val": "validation", "valid": "validation", "test": "test"}


def recognise(folder: Folder) -> str:
    """Return the file with the class names, where there are label files or the names are YOLO's own; '' else."""
    for file in folder.with_suffix(".yaml", ".yml"):
        if "names:" in head_of(file):
            return folder.relative(file)
    names = [file for file in folder.with_suffix(".txt", ".names") if file.name in _NAME_FILES]
    labels = _label_files(folder)
    if names and labels:
        return f"{folder.relative(names[0])} and {len(labels)} label files"
    looks = [file for file in labels if file.parent.name == "labels" or "labels" in file.relative_to(folder.root).parts]
    return f"{len(looks)} label files like {folder.relative(looks[0])}" if looks else ""


def read(folder: Folder) -> Found:
    """Return every image with the marks of its label file.

    An image without a label file shows nothing, as YOLO has it; but where other images have an empty one to say just
    that, a missing file is a problem.
    """
    records: list[Record] = []
    problems: list[Problem] = []
    try:
        names, splits = _description(folder)
    except MalformedError as error:
        return Found("yolo", (), (Problem(UNREADABLE, str(error)),))
    label_of: dict[Path, Path] = {}
    for file in _label_files(folder):
        path = folder.find_stem(file.stem, file)
        if path is None:
            problems.append(Problem(MISSING_IMAGE, f"{folder.relative(file)} has no image of that name"))
        else:
            label_of[path] = file
    empty = sum(1 for file in label_of.values() if not file.stat().st_size)
    for path in folder.photographs():
        labels = label_of.get(path)
        if labels is None and empty:
            text = f"{folder.relative(path)}; {empty} images have an empty label file, this one has none"
            problems.append(Problem(MISSING_ANNOTATION, text))
        marks = _marks(folder, labels, names, problems) if labels is not None else ()
        records.append(Record(path, marks=marks, relative=True, split=_split(folder, path, splits)))
    return Found("yolo", tuple(records), tuple(problems))


def _label_files(folder: Folder) -> list[Path]:
    """Return the txt files that lie in a folder of labels, or that have an image's name."""
    return [
        file
        for file in folder.with_suffix(".txt")
        if file.name.lower() not in _NO_LABELS and (file.parent.name == "labels" or file.stem in folder.by_stem)
    ]


def _description(folder: Folder) -> tuple[dict[int, str], dict[str, str]]:
    """Return the class names by number, and the split of each folder or list that data.yaml names."""
    for file in folder.with_suffix(".yaml", ".yml"):
        try:
            content = read_yaml(file)
        except MalformedError as error:
            raise MalformedError(f"{folder.relative(file)} {error}") from error
        if isinstance(content, dict) and "names" in content:
            return _names(content["names"], file), _splits(content, file)
    for file in folder.with_suffix(".txt", ".names"):
        if file.name in _NAME_FILES:
            lines = [line.strip() for line in read_text(file).splitlines()]
            return dict(enumerate(line for line in lines if line)), {}
    raise MalformedError("no class names: data.yaml with 'names', or classes.txt with one a line, is needed")


def _names(value: Any, file: Path) -> dict[int, str]:
    if isinstance(value, list):
        return {index: str(name) for index, name in enumerate(value)}
    if isinstance(value, dict) and all(str(key).isdigit() for key in value):
        return {int(key): str(name) for key, name in value.items()}
    raise MalformedError(f"{file.name}: 'names' is neither a list nor a table from number to name")


def _splits(content: dict[str, Any], file: Path) -> dict[str, str]:
    """Return what data.yaml says of train, val and test: an image folder (or a listed image) -> split."""
    found: dict[str, str] = {}
    for key, split in _SPLIT_KEYS.items():
        value = content.get(key)
        for entry in value if isinstance(value, list) else [value] if value else []:
            listed = file.parent / str(entry)
            if str(entry).endswith(".txt") and listed.is_file():
                names = read_text(listed).split("\n")
                found |= {PurePosixPath(name.strip().replace("\\", "/")).name: split for name in names if name.strip()}
            else:
                found["/".join(part for part in PurePosixPath(str(entry)).parts if part not in (".", ".."))] = split
    return found


def _split(folder: Folder, path: Path, splits: dict[str, str]) -> str | None:
    if path.name in splits:
        return splits[path.name]
    where = f"/{folder.relative(path)}"
    return next((split for part, split in splits.items() if part and f"/{part}/" in where), folder.split_of(path))


def _marks(folder: Folder, file: Path, names: dict[int, str], problems: list[Problem]) -> tuple[Mark, ...]:
    found = []
    try:
        lines = read_text(file).splitlines()
    except MalformedError as error:
        problems.append(Problem(UNREADABLE, f"{folder.relative(file)} {error}"))
        return ()
    for index, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{folder.relative(file)} line {index}"
        try:
            values = [number(word, "a value") for word in line.split()]
            if int(values[0]) != values[0] or int(values[0]) not in names:
                known = ", ".join(f"{key} {name}" for key, name in sorted(names.items())[:20])
                problems.append(Problem(UNKNOWN_CATEGORY, f"{where}: class {line.split()[0]}; known are {known}"))
            else:
                found.append(Mark(names[int(values[0])], _outline(values[1:])))
        except MalformedError as error:
            problems.append(Problem(UNREADABLE, f"{where}: {error}"))
    return tuple(found)


def _outline(values: list[float]) -> Outline:
    """Return four numbers (middle and size) as a box, an even number from six on as a polygon; all in fractions."""
    if len(values) != 4:
        return pairs(values)
    x, y, width, height = values
    if width <= 0 or height <= 0:
        raise MalformedError(f"a box {width:g} wide and {height:g} high; both must be above 0")
    return box(x - width / 2, y - height / 2, x + width / 2, y + height / 2)
