"""A column of a CSV file that says something about each image: its group, its lot, its time, its part of a split."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from datasets.errors import DatasetError


def read_column(
    file: Path, root: Path, images: Sequence[tuple[Path, str]], column: str, *, complete: bool = True
) -> dict[Path, str]:
    """Return what the column `column` of a CSV file says of each image, given as (path, label).

    The column `file` names the image: the path relative to the root, or the bare name; a column `class` tells equal
    names in two classes apart; other columns are passed over, and so are lines about images that are not there.
    complete: an image without a line is an error. Raises DatasetError that lists all problems.
    """
    images = sorted(set(images))
    known: defaultdict[str, list[Path]] = defaultdict(list)
    for path, label in images:
        for key in {path.relative_to(root).as_posix(), path.name, f"{label}\0{path.name}"}:
            if path not in known[key]:  # several places of one image may have several labels
                known[key].append(path)
    told: dict[Path, str] = {}
    problems: list[str] = []
    for number, row in enumerate(_rows(file, column), start=2):
        name, value = (row.get("file") or "").strip(), (row.get(column) or "").strip()
        if not name or not value:
            problems.append(f"line {number}: file and {column} must both be filled in")
            continue
        found = known.get(name, [])
        if len(found) > 1:
            found = known.get(f"{(row.get('class') or '').strip()}\0{name}", found)
        if len(found) > 1:
            problems.append(f"line {number}: '{name}' names {len(found)} images; give the path relative to {root}")
        elif found and told.setdefault(found[0], value) != value:
            problems.append(f"line {number}: '{name}' is in {column} '{told[found[0]]}' and in {column} '{value}'")
    if complete:
        paths = dict.fromkeys(path for path, _ in images)
        problems += [f"no line for {path.relative_to(root).as_posix()}" for path in paths if path not in told]
    if problems:
        raise DatasetError(describe_problems(f"{file}: {len(problems)} problem(s) in the column '{column}'", problems))
    return told


def _rows(file: Path, column: str) -> list[dict[str, str | None]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            columns = reader.fieldnames or []
            if "file" not in columns or column not in columns:
                raise DatasetError(
                    f"{file}: the columns are {', '.join(columns) or 'none'}; 'file' and '{column}' are needed; "
                    f"write a first line such as file,{column}"
                )
            return list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{file}: cannot be read as CSV ({error}); a UTF-8 text file is needed") from error


def write_columns(file: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a CSV file that `read_column` reads; nothing half-written stays behind. Raises DatasetError."""
    draft = file.with_name(file.name + ".part")
    try:
        with draft.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)
        draft.replace(file)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise DatasetError(f"{file}: cannot be written ({error.strerror or error}); choose another --out") from error


def describe_problems(headline: str, problems: Sequence[str], limit: int = 50) -> str:
    """Return one message with the headline and a line for each problem, the first `limit` of them by name."""
    shown = [f"  {problem}" for problem in problems[:limit]]
    if len(problems) > limit:
        shown.append(f"  … and {len(problems) - limit} more")
    return "\n".join((f"{headline}:", *shown))
