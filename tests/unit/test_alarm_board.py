"""The alarms that stand now."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from inspection.alarm_board import AlarmBoard
from inspection.alarms import ALARMS, Reaction


def test_a_blocking_alarm_blocks_until_it_is_cleared() -> None:
    """Nothing passes while one stands, and a warning blocks nothing."""
    board = AlarmBoard()
    assert board.raise_alarm("NO_IMAGE", part=3)
    assert not board.blocking
    assert board.raise_alarm("EJECTOR_LOST", port="/dev/ttyUSB0", detail="gone")
    assert board.blocking
    assert [alarm.name for alarm in board.active()] == ["EJECTOR_LOST", "NO_IMAGE"]
    assert board.clear("EJECTOR_LOST")
    assert not board.blocking
    assert not board.clear("EJECTOR_LOST")


def test_raising_again_keeps_the_moment_and_takes_the_newest_values() -> None:
    """An alarm that is raised again is the same alarm, with fresh figures."""
    board = AlarmBoard()
    board.raise_alarm("NO_IMAGE", part=3)
    since = board.active()[0].since_wall_ns
    assert not board.raise_alarm("NO_IMAGE", part=4)
    assert board.active()[0].since_wall_ns == since
    assert board.active()[0].values == {"part": "4"}
    assert board.raised == 1


def test_a_transient_alarm_expires_and_a_standing_one_does_not() -> None:
    """What was raised for a time goes by itself; what was raised without one stays."""
    board = AlarmBoard()
    board.raise_alarm("WRONG_PULSE", for_s=0.0, part=1)
    board.raise_alarm("CAMERA_LOST", detail="cable")
    board.expire()
    assert [alarm.name for alarm in board.active()] == ["CAMERA_LOST"]


def test_an_alarm_that_becomes_standing_no_longer_expires() -> None:
    """The record writer's trouble outlives the journal's transient one of the same name."""
    board = AlarmBoard()
    board.raise_alarm("RECORDS_TROUBLE", for_s=0.0, detail="journal")
    board.raise_alarm("RECORDS_TROUBLE", detail="disk full")
    board.expire()
    assert board.blocking


def test_a_held_alarm_stays_until_somebody_confirms_it(caplog: pytest.LogCaptureFixture) -> None:
    """The fault goes, the alarm does not; confirming while the fault is there does nothing; who did it is logged."""
    board = AlarmBoard({"CAMERA_LOST": Reaction.HOLD})
    board.raise_alarm("CAMERA_LOST", detail="cable")
    assert board.confirm((), "Kim").still_there == ("CAMERA_LOST",)
    assert (board.blocking, board.silencing) == (True, True)
    assert not board.clear("CAMERA_LOST")
    assert board.active()[0].is_over
    assert (board.blocking, board.silencing) == (True, False)
    assert board.confirm(("EJECTOR_LOST",), "Kim").confirmed == ()
    assert board.confirm((), "Kim").confirmed == ("CAMERA_LOST",)
    assert not board.blocking
    assert "confirmed by Kim: CAMERA_LOST" in caplog.text


def test_a_held_event_may_be_confirmed_at_once() -> None:
    """What happened once is over, however long its message would have stood; when its time is up it is still held."""
    board = AlarmBoard({"WRONG_PULSE": Reaction.HOLD, "NO_IMAGE": Reaction.HOLD})
    board.raise_alarm("WRONG_PULSE", for_s=3600, part=1)
    board.raise_alarm("NO_IMAGE", for_s=0.0, part=2)
    board.expire()
    assert {alarm.name: alarm.is_over for alarm in board.active()} == {"WRONG_PULSE": True, "NO_IMAGE": True}
    assert board.blocking
    assert set(board.confirm((), "Kim").confirmed) == {"WRONG_PULSE", "NO_IMAGE"}
    assert board.active() == ()


def test_a_held_fault_that_comes_back_is_no_longer_over() -> None:
    """Confirming then is no use again."""
    board = AlarmBoard({"CAMERA_LOST": Reaction.HOLD})
    board.raise_alarm("CAMERA_LOST", detail="cable")
    board.clear("CAMERA_LOST")
    board.raise_alarm("CAMERA_LOST", detail="cable")
    assert board.confirm((), "Kim").still_there == ("CAMERA_LOST",)


def test_an_alarm_that_stops_the_line_is_counted_even_if_it_goes_at_once() -> None:
    """A fault of a millisecond stops the line: whoever stops it sees that one came, not only that one stands."""
    board = AlarmBoard({"PLC_SILENT": Reaction.STOP_LINE})
    board.raise_alarm("PLC_SILENT", detail="")
    assert board.silencing
    board.clear("PLC_SILENT")
    assert (board.silencing, board.stops) == (False, 1)


def test_a_held_fault_is_not_over_because_an_event_of_its_name_came_on_top() -> None:
    """The journal's single failure, raised while the writer's trouble stands, does not make that confirmable."""
    board = AlarmBoard({"RECORDS_TROUBLE": Reaction.HOLD})
    board.raise_alarm("RECORDS_TROUBLE", detail="disk full")
    board.raise_alarm("RECORDS_TROUBLE", for_s=1.0, detail="journal")
    assert board.confirm((), "Kim").still_there == ("RECORDS_TROUBLE",)


NAMES = st.sampled_from(sorted(ALARMS))


class Board(RuleBasedStateMachine):
    """Any order of raising, clearing, expiring and confirming, against a plain model of what must stand."""

    def __init__(self) -> None:
        super().__init__()
        reactions = list(Reaction)
        self.reactions = {name: reactions[place % 4] for place, name in enumerate(sorted(ALARMS))}
        self.board = AlarmBoard(self.reactions)
        self.there: set[str] = set()
        self.held: set[str] = set()

    @rule(name=NAMES)
    def raise_it(self, name: str) -> None:
        self.board.raise_alarm(name)
        self.there.add(name)
        if self.reactions[name] is Reaction.HOLD:
            self.held.add(name)

    @rule(name=NAMES)
    def clear_it(self, name: str) -> None:
        self.board.clear(name)
        self.there.discard(name)

    @rule(names=st.sets(NAMES, max_size=3))
    def confirm(self, names: set[str]) -> None:
        done = self.board.confirm(names, "machine")
        asked = {name for name in self.held if not names or name in names}
        assert set(done.confirmed) == asked - self.there
        assert set(done.still_there) == asked & self.there
        self.held -= asked - self.there

    @rule()
    def expire(self) -> None:
        self.board.expire()

    @invariant()
    def nothing_is_forgotten_and_nothing_invented(self) -> None:
        standing = self.there | self.held
        assert {alarm.name for alarm in self.board.active()} == standing
        assert self.board.blocking == any(self.reactions[name] is not Reaction.WARN for name in standing)
        stops = any(self.reactions[name] is Reaction.STOP_LINE for name in standing)
        blind = any(ALARMS[name].blind and self.reactions[name] is not Reaction.WARN for name in self.there)
        assert self.board.silencing == (stops or blind)


TestBoard = Board.TestCase
TestBoard.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
