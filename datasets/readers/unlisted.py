"""The photographs that no annotation mentions: whether they are good, nobody said."""

from __future__ import annotations

from collections.abc import Sequence

from datasets.readers.folder import Folder
from datasets.readers.record import MISSING_ANNOTATION, UNREADABLE, Problem, Record


def unlisted(folder: Folder, records: Sequence[Record], problems: Sequence[Problem]) -> list[Problem]:
    """Return a problem for each photograph that no annotation mentions: nobody said that it is good."""
    if any(problem.kind == UNREADABLE for problem in problems):
        return []
    listed = {record.path for record in records} | {r.mask for r in records} | {r.template for r in records}
    return [
        Problem(MISSING_ANNOTATION, f"{folder.relative(path)}; list it without a mark if it is good, or remove it")
        for path in folder.photographs()
        if path not in listed
    ]
