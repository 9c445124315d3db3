"""Every way to tamper with stored records, by raw SQL past the triggers, is found and named."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inspection.part import Actuation, Decision, EjectorAction, Evaluation, PartResult, Reason, Stages, Verdict
from inspection.records.chain import HEAD_FILE, ChainHead, HeadFile, read_head
from inspection.records.columns import CONTENT_NAMES
from inspection.records.errors import RecordLostError, RecordRunError, RecordStoreError
from inspection.records.images import keep_image
from inspection.records.reader import RecordReader
from inspection.records.record import Run
from inspection.records.schema import DATABASE_FILE
from inspection.records.store import RecordStore, make_row
from inspection.records.upgrade import SCHEMA_VERSION
from inspection.records.verify import VerifyReport, verify

RECORDS = 8


def a_run(name: str = "r1") -> Run:
    return Run(name, "station 1", "parts", "b" * 64, "c" * 64, time.time_ns(), time.monotonic_ns())


def a_part(part: int, *, verdict: Verdict = Verdict.REJECT, run: str = "r1", score: float | None = 0.75) -> PartResult:
    reason = Reason.NONE if verdict is Verdict.PASS else Reason.MODEL
    decision = Decision(Evaluation.NOT_OK, verdict, reason, score, 0.5, "scratch", (0.25, -1.5))
    actuation = Actuation(part, EjectorAction.FIRED, False, 5000 + part, 12)
    stages = Stages(1000 + part, 2000, 3000, 4000, 900_000 + part)
    extra = {"lot": "L-7", "weight": 1.5}
    return PartResult(run, part, decision, actuation, stages, 7000, 6000, 3, 4, 1, "Mono8", None, "good", extra=extra)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of eight records, two commits, each with an image."""
    directory = tmp_path_factory.mktemp("original")
    store = RecordStore(directory)
    begun = store.begin_run(a_run())
    pixels = np.arange(48, dtype=np.uint8).reshape(6, 8)
    rows = [make_row(a_part(n), begun, keep_image(directory, "r1", n, pixels, "png")) for n in range(1, RECORDS + 1)]
    store.append(rows[:5])
    store.append(rows[5:])
    store.close()
    return directory


@contextmanager
def tampered(original: Path, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A copy of the store at `tmp_path`/copy with its triggers dropped until the end, open for raw SQL."""
    copy = tmp_path / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(original, copy)
    with closing(sqlite3.connect(copy / DATABASE_FILE, isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        yield connection
        for _, statement in triggers:
            connection.execute(statement)


def named(report: VerifyReport) -> set[int | None]:
    return {problem.sequence for problem in report.problems}


def test_an_untouched_store_is_intact(original: Path) -> None:
    """A store that nobody touched has no problem, and its head is its last record."""
    report = verify(original)
    assert (report.ok, report.records, report.images, report.head) == (True, RECORDS, RECORDS, RECORDS)


def test_triggers_refuse_changes(original: Path, tmp_path: Path) -> None:
    """UPDATE and DELETE are refused by the database itself, on every table."""
    shutil.copytree(original, tmp_path / "copy")
    with closing(sqlite3.connect(tmp_path / "copy" / DATABASE_FILE)) as connection:
        connection.execute("INSERT INTO removed_images VALUES (1, 'REJECT', 0)")
        for table in ("records", "runs", "removed_images"):
            for statement in (f"UPDATE {table} SET rowid = rowid", f"DELETE FROM {table}"):
                with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                    connection.execute(statement)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    column=st.sampled_from([*CONTENT_NAMES, "hash"]),
    sequence=st.integers(1, RECORDS),
    value=st.one_of(st.integers(-5, 2**62), st.text(max_size=8), st.binary(max_size=8), st.floats(allow_nan=False)),
)
def test_any_changed_cell_is_named(original: Path, tmp_path: Path, column: str, sequence: int, value: object) -> None:
    """Whatever is written into whichever cell of whichever record, exactly that record is named."""
    with tampered(original, tmp_path) as connection:
        old = connection.execute(f"SELECT {column} FROM records WHERE sequence = ?", (sequence,)).fetchone()
        try:
            encoded = value.encode() if isinstance(value, str) else value
            cell = sqlite3.Binary(encoded) if isinstance(value, bytes) else value
            connection.execute(f"UPDATE records SET {column} = ? WHERE sequence = ?", (cell, sequence))
        except (sqlite3.IntegrityError, UnicodeEncodeError):
            return
        new = connection.execute(f"SELECT {column} FROM records WHERE sequence = ?", (sequence,)).fetchone()
        is_changed = (type(old[0]), old[0]) != (type(new[0]), new[0])
    report = verify(tmp_path / "copy")
    assert named(report) == ({sequence} if is_changed else set())


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.integers(1, RECORDS), count=st.integers(1, RECORDS))
def test_any_deleted_rows_are_named(original: Path, tmp_path: Path, first: int, count: int) -> None:
    """Deleted rows are found at the beginning, in the middle and at the end, which only the head remembers."""
    last = min(first + count - 1, RECORDS)
    with tampered(original, tmp_path) as connection:
        connection.execute("DELETE FROM records WHERE sequence BETWEEN ? AND ?", (first, last))
    report = verify(tmp_path / "copy")
    [problem] = report.problems
    told = f"record {first} is missing" if first == last else f"records {first} to {last} are missing"
    assert problem.text.split(":")[0] == told


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pair=st.lists(st.integers(1, RECORDS), min_size=2, max_size=2, unique=True))
def test_any_two_swapped_rows_are_named(original: Path, tmp_path: Path, pair: list[int]) -> None:
    """Two records that changed places are both named."""
    one, other = pair
    with tampered(original, tmp_path) as connection:
        for old, new in ((one, -1), (other, one), (-1, other)):
            connection.execute("UPDATE records SET sequence = ? WHERE sequence = ?", (new, old))
    assert {one, other} <= named(verify(tmp_path / "copy"))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(source=st.integers(1, RECORDS), place=st.integers(-3, RECORDS + 1))
def test_any_inserted_row_is_named(original: Path, tmp_path: Path, source: int, place: int) -> None:
    """A copied record that is inserted anywhere (the others shifted to make room) is named."""
    columns = ", ".join(["run_id", *("part + 100" if name == "part" else name for name in CONTENT_NAMES), "hash"])
    with tampered(original, tmp_path) as connection:
        copied = connection.execute(f"SELECT {columns} FROM records WHERE sequence = ?", (source,)).fetchone()
        for sequence in range(RECORDS, max(place, 1) - 1, -1) if place >= 1 else ():
            connection.execute("UPDATE records SET sequence = ? WHERE sequence = ?", (sequence + 1, sequence))
        marks = ", ".join("?" * (len(copied) + 1))
        names = ", ".join(["sequence", "run_id", *CONTENT_NAMES, "hash"])
        connection.execute(f"INSERT INTO records ({names}) VALUES ({marks})", (place, *copied))
    assert place in named(verify(tmp_path / "copy"))


def test_a_consistently_forged_last_record_is_found(original: Path, tmp_path: Path) -> None:
    """A last record that was forged with a fitting hash still differs from what the head remembers."""
    forged_dir = tmp_path / "forged"
    store = RecordStore(forged_dir)
    with closing(sqlite3.connect(original / DATABASE_FILE)) as source:
        cells = source.execute(
            "SELECT run, station, model, bundle_digest, config_hash, started_wall_ns, started_host_ns FROM runs"
        ).fetchone()
    begun = store.begin_run(Run(*cells))
    pixels = np.arange(48, dtype=np.uint8).reshape(6, 8)
    images = [keep_image(forged_dir, "r1", n, pixels, "png") for n in range(1, RECORDS + 1)]
    scores = [0.75] * (RECORDS - 1) + [0.01]
    store.append([make_row(a_part(n + 1, score=scores[n]), begun, images[n]) for n in range(RECORDS)])
    store.close()
    shutil.copy(original / HEAD_FILE, forged_dir / HEAD_FILE)
    assert named(verify(forged_dir)) == {RECORDS}


def test_a_changed_run_is_named(original: Path, tmp_path: Path) -> None:
    """A run's particulars are covered too: without its hash the run is named, with it all its records are."""
    with tampered(original, tmp_path) as connection:
        connection.execute("UPDATE runs SET model = 'another'")
    assert [problem.text for problem in verify(tmp_path / "copy").problems] == [
        "run 'r1': its particulars were changed"
    ]
    with tampered(original, tmp_path) as connection:
        connection.execute("UPDATE runs SET hash = ?", (bytes(32),))
    assert set(range(1, RECORDS + 1)) <= named(verify(tmp_path / "copy"))


def test_missing_and_changed_images_are_named(original: Path, tmp_path: Path) -> None:
    """An image file that is gone without its mark, or has other bytes, is found; a marked one is no fault."""
    reader = RecordReader(original)
    files = {n: reader.get(n).image_file for n in (2, 4, 6)}
    reader.close()
    with tampered(original, tmp_path) as connection:
        connection.execute("INSERT INTO removed_images VALUES (6, 'REJECT', 0)")
    (tmp_path / "copy" / files[2]).unlink()
    (tmp_path / "copy" / files[4]).write_bytes(b"another")
    (tmp_path / "copy" / files[6]).unlink()
    report = verify(tmp_path / "copy")
    assert named(report) == {2, 4}
    assert report.images_removed == 1


def test_a_store_that_lost_its_tail_is_not_continued(original: Path, tmp_path: Path) -> None:
    """Opening a store that ends before its head is refused: new records must not hide the loss."""
    with tampered(original, tmp_path) as connection:
        connection.execute("DELETE FROM records WHERE sequence > 6")
    with pytest.raises(RecordLostError, match="end at 6, but 8"):
        RecordStore(tmp_path / "copy")


def test_what_goes_in_comes_out(original: Path) -> None:
    """Every field of a part comes back as it was."""
    reader = RecordReader(original)
    record, part = reader.get(3), a_part(3)
    reader.close()
    assert (record.run, record.part, record.verdict, record.score) == ("r1", 3, Verdict.REJECT, 0.75)
    assert (record.raw_scores, dict(record.extra)) == (part.decision.raw_scores, part.extra)
    assert (record.ejector_action, record.written_host_ns) == (EjectorAction.FIRED, 5003)
    assert (record.latency_us, record.has_image, record.station) == (899, True, "station 1")


def test_odd_values_never_make_a_record_impossible(tmp_path: Path) -> None:
    """NaN, infinity, -0.0, numbers beyond 64 bits and broken text are stored, and the chain holds."""
    store = RecordStore(tmp_path)
    begun = store.begin_run(a_run())
    rows = []
    for number, score in enumerate((float("nan"), float("inf"), -0.0, 1), start=1):
        part = a_part(number, score=score)
        odd = PartResult(
            **{name: getattr(part, name) for name in PartResult.__slots__}
            | {"truth": "한글 \udc80", "device_ns": 2**64, "extra": {"path": Path("x")}}
        )
        rows.append(make_row(odd, begun))
    assert [record.score for record in store.append(rows)] == [None, float("inf"), 0.0, 1.0]
    store.close()
    assert verify(tmp_path).ok


def test_a_part_has_exactly_one_record(tmp_path: Path) -> None:
    """A part that comes twice, in one group or later, is stored once; the first story counts."""
    store = RecordStore(tmp_path)
    begun = store.begin_run(a_run())
    store.append([make_row(a_part(1), begun)])
    again = [make_row(a_part(n, score=score), begun) for n, score in ((1, 0.1), (2, 0.2), (2, 0.3), (3, 0.4))]
    assert [(record.part, record.score) for record in store.append(again)] == [(2, 0.2), (3, 0.4)]
    store.close()
    assert verify(tmp_path).ok


def test_a_run_name_is_used_once(tmp_path: Path) -> None:
    """Beginning the same run again is harmless; with other particulars it is refused."""
    store = RecordStore(tmp_path)
    run = a_run()
    assert store.begin_run(run) == store.begin_run(run)
    with pytest.raises(RecordRunError, match="r1"):
        store.begin_run(a_run())
    store.close()


@pytest.mark.parametrize("content", ["text", "foreign", "newer", "held"])
def test_unusable_stores_are_refused_by_name(tmp_path: Path, content: str) -> None:
    """A text file, a foreign database, a newer version and a folder in use are each refused with a reason."""
    path = tmp_path / DATABASE_FILE
    holder = RecordStore(tmp_path) if content in ("newer", "held") else None
    if content == "text":
        path.write_text("this is no database, however long it may be " * 50)
    elif content == "foreign":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE t (a)")
    elif content == "newer" and holder is not None:
        holder.close()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    texts = {
        "text": "not a database",
        "foreign": "application id",
        "newer": f"schema version {SCHEMA_VERSION + 1}",
        "held": "another station",
    }
    with pytest.raises(RecordStoreError, match=texts[content]) as caught:
        RecordStore(tmp_path)
    assert str(tmp_path) in str(caught.value)
    if holder is not None:
        holder.close()


def test_a_torn_head_slot_falls_back_to_the_other(tmp_path: Path) -> None:
    """A head that was half-written counts for nothing; the one before it does."""
    head = HeadFile(tmp_path)
    head.write(ChainHead(4, bytes([4]) * 32))
    head.write(ChainHead(9, bytes([9]) * 32))
    head.close()
    data = bytearray((tmp_path / HEAD_FILE).read_bytes())
    data[128 + 10] ^= 1
    (tmp_path / HEAD_FILE).write_bytes(bytes(data))
    assert read_head(tmp_path) == ChainHead(4, bytes([4]) * 32)
