"""A store that a full disk or a kill left half made."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from inspection.records.errors import RecordStoreError
from inspection.records.schema import DATABASE_FILE
from inspection.records.store import RecordStore


def test_a_half_made_store_is_made_again(tmp_path: Path) -> None:
    """An SQLite file that has its WAL mode but no table yet becomes a store, rather than being refused for ever."""
    connection = sqlite3.connect(tmp_path / DATABASE_FILE)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    assert (tmp_path / DATABASE_FILE).stat().st_size > 0
    store = RecordStore(tmp_path)
    assert store.head.sequence == 0
    store.close()


def test_somebody_elses_database_is_left_alone(tmp_path: Path) -> None:
    """A file with tables of another program is refused, and still has them afterwards."""
    with sqlite3.connect(tmp_path / DATABASE_FILE) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(RecordStoreError, match="application id"):
        RecordStore(tmp_path)
    tables = sqlite3.connect(tmp_path / DATABASE_FILE).execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == [("recipes",)]
