"""Copying the station's books to the plant's database: row by row in their order, from wherever the copy ends."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine, Table

from inspection.plant.database import PlantDatabase
from inspection.plant.marks import copy_marks, count_marks
from inspection.plant.progress import RECORDS_FILE, read_progress, save_progress
from inspection.records.errors import RecordLostError
from inspection.records.replica import NUMBERED, Replica, Rows, rows_after
from inspection.records.schema import open_for_reading
from inspection.records.tables import CHALLENGES_TABLE, ENTRIES_TABLE, RECORDS, RUNS

ROWS_AT_ONCE = 256  # about 10 ms of a processor: what waits for the interpreter meanwhile must not be late for it
_MARKS_S = 5.0
_MARKS_SHARE = 50  # looking for marks takes one part in so many of the time
_SAVE_S = 2.0
_LOOK_S = 30.0


class Waiting(NamedTuple):
    """How many rows of each numbered book the copy lacks."""

    records: int
    challenges: int
    entries: int
    runs: int

    @property
    def rows(self) -> int:
        """All of them."""
        return sum(self)


class Forwarding:
    """The work of one forwarder, step by step; used by one thread. It reads the store beside the station that writes.

    What the copy ends with is compared with the station's own row before anything is written: as each row covers the
    one before it, the rest is the same then. What was copied is remembered only to tell when it is there no more:
    `vanished` counts such rows, and they are copied again.
    """

    name = "records"

    def __init__(self, directory: Path, database: PlantDatabase, rows_at_once: int = ROWS_AT_ONCE) -> None:
        """Take a store's folder. Raises RecordStoreError when there is none."""
        self._local: Engine = open_for_reading(directory)
        self._database, self._rows_at_once = database, rows_at_once
        self.place = database.place
        self._file = directory / RECORDS_FILE
        kept = read_progress(self._file, database.place)
        self._there = {table.name: kept.numbers.get(table.name, 0) if kept else 0 for table in NUMBERED}
        self._is_joined = self._is_news = False
        self._last_wall_ns = kept.wall_ns if kept and any(kept.numbers.values()) else 0  # 0: when is not known
        self._marks_at_host_s = self._save_at_host_s = self._look_at_host_s = 0.0
        self._marks = -1
        self.copied = 0
        self.vanished = 0  # rows that were at the plant, and are not any more

    def waiting(self) -> Waiting:
        """Return what the copy lacks, as far as is known. Raises SQLAlchemyError when the store cannot be read."""
        here = Replica(self._local)
        left = {table.name: max(here.newest(table) - self._there[table.name], 0) for table in NUMBERED}
        return Waiting(left[RECORDS.name], left[CHALLENGES_TABLE.name], left[ENTRIES_TABLE.name], left[RUNS.name])

    def step(self) -> bool:
        """Copy some rows of each book; True when more may be waiting.

        Raises sqlalchemy.exc.SQLAlchemyError or PlantError when it cannot be done now, RecordStoreError for a schema
        that cannot be used, RecordLostError when the copy is another station's.
        """
        if not self._is_joined:
            self._join()
        with self._database.within() as engine:
            more = self._copy(Replica(engine))
            if not more:
                self._copy_marks(engine)
                more = self._is_cut(Replica(engine))
        if not more or time.monotonic() >= self._save_at_host_s:
            self._save()
        return more

    def hurry(self) -> None:
        """Copy marks with the next step, too: none comes behind it."""
        self._marks_at_host_s = 0.0

    def let_go(self) -> None:
        """Close the connections to the plant: the next step joins anew, from what is there then."""
        self._is_joined = False
        self._database.close()

    def close(self) -> None:
        """Close everything; safe to repeat."""
        with contextlib.suppress(OSError):
            self._save()
        self.let_go()
        self._local.dispose()

    def _join(self) -> None:
        self._database.prepare()
        with self._database.within() as engine:
            there = Replica(engine)
            for table in NUMBERED:
                self._there[table.name] = self._require_ours(there, table)
        self._is_joined, self._is_news, self._marks = True, True, -1
        self._look_at_host_s = time.monotonic() + _LOOK_S

    def _require_ours(self, there: Replica, table: Table) -> int:
        """Return where the copy of a book ends. Raises RecordLostError when that is not a row of this store."""
        newest = there.newest(table)
        if newest:
            rows = rows_after(self._local, table, newest - 1, 1)
            if not rows or rows[0][0] != newest:
                raise RecordLostError(
                    f"the copy of {table.name} has {newest} rows, this store has fewer — a copy holds the records of "
                    "one station's one store — name another schema for this store"
                )
            there.append(table, rows)
        had = min(self._there[table.name], Replica(self._local).newest(table))
        self.vanished += max(had - newest, 0)
        return newest

    def _is_cut(self, there: Replica) -> bool:
        """Look from time to time whether the copy ends before what was copied; the next step joins anew then."""
        if time.monotonic() < self._look_at_host_s:
            return False
        self._look_at_host_s = time.monotonic() + _LOOK_S
        if all(there.newest(table) >= self._there[table.name] for table in NUMBERED):
            return False
        self._is_joined = False
        return True

    def _copy(self, there: Replica) -> bool:
        """Read the newest books first and write the oldest first: nothing comes before what it refers to."""
        entries, challenges, records = (
            rows_after(self._local, table, self._there[table.name], self._rows_at_once)
            for table in (ENTRIES_TABLE, CHALLENGES_TABLE, RECORDS)
        )
        while runs := rows_after(self._local, RUNS, self._there[RUNS.name], self._rows_at_once):
            self._append(there, RUNS, runs)
        self._append(there, RECORDS, records)
        more = len(records) == self._rows_at_once
        for table, rows in ((CHALLENGES_TABLE, challenges), (ENTRIES_TABLE, entries)):
            anchored = self._anchored(table, rows)
            self._append(there, table, anchored)
            more |= len(rows) == self._rows_at_once or len(anchored) < len(rows)
        return more

    def _anchored(self, table: Table, rows: Rows) -> Rows:
        """Return the rows up to the first that names a record which is not there yet."""
        place, newest = table.c.keys().index("record_sequence"), self._there[RECORDS.name]
        held = next((number for number, row in enumerate(rows) if row[place] > newest), len(rows))
        return rows[:held]

    def _append(self, there: Replica, table: Table, rows: Rows) -> None:
        if rows:
            self.copied += there.append(table, rows)
            self._there[table.name] = int(rows[-1][0])
            self._last_wall_ns, self._is_news = time.time_ns(), True

    def _copy_marks(self, there: Engine) -> None:
        began_s = time.monotonic()
        if began_s < self._marks_at_host_s:
            return
        marks = count_marks(self._local)
        if marks != self._marks:
            copy_marks(self._local, there, self._there[RECORDS.name])
            self._marks = marks
        taken_s = time.monotonic() - began_s
        self._marks_at_host_s = began_s + max(_MARKS_S, _MARKS_SHARE * taken_s)

    def _save(self) -> None:
        self._save_at_host_s = time.monotonic() + _SAVE_S
        numbers: dict[str, Any] = dict(self._there)
        if self._is_news and any(numbers.values()):
            save_progress(self._file, self._database.place, numbers, self._last_wall_ns)
            self._is_news = False
