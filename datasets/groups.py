"""The groups file: which images show the same piece, so that no split parts them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from datasets.columns import describe_problems as describe_problems
from datasets.columns import read_column, write_columns
from datasets.layout import Entry
from datasets.sample import Sample

GROUPS_FILE = "groups.csv"


def read_groups(file: Path, root: Path, entries: Sequence[Entry] | Sequence[Sample]) -> dict[Path, str]:
    """Return the group of each image as a CSV file with the columns `file` and `group` states it.

    `datasets.columns` says how a line names its image. An image without a line would be able to straddle a split
    unnoticed, so it is an error. Raises DatasetError that lists all problems.
    """
    return read_column(file, root, [(entry.path, entry.label) for entry in entries], "group")


def write_groups(file: Path, root: Path, groups: Mapping[Path, str]) -> None:
    """Write a groups file that `read_groups` reads, sorted by path; nothing half-written stays behind."""
    rows = sorted((path.relative_to(root).as_posix(), group) for path, group in groups.items())
    write_columns(file, ("file", "group"), rows)
