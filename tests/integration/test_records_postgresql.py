"""A station's records in a real PostgreSQL: the same tables, the same answers, the same proof."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from postgres import Postgres, postgres
from searched_store import FILTERS, TOGETHER, fill_searched
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from inspection.records.errors import RecordLostError, RecordStoreError
from inspection.records.postgresql import connect_postgresql, prepare_postgresql
from inspection.records.reader import RecordReader
from inspection.records.replica import NUMBERED, Replica, rows_after
from inspection.records.schema import open_for_reading
from inspection.records.tables import METADATA, RECORDS, REMOVED_IMAGES, RUNS
from inspection.records.verify import verify_copy

TABLES = ("runs", "records", "removed_images", "challenges", "entries")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture
def database(server: Postgres) -> Iterator[Engine]:
    """A prepared schema of its own."""
    schema = f"station_{uuid.uuid4().hex}"
    database = connect_postgresql(server.url, schema)
    prepare_postgresql(database, schema)
    yield database
    database.dispose()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with something in every table."""
    folder = tmp_path_factory.mktemp("local")
    fill_searched(folder)
    return folder


def copy(folder: Path, database: Engine, at_once: int = 100) -> int:
    """Copy everything, in order; return how many rows were new."""
    local, replica, new = open_for_reading(folder), Replica(database), 0
    for table in NUMBERED:
        while rows := rows_after(local, table, replica.newest(table), at_once):
            new += replica.append(table, rows)
    replica.mark_removed(rows_after(local, REMOVED_IMAGES, 0, 1000))
    local.dispose()
    return new


def test_the_copy_answers_every_search_as_the_store_does(folder: Path, database: Engine) -> None:
    """Record by record and hash by hash, for each filter, every two of them, in both orders and on later pages."""
    assert copy(folder, database) > 0
    assert copy(folder, database) == 0
    local, there = RecordReader(folder), RecordReader(folder, database)
    assert there.after(0, 10_000) == local.after(0, 10_000)
    assert there.entries(limit=10_000) == local.entries(limit=10_000)
    for wanted in [*FILTERS, *TOGETHER]:
        for newest_first in (True, False):
            first = local.find(**wanted, limit=7, newest_first=newest_first)
            assert there.find(**wanted, limit=7, newest_first=newest_first) == first, wanted
            if first:
                behind = first[-1].sequence
                expected = local.find(**wanted, limit=9, newest_first=newest_first, before_sequence=behind)
                found = there.find(**wanted, limit=9, newest_first=newest_first, before_sequence=behind)
                assert found == expected, wanted
    local.close()
    there.close()


def test_the_copy_proves_itself_and_names_what_was_changed(folder: Path, database: Engine) -> None:
    """Its chain verifies; a changed cell, past the triggers, is named."""
    copy(folder, database)
    assert verify_copy(folder, database).problems == []
    with database.begin() as connection:
        connection.execute(text("ALTER TABLE records DISABLE TRIGGER USER"))
        connection.execute(text("UPDATE records SET lot = 'L-9' WHERE sequence = 17"))
        connection.execute(text("ALTER TABLE entries DISABLE TRIGGER USER"))
        connection.execute(text("DELETE FROM entries WHERE sequence = 5"))
    problems = verify_copy(folder, database).problems
    assert [problem.sequence for problem in problems] == [17, None]
    assert "entries 5 to 5" in problems[1].text


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_the_database_takes_nothing_back(folder: Path, database: Engine, table: str, statement: str) -> None:
    """UPDATE, DELETE and TRUNCATE are refused on every table."""
    copy(folder, database)
    key = METADATA.tables[table].c.keys()[0]
    with pytest.raises(DBAPIError, match="append-only"), database.begin() as connection:
        connection.execute(text(statement.format(table, key, key)))


def test_the_migrations_make_what_the_tables_say(database: Engine) -> None:
    """The same tables, columns and indexes as on SQLite."""
    with database.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


def test_no_row_is_left_out_or_replaced(folder: Path, database: Engine) -> None:
    """A gap is refused, and so is the store of another station; rows that are there may come again."""
    local, replica = open_for_reading(folder), Replica(database)
    runs, records = rows_after(local, RUNS, 0, 10), rows_after(local, RECORDS, 0, 10)
    local.dispose()
    assert replica.append(RUNS, runs) == len(runs)
    assert replica.append(RECORDS, records[:4]) == 4
    assert replica.append(RECORDS, records[2:6]) == 2
    with pytest.raises(RecordLostError, match="ends at 6, and the next row to come is 8"):
        replica.append(RECORDS, records[7:])
    stranger = [(*records[5][:-1], b"another")]
    with pytest.raises(RecordLostError, match="another one in the copy"):
        replica.append(RECORDS, stranger)
    assert replica.newest(RECORDS) == 6


def test_a_server_that_is_away_is_said_and_what_was_copied_stays(folder: Path, server: Postgres) -> None:
    """Killed in the middle, as by a power loss: the next attempt goes on behind the last durable row."""
    schema = f"station_{uuid.uuid4().hex}"
    database = connect_postgresql(server.url, schema)
    prepare_postgresql(database, schema)
    local, replica = open_for_reading(folder), Replica(database)
    replica.append(RUNS, rows_after(local, RUNS, 0, 10))
    replica.append(RECORDS, rows_after(local, RECORDS, 0, 50))
    local.dispose()
    server.stop()
    with pytest.raises(OperationalError):
        replica.newest(RECORDS)
    server.start()
    assert replica.newest(RECORDS) == 50
    copy(folder, database)
    assert verify_copy(folder, database).problems == []
    database.dispose()


def test_a_newer_schema_is_refused_by_name(server: Postgres) -> None:
    """It is left as it is."""
    database = connect_postgresql(server.url, "newer")
    prepare_postgresql(database, "newer")
    with database.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(RecordStoreError, match="schema newer: is of a newer version"):
        prepare_postgresql(database, "newer")
    database.dispose()


@pytest.mark.parametrize("name", ["", "Public", "a b", 'x"; DROP SCHEMA public', "1st"])
def test_a_name_that_cannot_be_used_is_refused(name: str) -> None:
    """Before any connection is made."""
    with pytest.raises(RecordStoreError, match="no such name"):
        connect_postgresql("postgresql://localhost/x", name)
