"""The plainest form of all: labels.csv with a line for each image, the columns `file` and `label`."""

from __future__ import annotations

import os
from pathlib import Path

from datasets.readers.documents import header_of, read_csv
from datasets.readers.folder import Folder
from datasets.readers.record import MISSING_IMAGE, UNREADABLE, Found, Problem, Record
from datasets.readers.unlisted import unlisted

LABELS_FILE = "labels.csv"
_SPLITS = {"train": "train", "val": "validation", "validation": "validation", "test": "test", "": None}


def recognise(folder: Folder) -> str:
    """Return the name of the file where there is one, and no file of places that it belongs to; '' else."""
    from datasets.readers.places import place_file

    if place_file(folder) is not None:
        return ""
    file = labels_file(folder)
    return file.name if file is not None else ""


def labels_file(folder: Folder) -> Path | None:
    """Return labels.csv in the root, or the CSV that the caller named as the annotations."""
    for file in folder.with_suffix(".csv"):
        if file == folder.root / LABELS_FILE or (file == folder.named and {"file", "label"} <= header_of(file)):
            return file
    return None


def read(folder: Folder) -> Found:
    """Return an image for each line; `label` is empty for a good one and separates several types by semicolons.

    Further columns, each as far as it is known: split (train, val, test), mask and template (files), group, taken.
    """
    file = labels_file(folder)
    assert file is not None
    records: list[Record] = []
    problems: list[Problem] = []
    for line, row in enumerate(read_csv(file, ("file", "label")), start=2):
        path = find_listed(folder, row["file"])
        split = row.get("split", "").lower()
        if path is None:
            problems.append(Problem(MISSING_IMAGE, f"{file.name} line {line}: {row['file']}"))
        elif split not in _SPLITS:
            problems.append(Problem(UNREADABLE, f"{file.name} line {line}: split '{split}'; train, val or test"))
        else:
            mask, template = (_inside(folder.root, row.get(key, "")) for key in ("mask", "template"))
            records.append(
                Record(
                    path,
                    types_of(row["label"]),
                    split=_SPLITS[split],
                    mask=mask,
                    template=template,
                    group=row.get("group", ""),
                    taken=row.get("taken", ""),
                )
            )
    return Found("labels-csv", tuple(records), (*problems, *unlisted(folder, records, problems)))


def _inside(root: Path, name: str) -> Path | None:
    """Return a file of the set that a cell names; what would lie outside of the root is looked for by its bare name."""
    if not name:
        return None
    path = Path(os.path.normpath(root / name))
    return path if path.is_relative_to(root) else root / path.name


def find_listed(folder: Folder, name: str) -> Path | None:
    """Return the image of a line: a path from the root, or a bare name that only one image has."""
    path = folder.root / name
    return path if path in folder.by_name.get(path.name, ()) else folder.find(name, folder.root / LABELS_FILE)


def types_of(label: str) -> tuple[str, ...]:
    """Return the types of a cell: none where it is empty, several where semicolons part them."""
    return tuple(word.strip() for word in label.split(";") if word.strip())
