"""A store of the first version seen as one of this version, by a reader that may change nothing."""

from __future__ import annotations

import sqlite3

from inspection.records.tables import METADATA

_ADDED = {
    "runs": {
        "recipe": "''",
        "recipe_hash": "''",
        "thresholds_hash": "''",
        "camera_settings_hash": "''",
        "provider": "''",
        "format": "1",
    },
    "records": {"lot": "''", "serial": "''", "ejector_command": "''", "ejector_due_host_ns": "NULL", "batches": "'[]'"},
}


def show_as_newest(connection: sqlite3.Connection, version: int) -> None:
    """Lay temporary views before the tables, which live in this connection only: they add what is missing."""
    if version == 1:
        for table, columns in _ADDED.items():
            added = ", ".join(f"{value} AS {name}" for name, value in columns.items())
            connection.execute(f"CREATE TEMP VIEW {table} AS SELECT *, {added} FROM main.{table}")
    query = "SELECT name FROM main.sqlite_master WHERE type = 'table'"
    present = {name for (name,) in connection.execute(query)}
    for table in ("challenges", "entries"):
        if table not in present:
            columns_of_it = ", ".join(f"NULL AS {column.name}" for column in METADATA.tables[table].c)
            connection.execute(f"CREATE TEMP VIEW {table} AS SELECT {columns_of_it} WHERE 0")
