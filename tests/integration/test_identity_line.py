"""Serial numbers on a real station with real codes: read, missing, doubled, asked about, counted, after a kill."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coded_belt import CodedBelt, coded_config
from station_runs import wait_until
from tiny_bundle import write_tiny_bundle

from camera.frame import Pixels
from inspection.control import JobRequest
from inspection.identity.errors import SerialRefusedError
from inspection.lots.lot import LotOrder
from inspection.part import Evaluation, Reason, Verdict
from inspection.records.entries import Entry, EntryKind
from inspection.records.reader import RecordReader
from inspection.records.record import StoredRecord
from inspection.records.verify import verify
from inspection.station import Station


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small real model: dark is good, bright is bad."""
    return str(write_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny"))


@contextmanager
def running(
    folder: Path, bundle: str, text: Callable[[int], str | None] = lambda part: f"LW-{part:04d}", **identity: Any
) -> Iterator[Station]:
    """An open station on a belt of parts with codes; its line stands."""
    station = Station(coded_config(folder / "records", bundle, identity))
    station.scene = CodedBelt(text)
    station.open()
    try:
        yield station
    finally:
        station.close()
    assert verify(station.config.records.dir).ok


def run_parts(station: Station, count: int) -> None:
    """Run the line until so many more parts have records, and stop it."""
    before = station.counters.records
    station.start_line()
    wait_until(lambda: station.counters.records >= before + count)
    station.stop_line()


def stored(folder: Path) -> list[StoredRecord]:
    """Return the durable records, oldest first; those of a busy machine that came too late are left out."""
    reader = RecordReader(folder / "records")
    try:
        found = reader.find(limit=10_000, newest_first=False)
    finally:
        reader.close()
    return [record for record in found if record.reason is not Reason.LATE and record.frame_counter is not None]


def alarms(station: Station) -> set[str]:
    """Return the names of the alarms that stand."""
    return {alarm.name for alarm in station.alarms.active()}


def review(station: Station, record: StoredRecord, verdict: str, **content: str) -> None:
    """Write down what a person says of a part, as the API's ReviewResult does."""
    said = {"verdict": verdict, "record_hash": record.record_hash, **content}
    station.memory.note(Entry(EntryKind.REVIEW, str(record.sequence), "kim", time.time_ns(), said))


def test_the_code_of_each_part_is_in_its_record(tmp_path: Path, bundle: str) -> None:
    """Every passed part has the very text that its code was made of, its format and its place in the picture."""
    with running(tmp_path, bundle) as station:
        run_parts(station, 8)
        texts = station.scene.texts  # type: ignore[union-attr]
    records = stored(tmp_path)
    passed = [record for record in records if record.verdict is Verdict.PASS]
    assert len(passed) >= 5
    for record in passed:
        assert record.serial == texts[record.part]
        story = record.extra["identity"]
        assert (story["source"], story["format"]) == ("code", "DataMatrix")
        assert all(120 <= x <= 320 and 0 <= y <= 240 for x, y in story["corners"])
        assert story["ms"] > 0


def test_parts_without_a_readable_code_are_rejected_and_somebody_is_told(tmp_path: Path, bundle: str) -> None:
    """Good by the model, nameless: REJECT for CODE, NOT_DECIDABLE; a bad one stays MODEL. Three in a row: an alarm."""
    with running(tmp_path, bundle, lambda part: "bad x" if part % 4 == 0 else None) as station:
        station.start_line()
        wait_until(lambda: "CODE_UNREADABLE" in alarms(station))
        wait_until(lambda: station.counters.records >= 12)
        station.stop_line()
        assert station.status().counters["codes_unreadable"] >= 6
    records = stored(tmp_path)
    blank = [record for record in records if record.truth == "good"]
    assert len(blank) >= 5
    for record in blank:
        assert (record.verdict, record.evaluation, record.reason) == (
            Verdict.REJECT,
            Evaluation.NOT_DECIDABLE,
            Reason.CODE,
        )
        assert record.score is not None
        assert record.score < 0.5
        assert record.extra["identity"]["why"] == "no code was found"
        assert record.serial == ""
    bad = [record for record in records if record.truth == "bad"]
    assert {record.reason for record in bad} == {Reason.MODEL}


def test_an_unreadable_part_that_is_only_counted_gets_a_number(tmp_path: Path, bundle: str) -> None:
    """unreadable = "count": it follows the model and has the next number; codes that look like one are not taken."""
    texts = {0: None, 1: "U00000009", 2: "GOOD"}
    with running(
        tmp_path, bundle, lambda part: f"{texts[2]}{part}" if part % 3 == 2 else texts[part % 3],
        unreadable="count", prefix="U",
    ) as station:  # fmt: skip
        run_parts(station, 9)
    records = stored(tmp_path)
    numbered = [record.serial for record in records if record.part % 3 != 2]
    assert len(numbered) >= 4
    assert numbered == [f"U{place:08d}" for place in range(1, len(numbered) + 1)]
    assert {record.verdict for record in records} == {Verdict.PASS}
    assert all(record.extra["identity"].get("counted") for record in records if record.part % 3 != 2)


def test_a_serial_number_goes_on_once_in_a_lot_also_after_a_restart(tmp_path: Path, bundle: str) -> None:
    """The second part with a number is rejected (NOT_OK, CODE), in this life of the station and in the next one.

    In another lot the number is free. A part that the model rejected did not go on: its number is free, too.
    """

    def pairs(part: int) -> str:
        """Each code twice; of each third pair the first part is a bad one."""
        pair = (part + 1) // 2
        return f"{'bad ' if pair % 3 == 0 and part % 2 else ''}LW-{pair % 12:04d}"

    for life in range(2):
        with running(tmp_path, bundle, pairs) as station:
            if life == 0:
                station.lots.store(LotOrder("L-1"))
                station.lots.start("L-1")
            else:
                station.lots.resume("L-1")
            wait_until(lambda s=station: s.counters.records >= 26)  # type: ignore[misc]
            station.lots.pause("L-1")
            told = station.status().counters["codes_duplicate"]
            assert told >= 6
            if life == 1:
                station.lots.store_and_start(LotOrder("L-2"))
                wait_until(lambda s=station: s.lots.get("L-2").counters.passed >= 3)  # type: ignore[misc]
                station.lots.stop("L-2")
    records = stored(tmp_path)
    for lot in ("L-1", "L-2"):
        passed = [record.serial for record in records if record.lot == lot and record.verdict is Verdict.PASS]
        assert len(set(passed)) == len(passed) >= 3
    first_run = records[0].run
    again = [record for record in records if record.run != first_run and record.lot == "L-1"]
    used = {r.serial for r in records if r.run == first_run and r.verdict is Verdict.PASS}
    assert [record for record in again if record.serial in used]
    doubled = [record for record in records if record.reason is Reason.CODE]
    assert all((one.evaluation, one.verdict) == (Evaluation.NOT_OK, Verdict.REJECT) for one in doubled)
    assert all(one.extra["identity"]["trouble"] == "duplicate" for one in doubled)
    freed = {r.serial for r in records if r.reason is Reason.MODEL and r.lot == "L-1"}
    assert freed & {r.serial for r in records if r.verdict is Verdict.PASS and r.lot == "L-1"}


def test_duplicates_that_are_only_counted_pass_and_are_noted(tmp_path: Path, bundle: str) -> None:
    """duplicate = "count": the model decides, the record says that the number was there, no alarm is raised."""
    with running(tmp_path, bundle, lambda _part: "SAME", duplicate="count") as station:
        run_parts(station, 6)
        assert "CODE_DUPLICATE" not in alarms(station)
    records = stored(tmp_path)
    assert {record.verdict for record in records} == {Verdict.PASS}
    noted = [record.extra["identity"].get("trouble") for record in records]
    assert noted[0] is None
    assert set(noted[1:]) == {"duplicate"}


def test_a_question_stays_open_until_a_person_answers(tmp_path: Path, bundle: str) -> None:
    """ask: rejected now; the alarm stands over a restart; the answer is a review, its number is used up."""
    codes = {1: "LW-1", 2: None, 3: "LW-1"}
    with running(tmp_path, bundle, lambda part: codes.get(part, f"X{part}"), unreadable="ask", duplicate="ask") as one:
        run_parts(one, 5)
        asked = {record.part for record in one.codes.questions}
        assert asked == {2, 3}
    with running(tmp_path, bundle, lambda part: "LW-2" if part == 1 else f"Y{part}", unreadable="ask") as station:
        assert "CODE_QUESTION" in alarms(station)
        unread, doubled = station.codes.questions
        review(station, unread, "PASS", serial="LW-2")
        assert "CODE_QUESTION" in alarms(station)
        review(station, doubled, "REJECT")
        assert "CODE_QUESTION" not in alarms(station)
        review(station, doubled, "REJECT")  # a second opinion is no second answer
        run_parts(station, 3)
        run = station.memory.run
    of_run = [record for record in stored(tmp_path) if record.run == run]
    assert (of_run[0].serial, of_run[0].reason) == ("LW-2", Reason.CODE)
    with running(tmp_path, bundle, lambda part: "LW-2" if part == 1 else f"Z{part}") as station:
        assert "CODE_QUESTION" not in alarms(station)
        run_parts(station, 2)
        run = station.memory.run
    of_run = [record for record in stored(tmp_path) if record.run == run]
    assert (of_run[0].serial, of_run[0].reason) == ("LW-2", Reason.CODE)


def test_the_mes_names_the_next_part_and_no_other(tmp_path: Path, bundle: str) -> None:
    """A start's part_id is the first part's number; one further name waits at a time; a nameless part is rejected."""
    with running(tmp_path, bundle, source="mes") as station:
        with pytest.raises(SerialRefusedError, match="printable"):
            station.start_continuous(JobRequest(part_id="a\nb"))
        station.start_single(JobRequest(part_id="M-1"))
        wait_until(lambda: station.state.value == "READY")
        single = station.triggers
        station.start_continuous(JobRequest(part_id="M-2"))
        wait_until(lambda: station.triggers >= single + 2)
        station.identification.name_next("M-3")
        with pytest.raises(SerialRefusedError, match="'M-3' still waits"):  # parts are 100 ms apart
            station.identification.name_next("M-4")
        named_at = station.triggers
        wait_until(lambda: station.triggers > named_at + 1)
        station.stop()
    records = stored(tmp_path)
    named = {record.serial: record for record in records if record.serial}
    assert {"M-1", "M-2", "M-3"} <= set(named)
    nameless = [record for record in records if not record.serial and record.reason is not Reason.SYSTEM]
    assert nameless
    assert {record.reason for record in nameless} == {Reason.CODE}
    assert {record.extra["identity"]["why"] for record in nameless} == {"nobody named the part"}
    assert all(named[name].verdict is Verdict.PASS for name in ("M-1", "M-2"))


CHILD = """
import json, os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[4:]
from coded_belt import CodedBelt, coded_config
from station_runs import wait_until
from inspection.lots.lot import LotOrder
from inspection.station import Station
folder, bundle = Path(sys.argv[1]), sys.argv[2]
station = Station(coded_config(folder / "records", bundle, json.loads(sys.argv[3])))
station.scene = CodedBelt(lambda part: f"LW-{part % 20}")
station.open()
lots = station.lots
if lots.interrupted:
    lots.resume("L-1")
else:
    lots.store_and_start(LotOrder("L-1"))
before = station.counters.records
wait_until(lambda: station.counters.records >= before + 5)
print("there", flush=True)
wait_until(lambda: station.tracker.in_flight)
os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_on_the_belt(folder: Path, bundle: str, identity: dict[str, Any]) -> None:
    """Run a lot in a process of its own, go on with it in the next one, and kill each with parts on the belt."""
    here = Path(__file__).parent
    arguments = [str(folder), bundle, json.dumps(identity), str(here), str(here.parent / "support")]
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "there\n"
            assert child.wait(30) == -signal.SIGKILL
        finally:
            child.kill()
            child.communicate(timeout=30)


def test_a_number_that_went_on_is_known_after_kill_9(tmp_path: Path, bundle: str) -> None:
    """Twenty codes come again and again over three killed processes: no two passed parts of the lot share one."""
    killed_on_the_belt(tmp_path, bundle, {"source": "code"})
    reader = RecordReader(tmp_path / "records")
    records = reader.find(lot="L-1", limit=10_000)
    reader.close()
    assert len({record.run for record in records}) == 3
    passed = [record.serial for record in records if record.verdict is Verdict.PASS]
    assert len(set(passed)) == len(passed) >= 5
    assert any(record.reason is Reason.CODE for record in records)


def test_counted_numbers_go_on_after_kill_9(tmp_path: Path, bundle: str) -> None:
    """Killed three times with parts on the belt: no number is in two records, none is left out among those that are."""
    killed_on_the_belt(tmp_path, bundle, {"source": "counted", "prefix": "N-", "digits": 6})
    with running(tmp_path, bundle, source="counted", prefix="N-", digits=6) as station:
        station.lots.resume("L-1")
        wait_until(lambda: station.counters.records >= 3)
        station.lots.stop("L-1")
    reader = RecordReader(tmp_path / "records")
    records = reader.find(limit=10_000, newest_first=False)
    reader.close()
    serials = [record.serial for record in records if record.serial]
    assert {record.lot for record in records if record.extra.get("recovered") and record.serial} == {"L-1"}
    assert len(serials) >= 18
    assert sorted(serials) == [f"N-{number:06d}" for number in range(1, len(serials) + 1)]


def test_a_code_that_takes_longer_than_the_belt_makes_its_part_late(tmp_path: Path, bundle: str) -> None:
    """5 MP of noise in every format, read beside the model: the part is scored in time, and rejected for LATE.

    The policy that lets nameless parts pass does not let it pass, and nothing waits for it.
    """

    class Noisy(CodedBelt):
        """Parts whose pictures take hundreds of milliseconds to search."""

        picture = np.random.default_rng(1).integers(0, 80, (1944, 2592, 1), np.uint8).repeat(3, axis=2)

        def render(self, part: int) -> Pixels:
            return self.picture

    formats = ["DataMatrix", "QRCode", "Aztec", "PDF417", "Code128", "Code39", "ITF", "EANUPC", "DataBar"]
    config = coded_config(
        tmp_path / "records",
        bundle,
        {"source": "code", "formats": formats, "unreadable": "count"},
        camera={"speed_mm_s": 100.0},
        region={"x": 0, "y": 0, "width": 320, "height": 240},
        geometry={"travel_time_s": 0.3},
    )
    station = Station(config)
    station.scene = Noisy(lambda _part: None)
    station.open()
    try:
        station.start_line()
        wait_until(lambda: station.counters.records >= 4, 60.0)
        station.stop_line()
        assert station.counters.passed == 0
    finally:
        station.close()
    reader = RecordReader(tmp_path / "records")
    records = reader.find(limit=100)
    reader.close()
    assert {record.verdict for record in records} == {Verdict.REJECT}
    scored = [record for record in records if record.score is not None]
    assert scored
    assert {(record.reason, record.by_default) for record in scored} == {(Reason.LATE, True)}
    assert verify(config.records.dir).ok


def test_a_recipe_changes_where_the_numbers_come_from(tmp_path: Path, bundle: str) -> None:
    """From the next run on: counted instead of read; back again, what went on before is still used up."""
    with running(tmp_path, bundle, lambda part: f"LW-{part % 3}", scope="all") as station:
        station.recipes.store.add("counted", '[identity]\nsource = "counted"\nprefix = "C"\n')
        run_parts(station, 5)
        station.prepare_recipe("counted")
        assert station.engine.codes is None
        run_parts(station, 4)
        station.prepare_recipe("station")
        before = station.counters.passed
        run_parts(station, 5)
        assert station.counters.passed == before == 0
    records = stored(tmp_path)
    passed = [record.serial for record in records if record.verdict is Verdict.PASS]
    assert set(passed[:3]) == {"LW-0", "LW-1", "LW-2"}
    assert passed[3:] == [f"C{number:08d}" for number in range(1, len(passed) - 2)]
    assert len(passed) >= 6
