"""The csv of VisA: object, split, label, image and mask, with paths from the folder above `split_csv`."""

from __future__ import annotations

import os
from pathlib import Path

from datasets.errors import DatasetError
from datasets.readers.documents import header_of, read_csv
from datasets.readers.folder import Folder, walk
from datasets.readers.record import MISSING_IMAGE, UNREADABLE, Found, Problem, Record

COLUMNS = ("object", "split", "label", "image", "mask")
_USUAL = "1cls.csv"
_SPLITS = {"train": "train", "val": "validation", "validation": "validation", "test": "test", "": None}


def recognise(folder: Folder) -> str:
    """Return the csv of the set, or of the set that this folder is one object of; '' where there is none."""
    files = _files(folder)
    return files[0].name if files else ""


def read(folder: Folder) -> Found:
    """Return every image that the csv lists; below an object's folder, those of that object.

    Where several csv divide the same images in different ways, `1cls.csv` counts. Raises DatasetError.
    """
    files = _files(folder)
    chosen = next((file for file in files if file.name == _USUAL), files[0] if len(files) == 1 else None)
    if chosen is None:
        names = ", ".join(file.name for file in files) or "none"
        raise DatasetError(f"{folder.root}: split_csv has {names}; choose with --annotations FILE")
    base = chosen.parent.parent if chosen.parent.name == "split_csv" else chosen.parent
    records, problems = [], []
    for line, row in enumerate(read_csv(chosen, COLUMNS), start=2):
        image = Path(os.path.normpath(base / row["image"]))
        mask = Path(os.path.normpath(base / row["mask"])) if row["mask"] else None
        if not image.is_relative_to(folder.root) or not (mask or image).is_relative_to(folder.root):
            if folder.root == base:
                problems.append(Problem(UNREADABLE, f"{chosen.name} line {line}: {row['image']} lies outside the set"))
            continue
        if row["split"] not in _SPLITS or not row["label"]:
            text = f"{chosen.name} line {line}: split '{row['split']}', label '{row['label']}'"
            problems.append(Problem(UNREADABLE, f"{text}; train, val or test and a label are needed"))
        elif not image.is_file():
            problems.append(Problem(MISSING_IMAGE, f"{chosen.name} line {line}: {row['image']}"))
        else:
            records.append(Record(image, (row["label"],), split=_SPLITS[row["split"]], mask=mask))
    return Found("visa", tuple(records), tuple(problems))


def _files(folder: Folder) -> list[Path]:
    files = folder.with_suffix(".csv")
    if not files:
        above = folder.root.parent / "split_csv"
        files = walk(above).with_suffix(".csv") if above.is_dir() else ()
    return [file for file in files if set(COLUMNS) <= header_of(file)]
