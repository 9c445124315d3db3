"""A damaged schema, or a damaged table of the version, is told in one sentence: by the check, and by whoever opens."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from challenged import a_result
from typer.testing import CliRunner

from inspection.cli.records import app
from inspection.records.errors import RecordStoreError
from inspection.records.reader import RecordReader
from inspection.records.record import Run
from inspection.records.schema import DATABASE_FILE
from inspection.records.store import RecordStore, make_row
from inspection.records.upgrade import REVISIONS, VERSION_TABLE
from inspection.records.verify import verify

_NAMED = "the schema of the database is damaged: "
_STEP = 29  # bytes of the schema between two that are damaged in turn


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schema")
    store = RecordStore(folder)
    begun = store.begin_run(Run("r", "s", "m", "", "", 0, 0))
    store.append([make_row(a_result(n, run="r"), begun) for n in range(1, 4)])
    store.close()
    assert verify(folder).ok
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "copy"))


def spoil(folder: Path, at: int) -> None:
    """Flip all bits of one byte of the database."""
    data = bytearray((folder / DATABASE_FILE).read_bytes())
    data[at] ^= 0xFF
    (folder / DATABASE_FILE).write_bytes(data)


def place(folder: Path, text: bytes) -> int:
    data = (folder / DATABASE_FILE).read_bytes()
    assert text in data
    return data.index(text)


def page_of(folder: Path, table: str) -> tuple[int, int]:
    """Return where the first page of a table begins, and its bytes."""
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as connection:
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    return (root - 1) * size, size


@pytest.mark.parametrize(
    ("text", "why"), [(b"TABLE records", "a name in it is no text"), (b"ejector_action", "no such column")]
)
def test_a_damaged_schema_is_one_sentence(folder: Path, text: bytes, why: str) -> None:
    """`verify` ends with 1 and names it as a problem; `list` and `export` refuse, and name the file."""
    spoil(folder, place(folder, text))
    checked = CliRunner().invoke(app, ["verify", "--dir", str(folder), "--json"])
    assert checked.exit_code == 1
    problems = "\n".join(problem["text"] for problem in json.loads(checked.stdout)["problems"])
    assert (_NAMED if why.startswith("a name") else "the table records of the database was changed") in problems
    for command in (["list"], ["export", str(folder / "out.csv")]):
        refused = CliRunner().invoke(app, [*command, "--dir", str(folder)]).exception
        assert isinstance(refused, RecordStoreError)
        assert str(refused).startswith(f"{folder / DATABASE_FILE}: {_NAMED}{why}")
        assert len(str(refused).splitlines()) == 1


def test_no_byte_of_the_schema_makes_a_check_fail(original: Path, folder: Path) -> None:
    """Whichever is damaged: the check finds or does not find something, and opening works or is refused by name."""
    size = 4096
    data = (original / DATABASE_FILE).read_bytes()
    pages = [at for at in range(0, len(data), size) if b"CREATE T" in data[at : at + size]]
    assert pages
    found = 0

    def opened(what: Callable[[Path], RecordReader | RecordStore]) -> str:
        try:
            what(folder).close()
        except RecordStoreError as refused:
            return str(refused)
        return ""

    for at in (at for page in pages for at in range(page + size // 4, page + size, _STEP)):
        (folder / DATABASE_FILE).write_bytes(data)
        spoil(folder, at)
        report = verify(folder)
        found += not report.ok
        refusals = [opened(RecordReader), opened(RecordStore)]
        assert all(str(folder / DATABASE_FILE) in one for one in refusals if one)
        assert not (report.ok and any(refusals))
    assert found > len(pages) * 20


def test_a_damaged_table_of_the_version_is_named(folder: Path) -> None:
    """It holds one row, ours: its page with another number of rows is damage, as SQLite's own check says."""
    at, size = page_of(folder, VERSION_TABLE)
    data = bytearray((folder / DATABASE_FILE).read_bytes())
    assert data[at] == 13, "a leaf of a table"
    data[at + 3 : at + 5] = (84).to_bytes(2, "big")
    (folder / DATABASE_FILE).write_bytes(data)
    report = verify(folder)
    assert any(
        problem.text.startswith(f"the table {VERSION_TABLE} of the database is damaged") for problem in report.problems
    )
    assert size >= 512


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (f"INSERT INTO {VERSION_TABLE} VALUES ('0001')", "holds '0002', '0001': '0002' alone is right"),
        (f"DELETE FROM {VERSION_TABLE}", "holds nothing: '0002' alone is right"),
        (f"UPDATE {VERSION_TABLE} SET version_num = 'x'", "holds 'x': '0002' alone is right"),
        (f"DROP TABLE {VERSION_TABLE}", "is missing"),
    ],
)
def test_the_table_of_the_version_holds_ours_alone(folder: Path, statement: str, told: str) -> None:
    """Another version than the database's own would have it upgraded twice, or refused."""
    assert REVISIONS[-1] == "0002"
    with closing(sqlite3.connect(folder / DATABASE_FILE, isolation_level=None)) as connection:
        connection.execute(statement)
    assert [problem.text for problem in verify(folder).problems] == [
        f"the table {VERSION_TABLE} of the database {told}"
    ]
