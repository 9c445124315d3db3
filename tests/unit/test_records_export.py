"""Records as Parquet, CSV and JSON: the same in each, harmless in a spreadsheet, streamed, whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import json
import os
import signal
import subprocess
import sys
import tracemalloc
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from challenged import a_result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from searched_store import FILTERS, fill_searched
from station_runs import wait_until
from typer.testing import CliRunner

from inspection.cli.main import app
from inspection.part import Actuation, Decision, EjectorAction, Evaluation, PartResult, Reason, Stages, Verdict
from inspection.records.errors import ExportError
from inspection.records.export import COLUMNS, SUFFIXES, export, found, iso_time
from inspection.records.reader import RecordReader
from inspection.records.record import Run, StoredRecord
from inspection.records.search import Search
from inspection.records.store import RecordStore, make_row

TIMEOUT_S = 60.0


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("searched")
    fill_searched(folder)
    return folder


def read_back(file: Path) -> list[dict[str, Any]]:
    """Read a table as the other program would, with what is nested as values again."""
    rows: list[dict[str, Any]]
    if file.suffix == ".parquet":
        rows = pq.read_table(file).drop_columns(["trigger_time_utc"]).to_pylist()
    elif file.suffix == ".csv":
        rows = list(csv.DictReader(file.open(newline="", encoding="utf-8")))
    elif file.suffix == ".json":
        rows = json.loads(file.read_text("utf-8"))
    else:
        rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    for row in rows:
        row.pop("trigger_time_utc", None)
        for name in ("extra", "batches", "raw_scores"):
            row[name] = json.loads(row[name]) if isinstance(row[name], str) else row[name]
    return rows


def as_told(record: StoredRecord, is_csv: bool) -> dict[str, Any]:
    fields = record._asdict()
    nested = {name: json.loads(json.dumps(fields[name])) for name in ("extra", "batches", "raw_scores")}
    if not is_csv:
        return {**fields, **nested}
    plain = {
        name: "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in fields.items()
    }
    return {**plain, **nested}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("filters", [{}, *FILTERS[:6]])
def test_what_is_found_is_in_the_file_whole_and_in_order(
    searched: Path, tmp_path: Path, suffix: str, filters: dict[str, Any]
) -> None:
    """Every cell of every record that a search finds comes back from each form, the oldest trigger first."""
    reader = RecordReader(searched)
    expected = reader.find(**filters, limit=100_000, newest_first=False)
    file = tmp_path / f"out{suffix}"
    assert export(found(reader, Search(**filters), []), file, lambda _: None) == len(expected)
    reader.close()
    assert read_back(file) == [as_told(record, suffix == ".csv") for record in expected]
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text(max_size=12), min_size=4, max_size=4),
    prefix=st.sampled_from(("", "=", "+", "-", "@", "\t", "\r", "\n", '"', "'", ";")),
)
def test_no_text_is_a_formula_or_breaks_a_row(tmp_path: Path, texts: list[str], prefix: str) -> None:
    """Whatever a lot, a serial number or a class is called: a spreadsheet gets one cell of text, JSON the text."""
    folder = tmp_path / os.urandom(4).hex()
    lot, serial, defect, truth = (prefix + text for text in texts)
    store = RecordStore(folder)
    begun = store.begin_run(Run("r", "s", "m", "", "", 0, 0))
    decision = Decision(Evaluation.NOT_OK, Verdict.REJECT, Reason.MODEL, 0.5, 0.5, defect, (-1.5, 0.25))
    actuation = Actuation(1, EjectorAction.FIRED, False, -5, -7)
    result = PartResult("r", 1, decision, actuation, Stages(1), 0, 0, lot=lot, serial=serial, truth=truth)
    store.append([make_row(result, begun)])
    store.close()
    reader = RecordReader(folder)
    [record] = reader.after(0, 9)
    for suffix in SUFFIXES:
        export(found(reader, Search(), []), folder / f"out{suffix}", lambda _: None)
    reader.close()
    for suffix in (".parquet", ".json", ".jsonl"):
        assert read_back(folder / f"out{suffix}") == [as_told(record, False)]
    [row] = csv.DictReader((folder / "out.csv").open(newline="", encoding="utf-8"))
    for name in ("lot", "serial", "defect_class", "truth", "extra", "raw_scores", "run"):
        assert not row[name].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert row["lateness_us"] == "-7"
    assert row["lot"] in (record.lot, f"'{record.lot}")


def test_times_are_iso_8601_to_the_nanosecond(searched: Path, tmp_path: Path) -> None:
    """UTC with a Z and nine decimals beside the raw nanoseconds; Parquet has a time stamp of its own."""
    assert iso_time(1_767_225_600_123_456_789) == "2026-01-01T00:00:00.123456789Z"
    assert iso_time(-1) == "1969-12-31T23:59:59.999999999Z"
    reader = RecordReader(searched)
    for suffix in (".csv", ".parquet"):
        export(found(reader, Search(lot="L-1"), []), tmp_path / f"out{suffix}", lambda _: None)
    reader.close()
    first = next(csv.DictReader((tmp_path / "out.csv").open(newline="")))
    assert first["trigger_time_utc"] == iso_time(int(first["trigger_wall_ns"]))
    column = pq.read_table(tmp_path / "out.parquet")["trigger_time_utc"]
    assert (str(column.type), column[0].value) == ("timestamp[ns, tz=UTC]", int(first["trigger_wall_ns"]))
    assert datetime.fromisoformat(first["trigger_time_utc"]).tzinfo == UTC


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_memory_does_not_grow_with_the_records(tmp_path: Path, suffix: str) -> None:
    """Four times as many records take at most a little more memory, in each form."""
    peaks = []
    for count in (25_000, 100_000):
        folder = tmp_path / str(count)
        store = RecordStore(folder)
        begun = store.begin_run(Run("r", "s", "m", "", "", 0, 0))
        for start in range(0, count, 5_000):
            store.append([make_row(a_result(start + n, run="r"), begun) for n in range(5_000)])
        store.close()
        reader = RecordReader(folder)
        tracemalloc.start()
        assert export(found(reader, Search(), []), folder / f"out{suffix}", lambda _: None) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        reader.close()
    assert peaks[1] < 1.3 * peaks[0]


def test_nothing_is_overwritten_and_an_unknown_kind_is_refused(searched: Path, tmp_path: Path) -> None:
    """The file that is there stays as it is; so does one that comes while the table is written."""
    reader = RecordReader(searched)
    there = tmp_path / "out.csv"
    there.write_text("mine")
    with pytest.raises(ExportError, match="overwritten"):
        export(found(reader, Search(), []), there, lambda _: None)
    late = tmp_path / "late.csv"
    with pytest.raises(ExportError, match="overwritten"):
        export(found(reader, Search(), []), late, lambda _: late.write_text("mine") and None)
    with pytest.raises(ExportError, match=r"\.parquet, \.csv"):
        export(found(reader, Search(), []), tmp_path / "out.xlsx", lambda _: None)
    reader.close()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"out.csv": "mine", "late.csv": "mine"}


def test_a_kill_in_the_middle_leaves_no_table(tmp_path: Path) -> None:
    """SIGKILL while it is written: the name was never given; the command says what it wrote when it ends."""
    store = RecordStore(tmp_path / "store")
    begun = store.begin_run(Run("r", "s", "m", "", "", 0, 0))
    for start in range(0, 60_000, 5_000):
        store.append([make_row(a_result(start + n, run="r"), begun) for n in range(5_000)])
    store.close()
    out = tmp_path / "out.csv"
    words = ["records", "export", str(out), "--dir", str(tmp_path / "store"), "--json"]
    process = subprocess.Popen([sys.executable, "-m", "inspection.cli.main", *words], stdout=subprocess.DEVNULL)
    wait_until(partial(_has_begun, process.pid, tmp_path), TIMEOUT_S)
    process.send_signal(signal.SIGKILL)
    process.wait(TIMEOUT_S)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
    said = CliRunner().invoke(app, words)
    assert json.loads(said.stdout) == {"ok": True, "file": str(out), "records": 60_000}
    assert sum(1 for _ in csv.reader(out.open(newline=""))) == 60_001


def _has_begun(process: int, folder: Path) -> bool:
    """Return whether the process has written much into a file without a name in this folder."""
    sizes = []
    for link in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(OSError):
            if str(link.readlink()).startswith(f"{folder}/#"):
                sizes.append(link.stat().st_size)
    return any(size > 100_000 for size in sizes)


def test_what_an_earlier_kill_left_beside_the_name_goes_and_what_is_being_written_stays(
    searched: Path, tmp_path: Path
) -> None:
    """Where files without a name are not known a part file is left: the next export of that name removes it, unless
    another one writes it just now; other names are not touched.
    """
    left, busy, other = (tmp_path / name for name in (".a[1].csv.0badcafe.part", ".a[1].csv.12345678.part", ".b.part"))
    for file in (left, busy, other):
        file.write_text("half")
    reader = RecordReader(searched)
    with busy.open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        export(found(reader, Search(), []), tmp_path / "a[1].csv", lambda _: None)
    reader.close()
    assert {path.name for path in tmp_path.iterdir()} == {"a[1].csv", busy.name, other.name}


def test_a_file_system_without_nameless_files_gets_whole_tables_too(
    searched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the kernel's flag a folder cannot be opened to write, as where it is not known: the file is written
    beside its place, nothing is left of it, and a name that is taken stays as it is.
    """
    monkeypatch.setattr(os, "O_TMPFILE", 0)
    reader, out = RecordReader(searched), tmp_path / "out.csv"

    def tell(_: int) -> None:
        names.extend(path.name for path in tmp_path.iterdir())

    names: list[str] = []
    count = export(found(reader, Search(), []), out, tell)
    assert sum(1 for _ in csv.reader(out.open(newline=""))) == count + 1
    assert all(name.startswith(".out.csv.") and name.endswith(".part") for name in names)
    late = tmp_path / "late.csv"
    with pytest.raises(ExportError, match="overwritten"):
        export(found(reader, Search(), []), late, lambda _: late.write_text("mine") and None)
    reader.close()
    assert names
    assert sorted(path.name for path in tmp_path.iterdir()) == ["late.csv", "out.csv"]
    assert late.read_text() == "mine"


def test_a_disk_that_is_full_is_told_with_the_file(searched: Path, tmp_path: Path) -> None:
    """The writes of a table that fail have no name of their own: its name is told, and nothing is left."""
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)); from inspection.cli.main import main; main()"
    )
    out = tmp_path / "out.csv"
    words = ["records", "export", str(out), "--dir", str(searched)]
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, timeout=TIMEOUT_S)
    told = "File too large — the file is larger than its disk allows: name a place on another one"
    assert (done.returncode, done.stderr) == (1, f"lineward: {out}: {told}\n")
    assert list(tmp_path.iterdir()) == []


def test_every_field_of_a_record_has_its_column() -> None:
    """A field that a record gets is exported without another word, after the time."""
    assert ("trigger_time_utc", *StoredRecord._fields) == COLUMNS
