"""The writer publishes only what is durable, keeps the right images, and stays within its bounds."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from inspection.background import NICENESS
from inspection.cli.records import app
from inspection.part import Actuation, Decision, EjectorAction, Evaluation, PartResult, Reason, Stages, Verdict
from inspection.records.errors import JournalError, RecordMissingError, RecordRunError, RecordStoreError
from inspection.records.journal import Journal, recover
from inspection.records.options import RecordsOptions
from inspection.records.reader import RecordReader
from inspection.records.record import ImageState, Run, StoredRecord
from inspection.records.store import RecordStore
from inspection.records.verify import verify
from inspection.records.writer import RecordWriter

TIMEOUT_S = 30.0
NOISE = np.random.default_rng(5).integers(0, 255, (64, 96, 3), dtype=np.uint8)


def a_run(name: str = "r1") -> Run:
    return Run(name, "station 1", "parts", "b" * 64, "c" * 64, time.time_ns(), time.monotonic_ns())


def a_part(part: int, *, passed: bool = False, pixels: object = None) -> PartResult:
    evaluation, verdict, reason = (
        (Evaluation.OK, Verdict.PASS, Reason.NONE) if passed else (Evaluation.NOT_OK, Verdict.REJECT, Reason.MODEL)
    )
    now = time.monotonic_ns()
    action = EjectorAction.RELEASED if passed else EjectorAction.FIRED
    return PartResult(
        run="r1",
        part=part,
        decision=Decision(evaluation, verdict, reason, 0.25, 0.5, "chip", (1.0, 2.0)),
        actuation=Actuation(part, action, False, None, None),
        stages=Stages(trigger_host_ns=now, decided_host_ns=now + 5_000_000),
        due_host_ns=now,
        deadline_host_ns=now,
        pixels=pixels,
    )


@pytest.fixture
def make_writer(tmp_path: Path) -> Iterator[Callable[..., RecordWriter]]:
    """Make writers on `tmp_path` with a run begun; they are closed afterwards."""
    made: list[RecordWriter] = []

    def make(**options: object) -> RecordWriter:
        writer = RecordWriter(RecordStore(tmp_path), RecordsOptions(dir=tmp_path, min_free_mb=0, **options))
        made.append(writer)
        writer.begin_run(a_run())
        return writer

    yield make
    for writer in made:
        writer.close(TIMEOUT_S)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("records-")]


def test_what_is_published_is_already_readable(make_writer: Callable[..., RecordWriter], tmp_path: Path) -> None:
    """At the moment of the callback, another connection reads each record; all come once and in order."""
    writer, reader, seen, read = make_writer(), RecordReader(tmp_path), list[StoredRecord](), list[StoredRecord]()

    def durable(records: list[StoredRecord]) -> None:
        seen.extend(records)
        read.extend(reader.after(records[0].sequence - 1, len(records)))

    writer.on_durable(durable)
    assert all(writer.submit(a_part(n, passed=n % 2 == 0)) for n in range(1, 701))
    assert writer.flush(TIMEOUT_S)
    assert [record.sequence for record in seen] == list(range(1, 701))
    assert read == seen
    counts = reader.counts("r1")
    assert (counts.records, counts.passed, counts.rejected_by_reason) == (700, 350, {"MODEL": 350})
    reader.close()


def test_encoding_an_image_gives_way_to_the_line(make_writer: Callable[..., RecordWriter]) -> None:
    """The thread that encodes has a lower priority than the line; the one that makes records durable has not."""
    writer = make_writer()
    assert writer.submit(a_part(1, pixels=NOISE))
    assert writer.flush(TIMEOUT_S)
    ids = {thread.name: thread.native_id or 0 for thread in threading.enumerate()}
    ours = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert os.getpriority(os.PRIO_PROCESS, ids["records-images"]) == max(ours, NICENESS)
    assert os.getpriority(os.PRIO_PROCESS, ids["records-store"]) == ours


def test_a_full_queue_refuses_and_counts(make_writer: Callable[..., RecordWriter], tmp_path: Path) -> None:
    """Beyond its capacity the writer refuses, at once; what it took is stored."""
    writer, may_go_on, is_held = make_writer(queue_capacity=5), threading.Event(), threading.Event()

    def hold(records: list[StoredRecord]) -> None:
        is_held.set()
        may_go_on.wait(TIMEOUT_S)

    writer.on_durable(hold)
    assert writer.submit(a_part(1))
    assert is_held.wait(TIMEOUT_S)
    assert [writer.submit(a_part(n)) for n in range(2, 9)] == [True] * 4 + [False] * 3
    may_go_on.set()
    assert writer.flush(TIMEOUT_S)
    counters = writer.counters()
    assert (counters["records_refused"], counters["records_peak_waiting"], counters["records_waiting"]) == (3, 5, 0)
    assert writer.close(TIMEOUT_S)
    assert not writer.submit(a_part(9))
    assert verify(tmp_path).records == 5


def test_images_of_every_reject_and_a_sample_of_passes(
    make_writer: Callable[..., RecordWriter], tmp_path: Path
) -> None:
    """Each rejected part keeps its image, one of four passed ones too; without a frame there is none."""
    writer = make_writer(ok_sample=4, image_format="png")
    for n in range(1, 9):
        writer.submit(a_part(n, passed=True, pixels=NOISE))
    writer.submit(a_part(9, pixels=NOISE))
    writer.submit(a_part(10))
    assert writer.flush(TIMEOUT_S)
    reader = RecordReader(tmp_path)
    states = {record.part: record.image_state for record in reader.find(limit=20)}
    assert [part for part, state in sorted(states.items()) if state is ImageState.KEPT] == [1, 5, 9]
    assert (states[2], states[10]) == (ImageState.NOT_SAMPLED, ImageState.NO_IMAGE)
    (rejected,) = reader.find(part=9)
    image = reader.image(rejected.sequence)
    assert image is not None
    data, content_type = image
    decoded = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    assert content_type == "image/png"
    assert np.array_equal(decoded, NOISE)
    reader.close()
    assert verify(tmp_path).ok


def test_pixels_that_make_no_image_cost_only_the_image(
    make_writer: Callable[..., RecordWriter], tmp_path: Path
) -> None:
    """A frame of a wrong type is reported as image trouble; its record is stored, and the next image is kept."""
    writer, troubles, recoveries = make_writer(), list[str](), list[bool]()
    writer.on_image_trouble(troubles.append)
    writer.on_image_recovered(lambda: recoveries.append(True))
    writer.submit(a_part(1, pixels=np.zeros((4, 4), np.float32)))
    writer.submit(a_part(2, pixels=NOISE))
    assert writer.flush(TIMEOUT_S)
    assert writer.close(TIMEOUT_S)
    reader = RecordReader(tmp_path)
    assert [record.image_state for record in reader.after(0, 9)] == [ImageState.GIVEN_UP, ImageState.KEPT]
    reader.close()
    assert len(troubles) == len(recoveries) == 1
    assert "float32" in troubles[0]


def test_the_budget_takes_passed_images_first_then_the_oldest(
    make_writer: Callable[..., RecordWriter], tmp_path: Path
) -> None:
    """Beyond the budget the passed parts' images go before any rejected one's; every record stays; none is a fault."""
    big = np.random.default_rng(1).integers(0, 255, (300, 400, 3), dtype=np.uint8)  # 0.36 MB, incompressible
    writer = make_writer(ok_sample=1, image_format="png", image_budget_mb=2)
    for n in range(1, 9):
        assert writer.submit(a_part(n, passed=n % 2 == 0, pixels=big))
        assert writer.flush(TIMEOUT_S)
    assert writer.close(TIMEOUT_S)
    reader = RecordReader(tmp_path)
    kept = [record.part for record in reader.after(0, 99) if record.has_image]
    reader.close()
    report = verify(tmp_path)
    assert report.ok
    assert (report.records, report.images, report.images_removed) == (8, len(kept), 8 - len(kept))
    assert set(kept) >= {1, 3, 5, 7}
    assert len(kept) == 5
    assert sum(path.stat().st_size for path in tmp_path.glob("images/**/*.png")) <= 2_000_000


def test_free_disk_space_is_left_alone(tmp_path: Path) -> None:
    """When the disk has less free space than the minimum, images are given up and records are stored."""
    options = RecordsOptions(dir=tmp_path, min_free_mb=100_000_000)
    writer = RecordWriter(RecordStore(tmp_path), options)
    troubles: list[str] = []
    writer.on_image_trouble(troubles.append)
    writer.begin_run(a_run())
    writer.submit(a_part(1, pixels=NOISE))
    assert writer.close(TIMEOUT_S)
    reader = RecordReader(tmp_path)
    assert reader.get(1).image_state is ImageState.GIVEN_UP
    reader.close()
    assert "min_free_mb" in troubles[0]


def test_a_part_of_an_unknown_run_is_refused(make_writer: Callable[..., RecordWriter]) -> None:
    """A run has to be begun first: its particulars are part of each record."""
    with pytest.raises(RecordRunError, match="r2"):
        make_writer().submit(PartResult("r2", 1, a_part(1).decision, a_part(1).actuation, Stages(), 0, 0))


def test_a_callback_that_fails_ends_the_writer_loudly(tmp_path: Path) -> None:
    """An exception on the store thread is told to the station, and nothing is accepted any more."""
    writer, troubles, is_told = RecordWriter(RecordStore(tmp_path), RecordsOptions()), list[str](), threading.Event()

    def fail(records: list[StoredRecord]) -> None:
        raise ZeroDivisionError("page")

    writer.on_durable(fail)
    writer.on_trouble(troubles.append)
    writer.on_trouble(lambda text: is_told.set())
    writer.begin_run(a_run())
    assert writer.submit(a_part(1))
    assert is_told.wait(TIMEOUT_S)
    assert not writer.flush(TIMEOUT_S)
    assert not writer.submit(a_part(2))
    assert "ZeroDivisionError" in troubles[0]
    writer.close(TIMEOUT_S)


def test_orphaned_image_files_are_removed_at_start(make_writer: Callable[..., RecordWriter], tmp_path: Path) -> None:
    """An image whose record was never written (a crash in between) goes; named ones and foreign files stay."""
    writer = make_writer()
    writer.submit(a_part(1, pixels=NOISE))
    assert writer.close(TIMEOUT_S)
    (kept,) = tmp_path.glob("images/*/*/*.jpg")
    orphan, foreign = kept.with_name("000000777.jpg"), kept.with_name("notes.txt")
    orphan.write_bytes(b"x")
    foreign.write_bytes(b"x")
    second = RecordWriter(RecordStore(tmp_path), RecordsOptions())
    assert second.close(TIMEOUT_S)
    assert (kept.exists(), orphan.exists(), foreign.exists()) == (True, False, True)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.integers(1, 30),
    recorded=st.sets(st.integers(1, 30)),
    torn=st.sets(st.integers(1, 30)),
)
def test_the_journal_gives_every_unrecorded_part_its_record(
    tmp_path_factory: pytest.TempPathFactory, parts: int, recorded: set[int], torn: set[int]
) -> None:
    """Whatever was recorded or torn, each readable part ends with one record; recovering twice adds none."""
    directory = tmp_path_factory.mktemp("journal")
    writer, journal = RecordWriter(RecordStore(directory), RecordsOptions()), Journal(directory)
    writer.begin_run(a_run())
    writer.on_durable(journal.recorded)
    for part in range(1, parts + 1):
        journal.born("r1", part, part, part + 10, part + 5)
        if part in recorded:
            writer.submit(a_part(part))
    assert writer.close(TIMEOUT_S)
    born = set(range(1, parts + 1))
    assert journal.in_flight == len(born - recorded)
    journal.close()
    for path in directory.glob("inflight-*"):
        data = bytearray(path.read_bytes())
        for part in torn & born:
            data[part * 520 + 41] ^= 0xFF
        path.write_bytes(bytes(data))
    store, left = RecordStore(directory), Journal(directory)
    if born - recorded:
        with pytest.raises(JournalError):
            left.born("r1", 99, 0, 0, 0)
    assert recover(store, left) == len(born - recorded - torn)
    assert recover(store, Journal(directory)) == 0
    store.close()
    reader = RecordReader(directory)
    records = {record.part: record for record in reader.find(limit=99)}
    reader.close()
    assert set(records) == (born & recorded) | (born - torn)
    for part in born - recorded - torn:
        assert (records[part].reason, records[part].ejector_action) == (Reason.SYSTEM, EjectorAction.UNCONFIRMED)
        assert (records[part].verdict, records[part].due_host_ns) == (Verdict.REJECT, part + 10)
    assert verify(directory).ok


def test_the_journal_stays_as_small_as_what_is_in_flight(tmp_path: Path) -> None:
    """Segments are used again once their parts have records, and a clean end leaves no file."""
    writer, journal = RecordWriter(RecordStore(tmp_path), RecordsOptions(queue_capacity=100_000)), Journal(tmp_path)
    writer.begin_run(a_run())
    writer.on_durable(journal.recorded)
    for part in range(30_000):
        journal.born("r1", part, 0, 0, 0)
        writer.submit(a_part(part))
        if part % 4000 == 0:
            assert writer.flush(TIMEOUT_S)
    assert writer.flush(TIMEOUT_S)
    assert len(list(tmp_path.glob("inflight-*"))) <= 3
    journal.close()
    assert not list(tmp_path.glob("inflight-*"))
    assert writer.close(TIMEOUT_S)


def test_readers_in_many_threads_while_writing(make_writer: Callable[..., RecordWriter], tmp_path: Path) -> None:
    """Eight threads that follow the records each see every one, once and in order."""
    writer, reader = make_writer(), RecordReader(tmp_path)
    followed: dict[int, list[int]] = {}
    deadline = time.monotonic() + TIMEOUT_S

    def follow(index: int) -> None:
        seen = followed[index] = []
        while len(seen) < 300 and time.monotonic() < deadline:
            seen.extend(record.sequence for record in reader.after(seen[-1] if seen else 0, 37))

    threads = [threading.Thread(target=follow, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for n in range(300):
        assert writer.submit(a_part(n))
    for thread in threads:
        thread.join(TIMEOUT_S)
    reader.close()
    assert list(followed.values()) == [list(range(1, 301))] * 8


def test_find_filters(make_writer: Callable[..., RecordWriter], tmp_path: Path) -> None:
    """Each filter leaves exactly the records that fit, in the order asked for."""
    writer = make_writer()
    for n in range(1, 11):
        writer.submit(a_part(n, passed=n <= 6))
    assert writer.flush(TIMEOUT_S)
    reader = RecordReader(tmp_path)
    everything = reader.find(newest_first=False)
    middle = everything[4].trigger_wall_ns
    assert [r.part for r in everything] == list(range(1, 11))
    assert [r.part for r in reader.find(verdict=Verdict.REJECT, limit=2)] == [10, 9]
    assert len(reader.find(reason=Reason.MODEL)) == 4
    assert [r.part for r in reader.find(part=3)] == [3]
    assert reader.find(run="nothing") == []
    split = reader.find(until_wall_ns=middle), reader.find(since_wall_ns=middle)
    assert [len(half) for half in split] == [4, 6]
    assert reader.last_sequence() == 10
    with pytest.raises(RecordMissingError, match="11"):
        reader.get(11)
    reader.close()


def test_the_command_line(make_writer: Callable[..., RecordWriter], tmp_path: Path) -> None:
    """list, show and verify print one JSON object each; a tampered store exits 1 with the record's number."""
    writer = make_writer()
    for n in range(1, 4):
        writer.submit(a_part(n, pixels=NOISE))
    assert writer.close(TIMEOUT_S)
    at = ["--dir", str(tmp_path)]
    listed = json.loads(CliRunner().invoke(app, ["list", "--json", "--verdict", "reject", "--limit", "2", *at]).stdout)
    assert [record["part"] for record in listed["records"]] == [3, 2]
    shown = json.loads(CliRunner().invoke(app, ["show", "2", "--json", *at]).stdout)
    assert Path(shown["image_path"]).is_file()
    assert "REJECT" in CliRunner().invoke(app, ["list", *at], env={"COLUMNS": "200"}).stdout
    assert "image_path" in CliRunner().invoke(app, ["show", "1", *at]).stdout
    assert json.loads(CliRunner().invoke(app, ["verify", "--json", *at]).stdout)["ok"] is True
    assert "intact" in CliRunner().invoke(app, ["verify", *at]).stdout
    Path(shown["image_path"]).write_bytes(b"x")
    failed = CliRunner().invoke(app, ["verify", *at])
    assert failed.exit_code == 1
    assert "record 2" in failed.stdout
    missing = CliRunner().invoke(app, ["list", "--dir", str(tmp_path / "none")])
    assert isinstance(missing.exception, RecordStoreError)
    assert missing.exception.exit_code == 2
