"""templates.csv: which golden image the photos of any format are held against."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from datasets.columns import read_column
from datasets.readers.documents import read_csv
from datasets.readers.folder import Folder
from datasets.readers.record import MISSING_FILE, UNREADABLE, Found, Problem, complaint

TEMPLATES_FILE = "templates.csv"
_ALL = "*"


def with_templates(folder: Folder, found: Found) -> Found:
    """Return what a reader found with the golden images that templates.csv in the root names; without one, unchanged.

    Its columns are `file` and `template`, both from the root; the line with the file `*` is for every photo without a
    line. A golden image is no photo: wherever it lies, it is not labelled and not learned from as a part. What a reader
    found beside a photo already stays, unless the file says otherwise. Raises DatasetError.
    """
    file = folder.root / TEMPLATES_FILE
    if not file.is_file():
        return found
    images = [(record.path, record.types[0] if record.types else "") for record in found.records]
    told = read_column(file, folder.root, images, "template", complete=False)
    problems: list[Problem] = []
    common = {row["template"] for row in read_csv(file, ("file", "template")) if row["file"] == _ALL}
    if len(common) > 1:
        named = ", ".join(sorted(common))
        problems.append(Problem(UNREADABLE, f"{file.name}: {len(common)} lines for '{_ALL}' ({named}); one is allowed"))
    golden_of = {path: _file_of(folder.root, name, file, problems) for path, name in told.items()}
    usual = _file_of(folder.root, min(common), file, problems) if common else None
    if problems:
        raise complaint(folder.root, problems)
    golden = {path for path in (*golden_of.values(), usual) if path is not None}
    records = tuple(
        replace(record, template=golden_of.get(record.path) or record.template or usual)
        for record in found.records
        if record.path not in golden
    )
    names = tuple(str(path) for path in golden), tuple(folder.relative(path) for path in golden)
    strays = tuple(text for text in found.strays if not text.startswith(tuple(f"{name}:" for name in names[0])))
    others = tuple(p for p in found.problems if not p.text.startswith(tuple(f"{name};" for name in names[1])))
    return Found(found.layout, records, others, strays)


def _file_of(root: Path, name: str, listing: Path, problems: list[Problem]) -> Path | None:
    path = Path(os.path.normpath(root / name))
    if path.is_relative_to(root) and path.is_file():
        return path
    where = "lies outside of the folder" if not path.is_relative_to(root) else "is not there"
    problems.append(Problem(MISSING_FILE, f"{listing.name}: golden image {name} {where}"))
    return None
