"""The alarms that stand now."""

from __future__ import annotations

from inspection.alarm_board import AlarmBoard


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
