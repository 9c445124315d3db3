"""Each book at both ends: how many rows the copy lacks, and which of them it had once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Engine, inspect

from inspection.plant.marks import count_marks
from inspection.records.replica import NUMBERED, Replica, rows_after
from inspection.records.tables import RECORDS, REMOVED_IMAGES


@dataclass(frozen=True, slots=True)
class Book:
    """One book. here, there: the newest row of the store and of the copy. gone: rows that the copy had and lost.

    is_ours: whether what the copy ends with is a row of this store.
    """

    name: str
    here: int
    there: int
    gone: int = 0
    is_ours: bool = True

    @property
    def lacks(self) -> int:
        """Return how many rows of the store are not in the copy."""
        return max(self.here - self.there, 0)

    @property
    def waits(self) -> int:
        """Return how many of these were never copied."""
        return self.lacks - self.gone

    @property
    def problem(self) -> str:
        """Return what is wrong in one sentence, '' while nothing is."""
        if not self.is_ours:
            return (
                f"the copy of {self.name} ends with row {self.there}, which is not this store's — a copy holds the "
                "records of one station's one store — see docs/plant-copy.md, 'A copy that was cut or changed'"
            )
        if self.gone:
            return (
                f"the copy lacks {self.lacks} {self.name} ({self.waits} wait to be copied): {self.gone} it had "
                "are gone — lineward records forward --once FILE copies them again — find out who removed them"
            )
        return ""


def is_begun(there: Engine) -> bool:
    """Return whether the schema of a copy has its tables. Raises SQLAlchemyError."""
    return inspect(there).has_table(RECORDS.name)


def compare_books(local: Engine, there: Engine, copied: Mapping[str, int]) -> list[Book]:
    """Hold the end of each book against the store's. copied: by book, up to where the station knows it was copied.

    The copy may grow meanwhile: it is asked first. Raises SQLAlchemyError.
    """
    if not is_begun(there):
        ends = {table.name: 0 for table in NUMBERED}
        marks = 0
    else:
        ends = {table.name: Replica(there).newest(table) for table in NUMBERED}
        marks = count_marks(there)
    books = []
    for table in NUMBERED:
        here, end = Replica(local).newest(table), ends[table.name]
        gone = max(min(copied.get(table.name, 0), here) - end, 0)
        is_ours = not end or rows_after(local, table, end - 1, 1) == rows_after(there, table, end - 1, 1)
        books.append(Book(table.name, here, end, gone, is_ours))
    return [*books, Book(f"marks in {REMOVED_IMAGES.name}", count_marks(local), marks)]
