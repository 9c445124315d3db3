"""One damaged cell costs its own record alone: it is named, all others are read, and nothing damaged looks sound."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from challenged import a_result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from inspection.cli.main import app
from inspection.records.columns import CONTENT_NAMES
from inspection.records.errors import RecordLostError
from inspection.records.export import SUFFIXES, export, found
from inspection.records.reader import RecordReader
from inspection.records.record import Run
from inspection.records.schema import DATABASE_FILE
from inspection.records.search import Search
from inspection.records.store import RecordStore, make_row
from inspection.support.facts import last_records

COUNT, DAMAGED = 5, 3
VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(max_size=8),
    st.binary(max_size=40),
    st.sampled_from(["abc", "{}", "[]", "[1]", '["a"]', "[[1]]", '{"views": 5}', '{"views": [{}]}', "x" * 64, "["]),
    st.sampled_from(["[" * 100_000, '{"identity": []}', "[[1, 2, 3]]", "[null]", "NaN", "1" * 5000, "\ufffd"]),
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five records with scores and views, one with a character that other programs put in the place of bad bytes."""
    folder = tmp_path_factory.mktemp("sound")
    store = RecordStore(folder)
    begun = store.begin_run(Run("r", "s", "m", "", "", 0, 0))
    for number in range(1, COUNT + 1):
        result = a_result(number, run="r")
        decision = replace(result.decision, raw_scores=(0.25, 0.75))
        views = {"views": [{"camera": "top", "missing": number == 1}]}
        store.append([make_row(replace(result, decision=decision, extra=views, lot=f"L\ufffd{number}"), begun)])
    store.close()
    return folder


def damaged(original: Path, tmp_path: Path, column: str, value: object, *more: int) -> Path | None:
    """Return a copy in which one column of some rows has the value; None where SQLite refuses it or it was there."""
    folder = tmp_path / "copy"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(original, folder)
    with closing(sqlite3.connect(folder / DATABASE_FILE, isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for number in (DAMAGED, *more):
            try:
                connection.execute(f"UPDATE records SET {column} = ? WHERE sequence = ?", (value, number))
            except (sqlite3.IntegrityError, UnicodeEncodeError):
                return None
        for _, statement in triggers:
            connection.execute(statement)
    return folder


def said(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["records", *words, "--dir", str(folder)])


CELLS = [
    ("extra", '{"a'),
    ("extra", "[1]"),
    ("raw_scores", '{"a": 1}'),
    ("raw_scores", '["0.9"]'),
    ("batches", "[[1]]"),
    ("verdict", "PERHAPS"),
    ("score", "high"),
    ("part", "seven"),
    ("trigger_wall_ns", "now"),
    ("lot", b"\x00\xff"),
    ("hash", "abc"),
    ("run_id", 77),
]


@pytest.mark.parametrize(("column", "value"), CELLS)
def test_a_damaged_cell_is_named_and_all_others_are_shown(
    original: Path, tmp_path: Path, column: str, value: object
) -> None:
    """list and export leave that record out, end with 1 and say on stderr which, which cell and what to run; show says
    it of that record, and shows another.
    """
    folder = damaged(original, tmp_path, column, value)
    assert folder is not None
    others = [number for number in range(COUNT, 0, -1) if number != DAMAGED]
    listed = said(folder, "list", "--json")
    told = json.loads(listed.stdout)
    assert (listed.exit_code, [one["sequence"] for one in told["records"]], told["ok"]) == (1, others, False)
    assert [(one["record"], one["cell"]) for one in told["damaged"]] == [(DAMAGED, column)]
    shown = said(folder, "list")
    assert shown.stdout.count("REJECT") == len(others)
    for result in (listed, shown, said(folder, "export", str(tmp_path / "out.csv"))):
        [line] = result.stderr.splitlines()
        assert f"record {DAMAGED}: its {column} cannot be read" in line
        assert f"lineward records verify --dir {folder}" in line
        assert result.exit_code == 1
    rows = list(csv.DictReader((tmp_path / "out.csv").open(newline="", encoding="utf-8")))
    assert [int(row["sequence"]) for row in rows] == others[::-1]
    assert said(folder, "show", str(DAMAGED + 1)).exit_code == 0
    assert isinstance(said(folder, "show", str(DAMAGED)).exception, RecordLostError)
    newest = json.loads(last_records(folder))
    assert ([one["sequence"] for one in newest["newest"]], len(newest["damaged"])) == (others, 1)


def test_many_damaged_records_are_one_sentence_and_no_page_ends_early(original: Path, tmp_path: Path) -> None:
    """All but the last are damaged: each is named with its cell, pages go on behind them."""
    folder = damaged(original, tmp_path, "extra", "{", 1, 2, 4)
    assert folder is not None
    listed = said(folder, "list")
    assert listed.exit_code == 1
    assert "4 records cannot be read and are left out here: 4 (extra), 3 (extra), 2 (extra), 1 (extra)" in listed.stderr
    pages, behind = [], None
    reader = RecordReader(folder)
    while page := reader.page(Search(), limit=1, before_sequence=behind):
        pages += page
        behind = page[0].row if isinstance(page[0], RecordLostError) else page[0].sequence
    reader.close()
    assert [isinstance(one, RecordLostError) for one in pages] == [False, True, True, True, True]


def test_bytes_that_are_no_text_are_told_from_a_text_that_shows_the_same(original: Path, tmp_path: Path) -> None:
    """A reader's mark for bad bytes is a character of its own in the lots of all records: only the bad bytes count."""
    folder = damaged(original, tmp_path, "part", 99)
    assert folder is not None
    with closing(sqlite3.connect(folder / DATABASE_FILE, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER records_no_update")
        connection.execute("UPDATE records SET lot = CAST(x'4CFF' AS TEXT) WHERE sequence = ?", (DAMAGED,))
    told = json.loads(said(folder, "list", "--json").stdout)
    assert [(one["record"], one["cell"]) for one in told["damaged"]] == [(DAMAGED, "lot")]
    assert len(told["records"]) == COUNT - 1


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(column=st.sampled_from([*CONTENT_NAMES, "run_id", "hash"]), value=VALUES)
def test_whatever_lies_in_a_cell_the_others_are_read(
    original: Path, tmp_path: Path, column: str, value: object
) -> None:
    """Every other record is as it was; the one is named, or can be written in every form."""
    folder = damaged(original, tmp_path, column, value)
    if folder is None:
        return
    reader, sound = RecordReader(folder), RecordReader(original)
    expected = {one.sequence: one for one in sound.after(0, COUNT)}
    rows: list[Any] = reader.page(Search(), limit=COUNT)
    assert len(rows) == COUNT
    for row in rows:
        number = row.row if isinstance(row, RecordLostError) else row.sequence
        assert number == DAMAGED or row == expected[number]
    for suffix in SUFFIXES:
        out = folder / f"out{suffix}"
        assert export(found(reader, Search(), []), out, lambda _: None) >= COUNT - 1
    reader.close()
    sound.close()
    assert said(folder, "list").exit_code in (0, 1)
