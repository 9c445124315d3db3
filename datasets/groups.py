"""The groups file: which images show the same piece, so that no split parts them."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from datasets.errors import DatasetError
from datasets.layout import Entry
from datasets.sample import Sample

GROUPS_FILE = "groups.csv"


def read_groups(file: Path, root: Path, entries: Sequence[Entry] | Sequence[Sample]) -> dict[Path, str]:
    """Return the group of each image as a CSV file with the columns `file` and `group` states it.

    `file` is the path relative to the root, or the bare name; a column `class` tells equal names in two classes apart;
    other columns are passed over, and so are lines about images that are not there. An image without a line would be
    able to straddle a split unnoticed, so it is an error. Raises DatasetError that lists all problems.
    """
    known: defaultdict[str, list[Path]] = defaultdict(list)
    for entry in entries:
        relative = entry.path.relative_to(root).as_posix()
        for key in {relative, entry.path.name, f"{entry.label}\0{entry.path.name}"}:
            known[key].append(entry.path)
    groups: dict[Path, str] = {}
    problems: list[str] = []
    for number, row in enumerate(_rows(file), start=2):
        name, group = (row.get("file") or "").strip(), (row.get("group") or "").strip()
        if not name or not group:
            problems.append(f"line {number}: file and group must both be filled in")
            continue
        found = known.get(name, [])
        if len(found) > 1:
            found = known.get(f"{(row.get('class') or '').strip()}\0{name}", found)
        if len(found) > 1:
            problems.append(f"line {number}: '{name}' names {len(found)} images; give the path relative to {root}")
        elif found and groups.setdefault(found[0], group) != group:
            problems.append(f"line {number}: '{name}' is in group '{groups[found[0]]}' and in group '{group}'")
    problems += [f"no line for {e.path.relative_to(root).as_posix()}" for e in entries if e.path not in groups]
    if problems:
        raise DatasetError(describe_problems(f"{file}: {len(problems)} problem(s) in the groups", problems))
    return groups


def _rows(file: Path) -> list[dict[str, str | None]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            columns = reader.fieldnames or []
            if "file" not in columns or "group" not in columns:
                raise DatasetError(
                    f"{file}: the columns are {', '.join(columns) or 'none'}; 'file' and 'group' are needed; "
                    "write a first line such as file,group"
                )
            return list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{file}: cannot be read as CSV ({error}); a UTF-8 text file is needed") from error


def write_groups(file: Path, root: Path, groups: Mapping[Path, str]) -> None:
    """Write a groups file that `read_groups` reads, sorted by path; nothing half-written stays behind."""
    draft = file.with_name(file.name + ".part")
    try:
        with draft.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(("file", "group"))
            writer.writerows(sorted((path.relative_to(root).as_posix(), group) for path, group in groups.items()))
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
