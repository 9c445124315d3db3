"""Faults that only show over several parts or over time, on records and clocks that the test makes."""

from __future__ import annotations

from pathlib import Path

import pytest
from api_station import PASSED, REJECTED, part_result
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection.alarm_board import AlarmBoard
from inspection.alarms import Reaction
from inspection.ejector.interface import EjectorHealth
from inspection.faults.watch import STEP_NS, ClockWatch, EjectorWatch, RejectWatch
from inspection.motion import ClockMotion, EncoderMotion
from inspection.part import Actuation, Decision, EjectorAction, Reason
from inspection.pipeline.decide import not_decidable, overruled
from inspection.records.record import Run, StoredRecord
from inspection.records.store import RecordStore, make_row

RUN = Run("r", "s", "m", "b", "c", 0, 0)
SECOND_NS = 1_000_000_000


class Records:
    """Real records from a real store, one decision each."""

    def __init__(self, folder: Path) -> None:
        self.store = RecordStore(folder)
        self.run = self.store.begin_run(RUN)
        self.parts = 0

    def of(self, *decisions: Decision, action: EjectorAction | None = None) -> list[StoredRecord]:
        rows = []
        for decision in decisions:
            self.parts += 1
            result = part_result("r", self.parts, decision)
            if action is not None:
                result = type(result)(
                    **{
                        **{name: getattr(result, name) for name in result.__slots__},
                        "actuation": Actuation(self.parts, action, False, 1, 0),
                    }
                )
            rows.append(make_row(result, self.run))
        return self.store.append(rows)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path)


def _names(board: AlarmBoard) -> set[str]:
    return {alarm.name for alarm in board.active()}


def test_rejects_in_a_row_end_with_a_part_that_is_ok(records: Records) -> None:
    """Below the limit nothing; at the limit an alarm with the count; a part that is OK ends it."""
    board = AlarmBoard()
    watch = RejectWatch(board, limit=3)
    watch.add(records.of(REJECTED, REJECTED))
    assert _names(board) == set()
    watch.add(records.of(not_decidable(Reason.NO_IMAGE), REJECTED))
    assert board.active()[0].values == {"count": "4"}
    watch.add(records.of(PASSED))
    assert _names(board) == set()


def test_parts_that_look_like_nothing_known_are_told_of_until_one_is_known(records: Records) -> None:
    """Three of them in a row; a part without a picture in between says nothing about looks, a defective one does."""
    board = AlarmBoard()
    watch = RejectWatch(board, limit=100)
    stranger = overruled(PASSED, Reason.OUT_OF_DISTRIBUTION)
    watch.add(records.of(stranger, stranger, REJECTED, stranger, not_decidable(Reason.NO_IMAGE), stranger))
    assert _names(board) == set()
    watch.add(records.of(stranger))
    assert [(alarm.name, alarm.values) for alarm in board.active()] == [("UNKNOWN_LOOK", {"count": "3"})]
    watch.add(records.of(REJECTED))
    assert _names(board) == set()


def test_what_the_station_itself_overruled_counts_as_what_was_found(records: Records) -> None:
    """While nothing may pass, a good part is rejected all the same: it still ends the row, or nothing ever would."""
    board = AlarmBoard({"REJECTS_IN_A_ROW": Reaction.REJECT_ALL})
    watch = RejectWatch(board, limit=2)
    watch.add(records.of(REJECTED, not_decidable(Reason.SYSTEM), REJECTED))
    assert board.blocking
    watch.add(records.of(overruled(PASSED, Reason.SYSTEM)))
    assert not board.blocking


def test_fault_ejector_jammed(records: Records) -> None:
    """A reject that the sensor in the bin did not see stops the line by default, and the heartbeat with it."""
    board = AlarmBoard({"EJECTOR_JAMMED": Reaction.STOP_LINE})
    RejectWatch(board, limit=20).add(records.of(REJECTED, action=EjectorAction.NOT_SEEN))
    assert board.active()[0].values == {"part": "1"}
    assert (board.blocking, board.silencing, board.stops) == (True, True, 1)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-3 * SECOND_NS, 3 * SECOND_NS), max_size=30), st.integers(0, SECOND_NS))
def test_each_step_of_the_clock_is_seen_once_and_slewing_never(steps: list[int], drift_ns: int) -> None:
    """A wall clock that is set between two looks is a step each time; one that runs a little fast is none."""
    now = {"host": 0, "wall": 10**18}
    board = AlarmBoard()
    watch = ClockWatch(board, wall_ns=lambda: now["wall"], host_ns=lambda: now["host"])
    watch.look()
    for step_ns in steps:
        now["host"] += SECOND_NS
        now["wall"] += SECOND_NS + drift_ns // 1000 + step_ns
        watch.look()
    assert watch.steps == sum(abs(step_ns + drift_ns // 1000) >= STEP_NS for step_ns in steps)
    assert (_names(board) == {"CLOCK_STEPPED"}) == (watch.steps > 0)


def test_a_look_that_was_interrupted_is_no_step() -> None:
    """The process stood still for 5 s between reading the two clocks: nothing was set."""
    moments = iter([0, 0, 100, 100 + 5 * SECOND_NS, 6 * SECOND_NS, 6 * SECOND_NS])
    walls = iter([10**18, 10**18 + 5 * SECOND_NS + 100, 10**18 + 6 * SECOND_NS])
    watch = ClockWatch(AlarmBoard(), wall_ns=lambda: next(walls), host_ns=lambda: next(moments))
    for _ in range(3):
        watch.look()
    assert watch.steps == 0


def _health(**counters: int) -> EjectorHealth:
    return EjectorHealth(True, "", "", "", 0, 0, True, False, counters)


def test_fault_encoder_silent() -> None:
    """No sample for half a second while parts are on the belt: nothing passes until the next one comes."""
    board, motion = AlarmBoard(), EncoderMotion()
    watch = EjectorWatch(board, motion)
    for moment in range(10):
        motion.observe(moment * 10_000_000, moment * 100)
    watch.look(_health(), True, 100_000_000)
    assert not board.active()
    watch.look(_health(), True, 700_000_000)
    assert [alarm.name for alarm in board.active()] == ["ENCODER_SILENT"]
    assert board.blocking
    motion.observe(710_000_000, 7000)
    watch.look(_health(), True, 715_000_000)
    assert not board.active()


def test_fault_belt_stopped() -> None:
    """A belt that stands under its parts is told; nothing is blocked, the parts keep their places."""
    board, motion = AlarmBoard(), EncoderMotion()
    watch = EjectorWatch(board, motion)
    for moment in range(10):
        motion.observe(moment * 10_000_000, 500)
    watch.look(_health(), True, 95_000_000)
    assert [alarm.name for alarm in board.active()] == ["BELT_STOPPED"]
    assert not board.blocking
    watch.look(_health(), False, 96_000_000)
    assert not board.active()


def test_a_full_bin_and_a_reset_are_told_once_each() -> None:
    """The level of the bin's sensor stands as an alarm while it is high; a controller's reset stands for a while."""
    board = AlarmBoard()
    watch = EjectorWatch(board, ClockMotion())
    watch.look(_health(bin_full=1, controller_resets=1), False, 0)
    assert {alarm.name for alarm in board.active()} == {"BIN_FULL", "CONTROLLER_RESET"}
    watch.look(_health(bin_full=0, controller_resets=1), False, 0)
    assert {alarm.name for alarm in board.active()} == {"CONTROLLER_RESET"}
