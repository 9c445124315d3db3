"""Checking what was removed: each mark has its entry that says why, and no entry removed what a hold kept."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, func, select

from inspection.records.entries import EntryKind, stored_entry
from inspection.records.errors import HoldError
from inspection.records.holds import Hold, follow, held
from inspection.records.tables import ENTRIES_TABLE, RECORDS, REMOVED_IMAGES

_MARKS = select(func.count()).select_from(REMOVED_IMAGES).scalar_subquery()
_NEWEST = select(func.coalesce(func.max(ENTRIES_TABLE.c.sequence), 0)).scalar_subquery()
_NAMED = 20


class RemovalCheck:
    """One walk along the book of entries; lives for one call of `verify`. `add` gets the record and the problem.

    Each removal says how many marks there were before it, and each signature how many there are: so a mark that was
    set without an entry is found. Marks of earlier versions, which wrote no entries, count as they were found first.
    """

    def __init__(self, connection: Connection, add: Callable[[int | None, str], None]) -> None:
        self._connection, self._add = connection, add
        self._holds: dict[str, Hold] = {}
        self._known: int | None = None
        self._earlier = 0
        self._marks, self._at = connection.execute(select(_MARKS, _NEWEST)).one()  # both of one moment

    def look(self, row: tuple[Any, ...]) -> None:
        """Check one row of the book; in the order of their numbers."""
        sequence, kind, *_ = row
        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError, HoldError):  # the chain names it
            if kind == EntryKind.HOLD:
                follow(self._holds, [stored_entry(row)])
            elif kind == EntryKind.SIGNATURE:
                self._compare(sequence, json.loads(row[5])["removed_images"])
            elif kind == EntryKind.REMOVAL:
                self._check_removal(sequence, json.loads(row[5]))
        if sequence == self._at:
            self._compare(None, self._marks)

    def _check_removal(self, sequence: int, content: Mapping[str, Any]) -> None:
        records = list(content["records"])
        self._compare(sequence, content["marks_before"])
        self._known = (self._known or 0) + len(records)
        marked = select(REMOVED_IMAGES.c.sequence).where(REMOVED_IMAGES.c.sequence.in_(records))
        for number in sorted(set(records) - set(self._connection.execute(marked).scalars())):
            self._add(number, f"record {number}: entry {sequence} says that its image was removed, its mark is missing")
        if self._holds:
            kept = select(RECORDS.c.sequence).where(RECORDS.c.sequence.in_(records), held(self._holds.values()))
            for number in self._connection.execute(kept).scalars():
                self._add(number, f"record {number}: its image was removed (entry {sequence}) while a hold kept it")

    def _compare(self, sequence: int | None, marks: int) -> None:
        """Hold a number of marks against those that are known by now."""
        if self._known is None:
            self._known = self._earlier = marks
        elif marks != self._known:
            when = "now" if sequence is None else f"at entry {sequence}"
            self._add(None, f"{marks} images were marked as removed {when}, the book accounts for {self._known}")
            if sequence is None and not self._earlier:
                self._name_marks()
            self._known = marks

    def _name_marks(self) -> None:
        """Name marks that no entry tells of; only when there is one, since it reads every entry about removals."""
        accounted: set[int] = set()
        removals = select(ENTRIES_TABLE.c.content).where(ENTRIES_TABLE.c.kind == EntryKind.REMOVAL.value)
        for (content,) in self._connection.execute(removals):
            with contextlib.suppress(ValueError, TypeError, KeyError):
                accounted.update(json.loads(content)["records"])
        named = 0
        for number in self._connection.execute(select(REMOVED_IMAGES.c.sequence)).scalars():
            if number not in accounted and (named := named + 1) <= _NAMED:
                self._add(number, f"record {number}: its image is marked as removed, no entry says by which rule")
