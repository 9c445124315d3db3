"""The watchdog counts silence only while somebody looks, and only silence without a beat."""

from __future__ import annotations

import os

import pytest

from camera.own_process import life
from camera.own_process.life import LifeSigns, Watchdog


class Clock:
    """A clock that the test owns."""

    def __init__(self) -> None:
        self.now_ns = 1_000_000_000_000

    def monotonic_ns(self) -> int:
        return self.now_ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let the watchdog look at a clock of the test."""
    owned = Clock()
    monkeypatch.setattr(life, "time", owned)
    return owned


def looks_until_hung(watchdog: Watchdog, clock: Clock, step_s: float, beats: int) -> float:
    passed_s = 0.0
    while not watchdog.is_hung(beats):
        clock.now_ns += round(step_s * 1e9)
        passed_s += step_s
    return passed_s


@pytest.mark.parametrize("step_s", [0.01, 0.1, 0.5])
def test_silence_ends_after_the_time_that_was_set(clock: Clock, step_s: float) -> None:
    """However often it is looked at, a beat that stands still is hung after the time, not before."""
    watchdog = Watchdog(2.0)
    assert not watchdog.is_hung(7)
    assert 2.0 <= looks_until_hung(watchdog, clock, step_s, 7) <= 2.0 + 2 * step_s


def test_a_beat_begins_the_time_anew(clock: Clock) -> None:
    """A driver that beats now and then is never hung."""
    watchdog = Watchdog(1.0)
    for beat in range(50):
        assert not watchdog.is_hung(beat)
        clock.now_ns += 900_000_000
        assert not watchdog.is_hung(beat)


def test_a_station_that_stood_still_itself_blames_nobody(clock: Clock) -> None:
    """After a pause of both, the driver has time to beat before it is called hung."""
    watchdog = Watchdog(2.0)
    assert not watchdog.is_hung(7)
    clock.now_ns += 3600 * 10**9
    assert not watchdog.is_hung(7)
    assert not watchdog.is_hung(8)
    assert looks_until_hung(watchdog, clock, 0.25, 8) >= 2.0


def test_signs_of_life_are_seen_through_the_shared_page() -> None:
    """What one end writes, another that maps the same memory reads."""
    fd = LifeSigns.file()
    ours, theirs = LifeSigns(fd), LifeSigns(fd)
    os.close(fd)
    theirs.beat()
    theirs.count_sent(3)
    theirs.count_sent(-1)
    assert (ours.beats, ours.sent, ours.finished) == (1, 2, False)
    theirs.finish()
    assert ours.finished
    for signs in (ours, theirs):
        signs.close()
