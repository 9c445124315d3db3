"""Which numbers are used up: by what records say, within the scope, and never by two parts that may have gone on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manual_ejector import ManualEjector
from searched_store import a_part

from camera.frame import Frame, Trigger
from inspection.config.identity import IdentitySection
from inspection.identity.identification import Identification
from inspection.identity.scope import Scope, counted, looks_counted
from inspection.identity.words import Reading
from inspection.motion import ClockMotion
from inspection.part import Actuation, Decision, EjectorAction, Evaluation, PartResult, Reason, Verdict
from inspection.records.entries import StoredEntry
from inspection.records.reader import RecordReader
from inspection.records.record import Run, StoredRecord
from inspection.records.schema import open_for_reading
from inspection.records.serials import counted_serials_statement, used_serials_statement
from inspection.records.store import RecordStore, make_row
from inspection.tracking.fusion import Fusion
from inspection.tracking.geometry import Geometry
from inspection.tracking.tracker import PartTracker

OK = Decision(Evaluation.OK, Verdict.PASS, Reason.NONE, 0.1, 0.5)
BAD = Decision(Evaluation.NOT_OK, Verdict.REJECT, Reason.MODEL, 0.9, 0.5, "scratch")
GOES_ON = set(EjectorAction) - {
    EjectorAction.FIRED,
    EjectorAction.DIVERTED,
    EjectorAction.TAKEN_ALONG,
    EjectorAction.REMOVED,
}


def section(**values: Any) -> IdentitySection:
    """The keys of [identity]."""
    return IdentitySection.model_validate({"source": "code", **values})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with parts of two lots and none, of every report of the ejector."""
    store = RecordStore(tmp_path)
    run = store.begin_run(Run("r0", "s", "m", "", "", 0, 0))
    rows = []
    for number, action in enumerate(EjectorAction, 1):
        passed = action is EjectorAction.RELEASED
        for offset, lot in ((0, "L-1"), (100, "L-2"), (200, "")):
            part = a_part(0, offset + number, Random(1))
            rows.append(
                replace(
                    part,
                    decision=OK if passed else BAD,
                    actuation=Actuation(part.part, action, False, None, None),
                    lot=lot,
                    serial=f"{lot}{action.value}",
                )
            )
    rows += [
        replace(a_part(0, 300 + number, Random(1)), lot=lot, serial=serial)
        for number, (lot, serial) in enumerate(
            [("L-1", "N-0007"), ("L-1", "N-00099"), ("L-2", "N-0042"), ("", "N-0003"), ("L-1", "N-00x9"), ("", "N-9")]
        )
    ]
    store.append([make_row(row, run) for row in rows])
    store.close()
    return tmp_path


@pytest.fixture
def reader(folder: Path) -> Iterator[RecordReader]:
    """A reader of that store."""
    reader = RecordReader(folder)
    yield reader
    reader.close()


def test_a_number_is_used_up_by_a_part_that_may_have_gone_on(reader: RecordReader) -> None:
    """Every report but those of parts that surely left the belt; of one lot, of none, of all; the newest so many."""
    of_lot = reader.used_serials("L-1", 1000)
    assert {serial for serial in of_lot if "N-" not in serial} == {f"L-1{action.value}" for action in GOES_ON}
    nobodys = reader.used_serials("", 1000)
    assert {serial for serial in nobodys if "N-" not in serial} == {action.value for action in GOES_ON}
    everyone = reader.used_serials(None, 1000)
    assert set(of_lot) < set(everyone)
    assert reader.used_serials(None, 3) == everyone[-3:]
    assert reader.used_serials(None, 9) == everyone[-7:]  # of nine parts two left the belt


def test_the_highest_counted_number_is_found_by_its_length(reader: RecordReader) -> None:
    """N-00099 has a digit too many, N-00x9 is no number; each lot has a count of its own."""
    for lot, highest in (("L-1", 7), ("L-2", 42), ("", 3), (None, 42), ("L-3", 0)):
        assert reader.highest_counted(lot, "N-", 4) == highest


def test_an_index_leads_to_the_numbers_of_a_lot_and_to_the_highest(folder: Path) -> None:
    """Nothing that a start waits for reads every record."""
    database = open_for_reading(folder)
    statements = {
        "records_by_lot": used_serials_statement("L-1", 10),
        "records_by_serial": counted_serials_statement(None, "N-", 4),
    }
    with database.connect() as connection:
        for index, query in statements.items():
            text = str(query.compile(database, compile_kwargs={"literal_binds": True}))
            plan = " ".join(str(row) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}"))
            assert index in plan
    database.dispose()


@given(st.integers(4, 12), st.from_regex(r"\A[A-Za-z0-9_.-]{0,16}\Z"), st.data())
def test_counted_numbers_are_told_from_all_others(digits: int, prefix: str, data: st.DataObject) -> None:
    """Each counted number is recognised; one with a digit more or less, or other digits, is not."""
    said = section(unreadable="count", digits=digits, prefix=prefix)
    number = data.draw(st.integers(0, 10**digits - 1))
    name = counted(said, number)
    assert looks_counted(said, name)
    assert not looks_counted(said, name + "0")
    assert not looks_counted(said, f"{prefix}{'٣' * digits}")


def test_a_scope_remembers_so_many_and_counts_to_its_last_digit() -> None:
    """The oldest number is forgotten for a new one; after the last counted number there is none."""
    scope = Scope(section(remember=3, digits=4, prefix="N"), ["a", "b"], 9997)
    assert [scope.add(serial) for serial in ("c", "b", "d")] == [True, False, True]
    assert [scope.holds(serial) for serial in "abcd"] == [False, True, True, True]
    assert [scope.next_counted() for _ in range(3)] == ["N9998", "N9999", ""]


class Nothing:
    """Records of a station that has never run."""

    def used_serials(self, lot: str | None, limit: int) -> list[str]:
        return []

    def highest_counted(self, lot: str | None, prefix: str, digits: int) -> int:
        return 0

    def find(self, **_filters: Any) -> list[StoredRecord]:
        return []

    def entries(self, **_filters: Any) -> list[StoredEntry]:
        return []


class Bench:
    """A tracker that asks a real identification; the test is photo-eye, reader, model and ejector."""

    def __init__(self, views: tuple[str, ...] = ("top",), **values: Any) -> None:
        self.names = Identification(Nothing(), lambda: None)
        self.names.change(self.names.prepared(section(**values), len(views) - 1, ""))
        self.ejector, self.results = ManualEjector(), list[PartResult]()
        self.tracker = PartTracker(
            "run-1",
            Geometry(travel=10**9, lead_ns=10**7, takes_behind=0, takes_ahead=0),
            ClockMotion(),
            self.ejector,
            Fusion(),
            views,
            lambda: True,
            lambda _part: None,
            self.results.append,
            lambda: 1,
            identity=self.names,
        )
        self.ejector.open(self.tracker.on_actuation, lambda _health: None)

    def part(self, number: int) -> Any:
        self.tracker.on_trigger(Trigger(number, number * 10**8))
        return self.tracker.on_frame(number, Frame("top", number, None, 1, 0, "Mono8", np.zeros((4, 4), np.uint8)))


STEPS = st.lists(st.tuples(st.integers(0, 7), st.sampled_from(["read", "score", "end", "doubt"])), max_size=40)
KINDS = st.tuples(st.sampled_from(["A", "B", ""]), st.booleans(), st.sampled_from(list(EjectorAction)))


@settings(max_examples=300)
@given(st.lists(KINDS, min_size=2, max_size=8), STEPS, st.sampled_from(["reject", "ask"]))
def test_no_two_parts_pass_with_the_same_number_in_whatever_order(
    kinds: list[tuple[str, bool, EjectorAction]], steps: list[tuple[int, str]], policy: str
) -> None:
    """Reading, scoring, doubting and ejecting come as they like: PASS is once a number, and never without one."""
    bench = Bench(unreadable=policy, duplicate=policy)
    parts = [bench.part(number) for number in range(1, len(kinds) + 1)]
    ended: set[int] = set()
    todo = [step for step in steps if step[0] < len(kinds)] + [(place, "end") for place in range(len(kinds))]
    for place, what in todo:
        serial, good, action = kinds[place]
        if what == "read":
            bench.tracker.code_read(parts[place], Reading(serial, "" if serial else "no code was found"))
        elif what == "score":
            bench.tracker.view_decided(parts[place], 0, OK if good else BAD)
        elif what == "doubt":
            bench.tracker.doubt(place + 1, 0, "its frame may show another part")
        elif place not in ended:
            ended.add(place)
            told = bench.ejector.armed[place + 1]
            bench.ejector.due(place + 1, EjectorAction.RELEASED if told is Verdict.PASS else action)
    assert len(bench.results) == len(kinds)
    passed = [result.serial for result in bench.results if result.decision.verdict is Verdict.PASS]
    assert len(set(passed)) == len(passed)
    assert "" not in passed


def test_a_part_that_was_not_read_in_time_is_late_whatever_the_policy() -> None:
    """No room, no time, or nothing at all by the deadline: REJECT for LATE, also where trouble is only counted."""
    bench = Bench(unreadable="count", duplicate="count")
    parts = [bench.part(number) for number in (1, 2)]
    for part in parts:
        bench.tracker.view_decided(part, 0, OK)
    bench.tracker.code_read(parts[0], Reading(why="no time was left", is_late=True))
    for number in (1, 2):
        bench.ejector.due(number)
    assert [result.decision.reason for result in bench.results] == [Reason.LATE, Reason.LATE]
    assert [result.serial for result in bench.results] == ["", ""]


def test_a_picture_that_cannot_be_looked_at_is_the_stations_fault() -> None:
    """A frame that ends before the region: SYSTEM, and no policy lets it pass."""
    bench = Bench(unreadable="count")
    part = bench.part(1)
    bench.tracker.code_read(part, Reading(why="region reaches out", has_failed=True))
    bench.tracker.view_decided(part, 0, OK)
    bench.ejector.due(1)
    [result] = bench.results
    assert (result.decision.reason, result.extra["identity"]["why"]) == (Reason.SYSTEM, "region reaches out")


def test_a_number_is_free_again_when_its_part_was_taken_off() -> None:
    """Judged OK, but taken off the belt by hand: laid again it passes, and a third time it does not."""
    bench = Bench()
    for number, action in ((1, EjectorAction.REMOVED), (2, None), (3, None)):
        part = bench.part(number)
        bench.tracker.code_read(part, Reading("A"))
        bench.tracker.view_decided(part, 0, OK)
        bench.ejector.due(number, action)
    assert [result.decision.reason for result in bench.results] == [Reason.OPERATOR, Reason.NONE, Reason.CODE]


def test_a_part_of_a_lot_that_nobody_prepared_does_not_pass() -> None:
    """Nobody knows which numbers are used up there: SYSTEM."""
    bench = Bench()
    bench.tracker.admit = lambda part: setattr(part, "lot", "L-9")
    part = bench.part(1)
    bench.tracker.code_read(part, Reading("A"))
    bench.tracker.view_decided(part, 0, OK)
    bench.ejector.due(1)
    assert bench.results[0].decision.reason is Reason.SYSTEM


def test_a_part_whose_code_has_no_picture_is_decided_without_it() -> None:
    """The view of the code is lost: NO_IMAGE at once, not LATE, and no number, whatever the policy."""
    bench = Bench(unreadable="count")
    bench.tracker.on_trigger(Trigger(1, 10**8))
    bench.tracker.on_frames_lost(1, 1)
    assert bench.ejector.armed[1] is Verdict.REJECT
    bench.ejector.due(1)
    [result] = bench.results
    assert (result.decision.reason, result.serial) == (Reason.NO_IMAGE, "")


def test_numbers_that_were_all_given_reject() -> None:
    """There is no number for the part: SYSTEM, and the record says what to do."""
    bench = Bench(source="counted", digits=4)
    part_identity = bench.part(1).identity
    part_identity.scope.last_counted = 9998
    for number in (2, 3):
        bench.tracker.view_decided(bench.part(number), 0, OK)
        bench.ejector.due(number)
    assert [(result.decision.reason, result.serial) for result in bench.results] == [
        (Reason.NONE, "P9999"),
        (Reason.SYSTEM, ""),
    ]
    assert "mend identity.digits" in bench.results[1].extra["identity"]["why"]


@pytest.mark.parametrize("lost", [0, 1])
def test_the_code_in_the_picture_of_another_camera_is_waited_for(lost: int) -> None:
    """The code is in the second view: both views say OK, and the part waits for it; a lost view rejects at once."""
    bench = Bench(("top", "side"))
    part = bench.part(1)
    bench.tracker.on_frame(1, Frame("side", 1, None, 1, 0, "Mono8", np.zeros((4, 4), np.uint8)), 1)
    for view in (0, 1):
        bench.tracker.view_decided(part, view, OK)
    assert bench.ejector.armed[1] is None
    bench.tracker.code_read(part, Reading("A"))
    assert bench.ejector.armed[1] is Verdict.PASS
    bench.tracker.on_trigger(Trigger(2, 2 * 10**8))
    for view in (0, 1):
        if view == lost:
            bench.tracker.on_frames_lost(2, 2, view)
        else:
            frame = Frame("it", 2, None, 1, 0, "Mono8", np.zeros((4, 4), np.uint8))
            part = bench.tracker.on_frame(2, frame, view)
            bench.tracker.view_decided(part, view, OK)
    if lost == 0:
        bench.tracker.code_read(part, Reading("B"))
    assert bench.ejector.armed[2] is Verdict.REJECT
    bench.ejector.due(2)
    assert (bench.results[0].decision.reason, bench.results[0].serial) == (
        Reason.MISSING_VIEW,
        "B" if lost == 0 else "",
    )
