"""An index that does not hold every record would hide some from a search: a check names it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from challenged import a_result

from inspection.part import Verdict
from inspection.records.reader import RecordReader
from inspection.records.record import Run
from inspection.records.schema import DATABASE_FILE
from inspection.records.store import RecordStore, make_row
from inspection.records.tables import METADATA
from inspection.records.verify import verify

RECORDS = 30


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("indexed")
    store = RecordStore(folder)
    begun = store.begin_run(Run("r", "s", "m", "", "", 0, 0))
    store.append([make_row(a_result(n, run="r"), begun) for n in range(1, RECORDS + 1)])
    store.close()
    assert verify(folder).ok
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "copy"))


def problems(folder: Path) -> str:
    return "\n".join(problem.text for problem in verify(folder).problems)


def run(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / DATABASE_FILE, isolation_level=None)) as connection:
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, False) if hasattr(connection, "setconfig") else None
        for statement in statements:
            connection.execute(statement)


def without_record_7(folder: Path) -> str:
    """Make each index of records again without one record; return the SQL of one of them."""
    with closing(sqlite3.connect(folder / DATABASE_FILE, isolation_level=None)) as connection:
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'records' AND sql <> ''"
        found = connection.execute(query).fetchall()
        for name, sql in found:
            connection.execute(f"DROP INDEX {name}")
            connection.execute(sql + (" AND" if " WHERE " in sql else " WHERE") + " sequence <> 7")
        connection.execute("PRAGMA writable_schema = ON")
        for name, sql in found:
            connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (sql, name))
        return str(found)


def test_a_record_that_an_index_hides_is_named(folder: Path) -> None:
    """The index was made again without one record, and its SQL put back: searches miss it, the check does not."""
    hidden = verify(folder)
    assert hidden.ok
    without_record_7(folder)
    reader = RecordReader(folder)
    listed = {one.sequence for verdict in Verdict for one in reader.find(verdict=verdict, limit=100)}
    listed |= {one.sequence for one in reader.find(limit=100)}
    reader.close()
    assert 7 not in listed
    assert "row 7 missing from index records_by_time" in problems(folder)


def test_an_index_with_another_condition_is_named(folder: Path) -> None:
    """It is whole by its own words, so only those tell."""
    run(
        folder,
        "DROP INDEX records_by_time",
        "CREATE INDEX records_by_time ON records (trigger_wall_ns, sequence) WHERE sequence <> 7",
    )
    assert (
        problems(folder) == "the index records_by_time of the database was changed: searches may not find every record"
    )


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DROP INDEX records_by_lot", "the index records_by_lot of the database is missing"),
        (
            "CREATE INDEX mine ON records (part)",
            "the index mine of the database is not ours: what it does cannot be told",
        ),
        (
            "CREATE TRIGGER mine BEFORE INSERT ON records BEGIN SELECT RAISE(IGNORE); END",
            "the trigger mine of the database is not ours: what it does cannot be told",
        ),
        ("ALTER TABLE runs ADD COLUMN more TEXT", "the table runs of the database was changed"),
    ],
)
def test_what_is_missing_or_strange_is_named(folder: Path, statement: str, told: str) -> None:
    """Whatever lies in the database must be what a station makes."""
    run(folder, statement)
    assert told in problems(folder)


@pytest.mark.parametrize("table", list(METADATA.tables))
def test_a_dropped_trigger_is_named_and_made_again(folder: Path, table: str) -> None:
    """Rows could be changed until the station's next start."""
    run(folder, f"DROP TRIGGER {table}_no_update")
    assert f"the trigger {table}_no_update of the database is missing" in problems(folder)
    RecordStore(folder).close()
    assert problems(folder) == ""
