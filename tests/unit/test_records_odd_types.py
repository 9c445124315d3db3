"""Whatever type of value lies in whichever cell of whichever table, a check names it and never ends in the middle."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from challenged import a_result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inspection.records.chain import HEAD_FILE
from inspection.records.challenges import CHALLENGES_HEAD_FILE, ChallengeEntry, Outcome
from inspection.records.challenges import EntryKind as ChallengeStep
from inspection.records.entries import ENTRIES_HEAD_FILE, Entry, EntryKind
from inspection.records.record import Run
from inspection.records.schema import DATABASE_FILE
from inspection.records.signing import SigningKey
from inspection.records.store import RecordStore, make_row
from inspection.records.tables import METADATA
from inspection.records.verify import verify

COLUMNS = [(name, column.name) for name, table in METADATA.tables.items() for column in table.c]
VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(max_size=8).filter(lambda text: text.isprintable()),
    st.binary(max_size=40),
    st.sampled_from(["abc", "{}", "[]", "[1]", '{"records": 5}', '{"heads": []}', "x" * 64, "HOLD", "SIGNATURE"]),
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three records, of which a challenge, a hold, a removal and two signatures know."""
    folder = tmp_path_factory.mktemp("odd")
    store, key = RecordStore(folder), SigningKey.in_folder(folder)
    begun = store.begin_run(Run("r", "s", "m", "", "", 0, 0))
    store.append([make_row(a_result(n, run="r"), begun) for n in range(1, 4)])
    for step, outcome in ((ChallengeStep.BEGUN, None), (ChallengeStep.ENDED, Outcome.ABORTED)):
        store.append_challenge(ChallengeEntry(step, "c", 1, "r", "", "", "kim", 1, outcome))
    store.append_note(Entry(EntryKind.HOLD, "h", "kim", 1, {"step": "ADDED", "reason": "x", "lot": "L"}))
    store.sign(key, 1)
    removal = Entry(EntryKind.REMOVAL, "budget", "", 2, {"why": "", "records": [2], "bytes": 1, "marks_before": 0})
    store.append_removal([{"sequence": 2, "verdict": "REJECT", "removed_wall_ns": 2}], removal)
    store.sign(key, 3)
    store.close()
    assert verify(folder).ok
    return folder


def changed(original: Path, tmp_path: Path, table: str, column: str, value: object) -> Path | None:
    """Return a copy in which the column of every row has the value; None where SQLite refuses it."""
    folder = tmp_path / "copy"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(original, folder)
    with closing(sqlite3.connect(folder / DATABASE_FILE, isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        before = connection.execute(f"SELECT * FROM {table}").fetchall()
        try:
            connection.execute(f"UPDATE OR IGNORE {table} SET {column} = ?", (value,))
        except sqlite3.IntegrityError:
            return None
        for _, statement in triggers:
            connection.execute(statement)
        after = connection.execute(f"SELECT * FROM {table}").fetchall()
    return folder if repr(after) != repr(before) else None


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(COLUMNS), value=VALUES)
def test_a_value_of_any_type_is_named(original: Path, tmp_path: Path, place: tuple[str, str], value: object) -> None:
    """One column of one table gets a value of any type: the check ends, and finds something wrong."""
    folder = changed(original, tmp_path, *place, value)
    if folder is not None and place not in UNSIGNED:
        assert verify(folder).problem_count, (place, value)
    elif folder is not None:
        verify(folder)


UNSIGNED = {("runs", "run_id"), ("removed_images", "verdict"), ("removed_images", "removed_wall_ns")}
"""What no hash covers: when an image went is in the entry about it."""


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [("records", "hash", "abc"), ("records", "hash", 5), ("runs", "format", "x"), ("entries", "record_sequence", "x")],
)
def test_these_ended_a_check_once(original: Path, tmp_path: Path, table: str, column: str, value: object) -> None:
    """Each is a problem by name."""
    folder = changed(original, tmp_path, table, column, value)
    assert folder is not None
    assert verify(folder).problem_count


@pytest.mark.parametrize("name", [HEAD_FILE, CHALLENGES_HEAD_FILE, ENTRIES_HEAD_FILE])
def test_a_head_that_is_a_folder_is_named(original: Path, tmp_path: Path, name: str) -> None:
    """It is as good as none."""
    folder = tmp_path / "copy"
    shutil.copytree(original, folder)
    (folder / name).unlink()
    (folder / name).mkdir()
    assert [name in problem.text for problem in verify(folder).problems] == [True]
