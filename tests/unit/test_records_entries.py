"""The book of entries: durable on return, found by what was asked for, and no change of it goes unseen."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest
from challenged import a_result
from forger import forge
from typer.testing import CliRunner

from inspection.cli.main import app
from inspection.records.entries import ENTRIES_HEAD_FILE, Entry, EntryKind
from inspection.records.errors import RecordDiskError, RecordLostError
from inspection.records.options import RecordsOptions
from inspection.records.reader import RecordReader
from inspection.records.record import Run
from inspection.records.schema import DATABASE_FILE
from inspection.records.store import RecordStore, make_row
from inspection.records.verify import verify
from inspection.records.writer import RecordWriter

UNLOCK = "DROP TRIGGER entries_no_update; DROP TRIGGER entries_no_delete; DROP TRIGGER records_no_update;"
_MOVE = "UPDATE entries SET sequence = {} WHERE sequence = {};"
SWAP = _MOVE.format(-1, 2) + _MOVE.format(2, 3) + _MOVE.format(3, -1)


def fill(folder: Path) -> None:
    """Six entries, before and after two records."""
    store = RecordStore(folder)
    begun = store.begin_run(Run("r", "s", "m", "", "", 7, 0))
    store.append_note(Entry(EntryKind.LOT, "L-1", "kim", 1, {"step": "STARTED"}))
    for part in (1, 2):
        store.append([make_row(a_result(part, run="r"), begun)])
        store.append_note(Entry(EntryKind.REVIEW, str(part), "lee", 2, {"verdict": "OK"}))
    store.append_note(Entry(EntryKind.LOT, "L-1", "kim", 3, {"step": "STOPPED"}))
    store.append_note(Entry(EntryKind.REVIEW, "1", "kim", 4, {"verdict": "NOT_OK"}))
    store.append_note(Entry(EntryKind.AUDIT, "Stop", "한글 \udc80\0", 5, {"before": None, "after": ["x", 1.5]}))
    store.close()


def test_what_was_noted_is_found_by_every_filter(tmp_path: Path) -> None:
    """By kind, subject and person; onwards from a number in either order; the content as it was."""
    fill(tmp_path)
    reader = RecordReader(tmp_path)
    everything = reader.entries()
    assert [one.sequence for one in everything] == [1, 2, 3, 4, 5, 6]
    assert [one.record_sequence for one in everything] == [0, 1, 2, 2, 2, 2]
    assert everything[5].entry.content == {"before": None, "after": ["x", 1.5]}
    assert [one.sequence for one in reader.entries(kind=EntryKind.LOT, subject="L-1")] == [1, 4]
    assert [one.sequence for one in reader.entries(who="lee", newest_first=True)] == [3, 2]
    assert [one.sequence for one in reader.entries(after=2, limit=2)] == [3, 4]
    assert [one.sequence for one in reader.entries(after=5, limit=2, newest_first=True)] == [4, 3]
    reader.close()
    report = verify(tmp_path)
    assert (report.problems, report.entries) == ([], 6)


def test_an_entry_is_readable_when_note_returns_whatever_thread_noted_it(tmp_path: Path) -> None:
    """Eight threads note at once beside the records: each sees its own, and the chain holds."""
    writer, reader = RecordWriter(RecordStore(tmp_path), RecordsOptions(min_free_mb=0)), RecordReader(tmp_path)
    writer.begin_run(Run("r", "s", "m", "", "", 7, 0))
    missed: list[str] = []

    def note(name: str) -> None:
        for number in range(20):
            stored = writer.note(Entry(EntryKind.AUDIT, f"{name}-{number}", name, number))
            if reader.entries(subject=f"{name}-{number}") != [stored]:
                missed.append(stored.entry.subject)

    threads = [threading.Thread(target=note, args=(f"t{index}",)) for index in range(8)]
    for thread in threads:
        thread.start()
    for part in range(1, 200):
        assert writer.submit(a_result(part, run="r"))
    for thread in threads:
        thread.join(60)
    assert writer.close(30)
    reader.close()
    report = verify(tmp_path)
    assert (missed, report.problems, report.entries, report.records) == ([], [], 160, 199)


@pytest.mark.parametrize("content", [{"at": object()}, {"share": float("nan")}])
def test_what_is_no_json_is_refused_and_leaves_nothing(tmp_path: Path, content: dict[str, object]) -> None:
    """The next entry follows as if it had never been tried."""
    store = RecordStore(tmp_path)
    with pytest.raises((TypeError, ValueError)):
        store.append_note(Entry(EntryKind.STATION, "s", "", 1, content))
    assert store.append_note(Entry(EntryKind.STATION, "s", "", 1)).sequence == 1
    store.close()
    assert verify(tmp_path).ok


def test_a_locked_database_is_said_and_then_gone_on_with(tmp_path: Path) -> None:
    """Another program holds the database: the command is refused, nothing is left half done, and the next one works."""
    writer = RecordWriter(RecordStore(tmp_path), RecordsOptions(min_free_mb=0))
    driver = writer._store.connection.connection.driver_connection
    driver.execute("PRAGMA busy_timeout = 0")
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(2):
            with pytest.raises(RecordDiskError, match="database is locked"):
                writer.note(Entry(EntryKind.AUDIT, "Stop", "kim", 1))
        other.execute("ROLLBACK")
    assert writer.note(Entry(EntryKind.AUDIT, "Stop", "kim", 2)).sequence == 1
    assert writer.close(30)
    assert verify(tmp_path).ok


def test_a_review_names_a_record(tmp_path: Path) -> None:
    """Its subject is a number: by it the record is found again."""
    store = RecordStore(tmp_path)
    with pytest.raises(ValueError, match="record's number"):
        store.append_note(Entry(EntryKind.REVIEW, "the last one", "kim", 1))
    store.close()


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("UPDATE entries SET who = 'lee' WHERE sequence = 1", "^entry 1 of the book of entries was changed"),
        ("UPDATE entries SET content = '{}' WHERE sequence = 6", "^entry 6 .* was changed"),
        ("UPDATE entries SET record_sequence = 1 WHERE sequence = 4", "^entry 4 .* not the one that it names"),
        ("UPDATE records SET hash = x'00' WHERE sequence = 1", "^entry 2 .* not the one that it names"),
        ("DELETE FROM entries WHERE sequence = 3", "^entry 3 .* missing"),
        ("DELETE FROM entries WHERE sequence > 4", "^entries 5 to 6 .* missing"),
        ("DELETE FROM entries", "^entries 1 to 6 .* missing"),
        (SWAP, "^entry 2 .* does not follow"),
    ],
)
def test_meddling_is_found(tmp_path: Path, script: str, found: str) -> None:
    """Whatever is changed, removed, reordered or cut off behind the station's back, `records verify` names it."""
    fill(tmp_path)
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE)) as connection:
        connection.executescript(UNLOCK + script)
    report = verify(tmp_path)
    assert any(re.search(found, problem.text) for problem in report.problems), report.problems


def test_a_large_book_is_checked_in_the_same_memory(tmp_path: Path) -> None:
    """Ten times as many entries take no more; a challenge of any size would not either."""
    peaks = []
    for count in (3_000, 30_000):
        folder = tmp_path / str(count)
        RecordStore(folder).close()
        numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
        forge(folder, f"{numbers} INSERT INTO entries SELECT i, 'AUDIT', 'Stop', 'kim', i, '{{}}', 0, '', x'00' FROM n")
        tracemalloc.start()
        report = verify(folder)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert (report.problems, report.entries) == ([], count)
    assert peaks[1] < 1.3 * peaks[0]


@pytest.mark.parametrize("statement", ["UPDATE entries SET who = ''", "DELETE FROM entries"])
def test_the_table_takes_nothing_back(tmp_path: Path, statement: str) -> None:
    """The database itself refuses to change or remove an entry."""
    fill(tmp_path)
    refused = pytest.raises(sqlite3.IntegrityError, match="append-only")
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE)) as connection, refused:
        connection.execute(statement)


def test_a_book_that_lost_its_end_is_not_continued(tmp_path: Path) -> None:
    """A station never goes on from a book whose last commands were cut off."""
    fill(tmp_path)
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE)) as connection:
        connection.executescript(UNLOCK + "DELETE FROM entries WHERE sequence > 2")
    with pytest.raises(RecordLostError, match="end at 2, but 6 were durable"):
        RecordStore(tmp_path)


def test_a_lost_head_is_said(tmp_path: Path) -> None:
    """Without the head file nobody can tell whether the last entries were removed."""
    fill(tmp_path)
    (tmp_path / ENTRIES_HEAD_FILE).unlink()
    [problem] = verify(tmp_path).problems
    assert problem.text.startswith(f"{ENTRIES_HEAD_FILE} is missing or unreadable")


def test_the_command_lists_the_book_by_every_filter_and_page(tmp_path: Path) -> None:
    """Kind, subject, who and time, the newest first, as a table of whole lines and as JSON; nothing found is said; what
    would colour a terminal is shown as an escape.
    """
    store = RecordStore(tmp_path)
    hour_ns = 3_600 * 10**9
    texts = [
        (EntryKind.AUDIT, "Stop", "mes", {"phase": "done", "outcome": {"code": "OK"}, "before": "A", "after": "B",
                                          "peer": "ipv4:10.0.0.7:5", "request": {}}),
        (EntryKind.RECIPE, "bottle", "kim", {"change": "ADDED", "version": 2, "sha256": "ab" * 32,
                                             "before": {"version": 1}, "after": {"version": 2}, "caller": "shell"}),
        (EntryKind.REVIEW, "7", "lee", {"verdict": "PASS", "machine": "REJECT", "comment": "clean\n\x1b[31m"}),
        (EntryKind.HOLD, "case 7", "kim", {"step": "ADDED", "reason": "claim", "lot": "L-1"}),
        (EntryKind.REMOVAL, "budget", "", {"records": [3, 4], "bytes": 9, "why": "budget: full"}),
        (EntryKind.LOT, "L-1", "mes", {"step": "START", "detail": ""}),
    ]  # fmt: skip
    for number, (kind, subject, who, content) in enumerate(texts):
        store.append_note(Entry(kind, subject, who, number * hour_ns, content))
    store.close()

    def listed(*words: str) -> list[int]:
        done = CliRunner().invoke(app, ["records", "entries", "--dir", str(tmp_path), "--json", *words])
        assert done.exit_code == 0, done.output
        return [one["sequence"] for one in json.loads(done.stdout)["entries"]]

    assert listed() == [6, 5, 4, 3, 2, 1]
    assert (listed("--kind", "hold"), listed("--subject", "bottle"), listed("--who", "kim")) == ([4], [2], [4, 2])
    assert listed("--who", "") == [5]
    assert listed("--from", "1970-01-01T01:00:00", "--to", "1970-01-01T03:00:00") == [3, 2]
    assert (listed("--last", "2"), listed("--last", "2", "--behind", "5")) == ([6, 5], [4, 3])
    shown = CliRunner().invoke(app, ["records", "entries", "--dir", str(tmp_path)], env={"COLUMNS": "40"}).output
    for words in (
        "done: OK, A → B, from ipv4:10.0.0.7:5",
        "version 2 added, sha256 abababababab…; newest before: version 1, now: version 2, shell",
        "PASS (the machine: REJECT): clean\\x0a\\x1b[31m",
        "added: claim (lot L-1)",
        "2 images, 9 bytes, records 3 to 4: budget: full",
        "step START, detail",
    ):
        assert sum(words in line for line in shown.splitlines()) == 1, (words, shown)
    none = CliRunner().invoke(app, ["records", "entries", "--dir", str(tmp_path), "--who", "nobody"])
    assert (none.exit_code, none.output) == (0, "no entry fits\n")


@pytest.mark.parametrize(
    ("column", "value"),
    [("content", "{"), ("content", "[]"), ("kind", "GOSSIP"), ("wall_ns", "x"), ("hash", "x"), ("who", b"\xff")],
)
def test_a_damaged_entry_is_named_and_the_others_are_shown(tmp_path: Path, column: str, value: object) -> None:
    """It is left out, the command ends with 1 and says which entry and which cell."""
    fill(tmp_path)
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE)) as connection:
        connection.executescript(UNLOCK)
        connection.execute(f"UPDATE entries SET {column} = ? WHERE sequence = 2", (value,))
        connection.commit()
    done = CliRunner().invoke(app, ["records", "entries", "--dir", str(tmp_path), "--json"])
    told = json.loads(done.stdout)
    assert (done.exit_code, told["ok"], [one["sequence"] for one in told["entries"]]) == (1, False, [6, 5, 4, 3, 1])
    assert [(one["entry"], one["cell"]) for one in told["damaged"]] == [(2, column)]
    assert f"entry 2: its {column} cannot be read" in done.stderr
    assert f"records verify --dir {tmp_path}" in done.stderr
