"""A copy of a station's records in another database: rows go there as they are, in order, and none twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Table, func, select
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from inspection.records.errors import RecordLostError
from inspection.records.tables import CHALLENGES_TABLE, ENTRIES_TABLE, RECORDS, REMOVED_IMAGES, RUNS

NUMBERED = (RUNS, RECORDS, CHALLENGES_TABLE, ENTRIES_TABLE)
"""The tables whose rows are numbered without a gap, in the order in which they may be copied."""
_INSERTS: dict[str, Any] = {"postgresql": insert_postgresql, "sqlite": insert_sqlite}

Rows = Sequence[tuple[Any, ...]]


def rows_after(database: Engine, table: Table, number: int, limit: int) -> Rows:
    """Return the rows of a numbered table behind a number, as they are, oldest first."""
    key = _key(table)
    with database.connect() as connection:
        return [tuple(row) for row in connection.execute(select(table).where(key > number).order_by(key).limit(limit))]


class Replica:
    """The copy; owned by whoever forwards, one thread. Each call is one transaction, durable on return.

    Every call raises sqlalchemy.exc.OperationalError when the database cannot be reached or refuses: the same rows may
    be given again, whatever became of them.
    """

    def __init__(self, database: Engine) -> None:
        """Take a database whose tables are prepared."""
        self._database = database

    def newest(self, table: Table) -> int:
        """Return the number of the newest row that is there; 0 for none."""
        with self._database.connect() as connection:
            return _newest(connection, table)

    def append(self, table: Table, rows: Rows) -> int:
        """Append rows of a numbered table and return how many were new.

        Raises RecordLostError when there would be a gap, or when a row that is there is another one.
        """
        key = _place(table)
        with self._database.begin() as connection:
            newest = _newest(connection, table)
            fresh = [row for row in rows if row[key] > newest]
            self._compare(connection, table, [row for row in rows if row[key] == newest])
            if [row[key] for row in fresh] != list(range(newest + 1, newest + 1 + len(fresh))):
                raise RecordLostError(
                    f"the copy of {table.name} ends at {newest}, and the next row to come is {fresh[0][key]} — none "
                    "may be left out — copy from the one behind its end"
                )
            _insert(connection, table, fresh)
        return len(fresh)

    def mark_removed(self, rows: Rows) -> None:
        """Note images that the station's disk budget removed; those that are noted already stay as they are."""
        if not rows:
            return
        with self._database.begin() as connection:
            insert = _INSERTS[connection.dialect.name](REMOVED_IMAGES).on_conflict_do_nothing()
            connection.execute(insert, [dict(zip(REMOVED_IMAGES.c.keys(), row, strict=True)) for row in rows])

    @staticmethod
    def _compare(connection: Connection, table: Table, rows: Rows) -> None:
        for row in rows:
            there = connection.execute(select(table).where(_key(table) == row[_place(table)])).one()
            if tuple(there) != row:
                raise RecordLostError(
                    f"row {row[_place(table)]} of {table.name} is another one in the copy — a copy holds the "
                    "records of one station's one store — name another schema for this store"
                )


def _key(table: Table) -> Any:
    return table.primary_key.columns[0]


def _place(table: Table) -> int:
    return table.c.keys().index(_key(table).name)


def _newest(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.coalesce(func.max(_key(table)), 0))).scalar_one())


def _insert(connection: Connection, table: Table, rows: Rows) -> None:
    """Append rows through the driver's own executemany: PostgreSQL's sends them without waiting for each."""
    if not rows:
        return
    mark = {"qmark": "?"}.get(connection.dialect.paramstyle, "%s")
    marks = ", ".join([mark] * len(table.c))
    connection.exec_driver_sql(f"INSERT INTO {table.name} ({', '.join(table.c.keys())}) VALUES ({marks})", list(rows))
