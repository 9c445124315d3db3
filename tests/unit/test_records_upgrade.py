"""A store of an earlier version: read as it is, taken over when it is opened for writing, never with a record lost."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from challenged import a_result
from first_version_store import RECORDS, RUN, write_first_version
from typer.testing import CliRunner

from inspection.cli.main import app
from inspection.part import Verdict
from inspection.records.reader import RecordReader
from inspection.records.record import Run
from inspection.records.schema import DATABASE_FILE, open_for_writing
from inspection.records.store import RecordStore, make_row
from inspection.records.tables import METADATA
from inspection.records.upgrade import SCHEMA_VERSION
from inspection.records.verify import verify

UNLOCK = "DROP TRIGGER records_no_update; DROP TRIGGER runs_no_update;"


@pytest.mark.parametrize("with_challenges", [False, True])
def test_a_first_store_goes_on_as_one_of_today(tmp_path: Path, with_challenges: bool) -> None:
    """Every record of it stays, byte for byte; new ones follow in the same chain, and everything verifies."""
    write_first_version(tmp_path, with_challenges=with_challenges)
    before = raw_records(tmp_path)
    store = RecordStore(tmp_path)
    assert store.head.sequence == RECORDS
    begun = store.begin_run(Run("new run", "s", "m", "", "", 7, 0, recipe="cap 28 mm"))
    [record] = store.append([make_row(a_result(1, run="new run"), begun)])
    store.close()
    assert record.sequence == RECORDS + 1
    assert raw_records(tmp_path)[:RECORDS] == before
    report = verify(tmp_path)
    assert (report.problems, report.records) == ([], RECORDS + 1)
    reader = RecordReader(tmp_path)
    assert [one.recipe for one in reader.find(limit=2)] in (["cap 28 mm", ""], ["", ""])
    assert reader.get(RECORDS + 1).recipe == "cap 28 mm"
    reader.close()


@pytest.mark.parametrize("with_challenges", [False, True])
def test_a_reader_shows_a_first_store_and_changes_nothing(tmp_path: Path, with_challenges: bool) -> None:
    """An archived folder is listed, searched and verified without being upgraded."""
    write_first_version(tmp_path, with_challenges=with_challenges)
    before = (tmp_path / DATABASE_FILE).read_bytes()
    reader = RecordReader(tmp_path)
    rejected = reader.find(verdict=Verdict.REJECT, limit=3)
    assert [(record.part, record.lot, record.batches) for record in rejected] == [
        (300, "", ()),
        (290, "", ()),
        (280, "", ()),
    ]
    assert (reader.entries(), reader.challenges(9), reader.counts(RUN[0]).passed) == ([], [], 270)
    reader.close()
    report = verify(tmp_path)
    assert (report.problems, report.records) == ([], RECORDS)
    listed = CliRunner().invoke(app, ["records", "list", "--dir", str(tmp_path), "--json"])
    assert len(json.loads(listed.stdout)["records"]) == 20
    assert (tmp_path / DATABASE_FILE).read_bytes() == before


def test_what_no_old_hash_covers_may_not_be_filled_in(tmp_path: Path) -> None:
    """Writing a lot into a record of a time without lots, or a recipe into its run, is found."""
    write_first_version(tmp_path, with_challenges=True)
    RecordStore(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE)) as connection:
        connection.executescript(UNLOCK + "UPDATE records SET lot = 'L-9' WHERE sequence = 7")
    assert [problem.sequence for problem in verify(tmp_path).problems if "trigger" not in problem.text] == [7]
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE)) as connection:
        connection.executescript("UPDATE records SET lot = ''; UPDATE runs SET recipe = 'better'")
    texts = [problem.text for problem in verify(tmp_path).problems if "trigger" not in problem.text]
    assert texts == [f"run {RUN[0]!r}: its particulars were changed"]


def test_the_format_of_a_run_cannot_be_changed(tmp_path: Path) -> None:
    """Calling a new run an old one would take the lots out of the hashes: it is named."""
    store = RecordStore(tmp_path)
    begun = store.begin_run(Run("r", "s", "m", "", "", 7, 0))
    store.append([make_row(a_result(1, run="r"), begun)])
    store.close()
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE)) as connection:
        connection.executescript(UNLOCK + "UPDATE runs SET format = 1")
    assert "run 'r': its particulars were changed" in [problem.text for problem in verify(tmp_path).problems]


@pytest.mark.filterwarnings("ignore:.*expression-based index")
def test_the_migrations_make_what_the_tables_say(tmp_path: Path) -> None:
    """Made anew or taken over, a database has exactly the tables, columns and indexes that the program works with."""
    for name, is_old in (("new", False), ("old", True)):
        folder = tmp_path / name
        folder.mkdir()
        if is_old:
            write_first_version(folder, with_challenges=False)
        connection = open_for_writing(folder)
        with connection.begin():
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            differences = compare_metadata(context, METADATA)
        connection.close()
        assert [one for one in differences if not is_said_otherwise(one)] == []
        with closing(sqlite3.connect(folder / DATABASE_FILE)) as plain:
            assert plain.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
            names = {row[0] for row in plain.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
        assert {index.name for table in METADATA.tables.values() for index in table.indexes} <= names


def test_an_upgrade_that_is_killed_leaves_the_old_store(tmp_path: Path) -> None:
    """DDL is part of the transaction: killed in the middle of it, the store is as it was; the next start goes on."""
    write_first_version(tmp_path, with_challenges=True)
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from inspection.records import schema\n"
        "real = schema.upgrade\n"
        "def upgrade(connection, taken_over):\n"
        "    real(connection, taken_over)\n"
        "    os.kill(os.getpid(), 9)\n"
        "schema.upgrade = upgrade\n"
        "schema.open_for_writing(Path(sys.argv[1]))\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(tmp_path)], env=dict(os.environ), timeout=60, check=False)
    assert ended.returncode == -9
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    assert not names & {"entries", "alembic_version", "records_by_lot"}
    RecordStore(tmp_path).close()
    report = verify(tmp_path)
    assert (report.problems, report.records) == ([], RECORDS)


def is_said_otherwise(difference: object) -> bool:
    """The first version did not say NOT NULL of its primary keys, which SQLite holds not to be null anyway."""
    [kind, _, _, column, *_] = difference[0] if isinstance(difference, list) else ("", "", "", "")
    return kind == "modify_nullable" and column in ("sequence", "run_id")


def raw_records(folder: Path) -> list[tuple[object, ...]]:
    """Every record's first 33 columns and hash, as they lie in the file."""
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as connection:
        return [row[:34] for row in connection.execute("SELECT * FROM records ORDER BY sequence")]
