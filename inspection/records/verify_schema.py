"""Checking the database itself: that its tables, indexes and triggers are ours, and that each index holds each row."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from sqlalchemy import Connection, create_engine

from inspection.records.upgrade import REVISIONS, SCHEMA_VERSION, VERSION_TABLE, upgrade

Schema = dict[str, tuple[str, str]]
"""Of each object its kind, and its SQL without blanks and quotes, or its columns."""

_ROWS_SHOWN = 5
_SIDE_TABLES = ("challenges", "entries")  # a store of the first version may have them already
_OBJECTS = "SELECT type, name, tbl_name, sql FROM main.sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"


def check_schema(connection: Connection, add: Callable[[str], None]) -> None:
    """Name what is missing, changed or strange among tables, indexes and triggers of an SQLite database."""
    (version,) = connection.exec_driver_sql("PRAGMA user_version").one()
    found, expected = _schema(connection), _expected(version)
    beside = _expected(SCHEMA_VERSION, _SIDE_TABLES)
    for name in sorted(expected.keys() - found.keys()):
        if name != VERSION_TABLE:
            kind = expected[name][0]
            why = ": rows can be changed or deleted, the station makes it again" if kind == "trigger" else ""
            add(f"the {kind} {name} of the database is missing{why}")
    for name in sorted(found.keys() - {VERSION_TABLE}):
        if name not in expected and name not in beside:
            add(f"the {found[name][0]} {name} of the database is not ours: what it does cannot be told")
        elif found[name] not in (expected.get(name), beside.get(name)):
            add(f"the {found[name][0]} {name} of the database was changed: searches may not find every record")


def check_indexes(connection: Connection, add: Callable[[str], None]) -> None:
    """Let SQLite hold every table against its indexes, one table at a time, and name what it says."""
    present = connection.exec_driver_sql("SELECT name FROM main.sqlite_master WHERE type = 'table'").scalars().all()
    for table in ("sqlite_schema", *present):
        quoted = str(table).replace('"', '""')
        for (said,) in connection.exec_driver_sql(f'PRAGMA main.integrity_check("{quoted}")').all():
            if said != "ok":
                add(f"the table {table} of the database is damaged: {said}")


def check_version(connection: Connection, add: Callable[[str], None]) -> None:
    """Hold the version that Alembic noted against the database's own; the first version had no such table."""
    (version,) = connection.exec_driver_sql("PRAGMA user_version").one()
    is_there = "SELECT count(*) FROM main.sqlite_master WHERE type = 'table' AND name = ?"
    if not connection.exec_driver_sql(is_there, (VERSION_TABLE,)).scalar_one():
        if version > 1:
            add(f"the table {VERSION_TABLE} of the database is missing")
        return
    found = (
        connection.exec_driver_sql(f"SELECT version_num FROM main.{VERSION_TABLE} LIMIT {_ROWS_SHOWN}").scalars().all()
    )
    if found != [REVISIONS[version - 1]]:
        told = ", ".join(map(ascii, found)) or "nothing"
        add(f"the table {VERSION_TABLE} of the database holds {told}: {REVISIONS[version - 1]!r} alone is right")


def _schema(connection: Connection, tables: tuple[str, ...] = ()) -> Schema:
    rows = connection.exec_driver_sql(_OBJECTS).all()
    return {
        name: (kind, _columns(connection, name, str(sql)) if kind == "table" else _plain(sql))
        for kind, name, table, sql in rows
        if not tables or table in tables
    }


def _columns(connection: Connection, table: str, sql: str) -> str:
    """Return what counts of a table, whose SQL was another in earlier versions: its columns, and how they compare."""
    query = "SELECT name, pk, hidden FROM pragma_table_xinfo(?, 'main') ORDER BY name"
    compares = "COLLATE" in sql.upper()
    return repr([*connection.exec_driver_sql(query, (table,)).all(), compares])


@cache
def _expected(version: int, tables: tuple[str, ...] = ()) -> Schema:
    """Return what a store of a version has, as its migrations make it."""
    with create_engine("sqlite+pysqlite://").begin() as connection:
        upgrade(connection, target=REVISIONS[version - 1])
        return _schema(connection, tables)


def _plain(sql: object) -> str:
    return "".join(str(sql).replace('"', "").split()).replace("IFNOTEXISTS", "")
