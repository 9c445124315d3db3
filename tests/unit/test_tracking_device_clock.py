"""The device's clock: never early, late by no more than it says, over jitter, wraps, resets and late frames."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection.tracking.device_clock import ClockSettings, DeviceClock

MS, S = 1_000_000, 1_000_000_000


def stamps(seed: int, count: int, drift_ppm: float, jitter_ms: int, late: float) -> list[tuple[int, int, int]]:
    """Make (device_ns, host_ns of the exposure, received_host_ns) with exponential jitter and some late frames."""
    rng = random.Random(seed)
    host, received, made = 50 * S, 0, []
    for _ in range(count):
        host += rng.choice((1, 10, 33, 200)) * MS + rng.randrange(MS)
        delay = 2 * MS + round(rng.expovariate(1.0) * jitter_ms * MS / 5)
        if rng.random() < late:
            delay += rng.randrange(300 * MS)
        received = max(received + 1, host + delay)
        made.append((round((host - 7 * S) * (1 - drift_ppm * 1e-6)), host, received))
    return made


@given(
    seed=st.integers(0, 2**32),
    drift_ppm=st.floats(-95, 95),
    jitter_ms=st.integers(0, 30),
    late=st.sampled_from([0.0, 0.05, 0.3]),
    bits=st.sampled_from([None, 32, 64]),
)
@settings(max_examples=30, deadline=None)
def test_the_estimate_keeps_its_bound(
    seed: int, drift_ppm: float, jitter_ms: int, late: float, bits: int | None
) -> None:
    """For any drift within the limit and any delays: not earlier than the exposure, and later by no more than the
    best sample of the window allows; a late frame is dated as well as the others."""
    clock = DeviceClock(ClockSettings(transfer_ns=2 * MS, bits=bits))
    taken: list[tuple[int, int]] = []
    for device_ns, host_ns, received_ns in stamps(seed, 200, drift_ppm, jitter_ms, late):
        taken.append((host_ns, received_ns - 2 * MS - host_ns))
        found = clock.exposed(device_ns if bits is None else device_ns % (1 << bits), received_ns)
        if found is None:
            assert len(taken) < 20 or jitter_ms > 5 or late
            continue
        allowed = min(excess + 2.1e-4 * (host_ns - at) for at, excess in taken if host_ns - at < 4.9 * S)
        assert -2 <= found - host_ns <= allowed + 2
    assert clock.resets == 0
    assert len(clock._samples) <= 300


def test_frames_that_a_link_held_up_are_not_placed() -> None:
    """A camera that has just been opened hands over at once what its link held up for seconds: ever younger stamps
    with one receipt. Nothing is dated until frames come as they are exposed."""
    clock = DeviceClock(ClockSettings(transfer_ns=2 * MS))
    for index in range(30):
        assert clock.exposed(index * 50 * MS, 1700 * MS + index) is None
    later = [clock.exposed(index * 50 * MS, index * 50 * MS + 203 * MS) for index in range(30, 40)]
    assert all(found is None or found == index * 50 * MS + 201 * MS for index, found in enumerate(later, 30))
    assert later[-1] is not None


def test_a_link_that_is_held_up_is_no_clock_that_was_set() -> None:
    """The same in the middle of a run, for longer than a late frame may be: none of them is dated too late."""
    clock = DeviceClock(ClockSettings(transfer_ns=2 * MS))
    for index in range(100):
        assert (clock.exposed(index * 50 * MS, index * 50 * MS + 2 * MS) is None) == (index < 2)
    for index in range(100, 164):
        found = clock.exposed(index * 50 * MS, 163 * 50 * MS + 2 * MS + index)
        assert found is None or found <= index * 50 * MS + 2 * MS


def test_a_window_of_late_frames_dates_nothing() -> None:
    """When the last punctual frame has left the window, frames that are late by ever other times are not believed."""
    clock = DeviceClock(ClockSettings(transfer_ns=2 * MS))
    rng = random.Random(5)
    for index in range(60):
        clock.exposed(index * 100 * MS, index * 100 * MS + 2 * MS)
    assert clock.settled
    for index in range(60, 140):
        found = clock.exposed(index * 100 * MS, index * 100 * MS + rng.randrange(100 * MS, 480 * MS))
        assert found is None or found - index * 100 * MS < 5 * MS
    assert found is None


def test_the_drift_is_told() -> None:
    """The shown drift comes near the true one when most frames arrive quickly."""
    clock = DeviceClock(ClockSettings(transfer_ns=2 * MS))
    for device_ns, _, received_ns in stamps(3, 200, 60.0, 0, 0.3):
        clock.exposed(device_ns, received_ns)
    assert clock.drift_ppm == pytest.approx(60.0, abs=10)


@pytest.mark.parametrize("jump_s", [-40, -3, 3, 40])
def test_a_clock_that_was_set_is_followed(jump_s: int) -> None:
    """After the device's clock was set forward or back: no time that is later than the receipt, a reset counted, and
    right times again after a few frames; in between it says that it does not know, or is right."""
    clock = DeviceClock(ClockSettings(transfer_ns=2 * MS))
    made = stamps(1, 60, 20.0, 1, 0.0)
    resets, unsure = 0, 0
    for index, (device_ns, host_ns, received_ns) in enumerate(made):
        found = clock.exposed(device_ns + (jump_s * S if index >= 30 else 0), received_ns)
        unsure += found is None
        if found is not None:
            assert abs(found - host_ns) < 5 * MS
        resets = clock.resets
    assert resets == 1
    assert unsure <= 2 + clock.settings.confirm


def test_a_clock_that_pauses_and_is_set_back_less_is_noticed() -> None:
    """A device that was away for 5 s and came back with a stamp only 2 s further looks late; after a few frames it is
    taken for what it is."""
    clock = DeviceClock(ClockSettings())
    for index in range(20):
        clock.exposed(index * 10 * MS, index * 10 * MS + MS)
    found = [clock.exposed(2 * S + index * 10 * MS, 5 * S + index * 10 * MS) for index in range(8)]
    assert found[:4] == [None] * 4
    assert found[5] == 5 * S + 50 * MS
    assert clock.resets == 1


def test_a_latched_stamp_settles_at_once() -> None:
    """A stamp that the device was asked for makes the very first frame datable."""
    clock = DeviceClock(ClockSettings())
    assert DeviceClock(ClockSettings()).exposed(5 * S, 9 * S) is None
    clock.latch(4 * S, 8 * S - MS, 8 * S)
    assert clock.exposed(5 * S, 9 * S + 200 * MS) == 9 * S + 100_000


def test_a_clock_that_stood_is_learnt_anew_when_it_is_read() -> None:
    """A device whose clock stood for a minute, less than late frames would tell: its next frame is dated at once."""
    clock = DeviceClock(ClockSettings())
    for index in range(20):
        clock.exposed(index * 10 * MS, index * 10 * MS + MS)
    clock.latch(200 * MS, 60 * S - MS, 60 * S)
    assert clock.resets == 1
    assert clock.exposed(300 * MS, 60 * S + 130 * MS) == 60 * S + 100 * MS + 10_000


def test_reading_a_clock_that_is_known_only_makes_it_better() -> None:
    """What was learnt from punctual frames is kept, and a slow answer makes nothing later."""
    clock = DeviceClock(ClockSettings())
    for index in range(20):
        clock.exposed(index * 10 * MS, index * 10 * MS + 5 * MS)
    clock.latch(200 * MS, 200 * MS - MS, 200 * MS + 50 * MS)
    found = clock.exposed(210 * MS, 300 * MS)
    assert found is not None
    assert 210 * MS <= found < 216 * MS
    clock.latch(220 * MS, 220 * MS - MS, 220 * MS + MS)
    found = clock.exposed(230 * MS, 300 * MS)
    assert found is not None
    assert 230 * MS <= found < 232 * MS
    assert clock.resets == 0


def test_a_late_first_frame_after_an_hour_is_not_believed() -> None:
    """After a pause of an hour the first frame, 400 ms late, is dated from what was known, within the drift."""
    clock = DeviceClock(ClockSettings(drift_ppm=10.0))
    for index in range(20):
        clock.exposed(index * 10 * MS, index * 10 * MS)
    found = clock.exposed(3600 * S, 3600 * S + 400 * MS)
    assert found is not None
    assert 3600 * S <= found <= 3600 * S + 37 * MS
    assert clock.resets == 0


def test_memory_stays_bounded() -> None:
    """Frames that arrive equally fast leave a handful of samples."""
    clock = DeviceClock(ClockSettings())
    for index in range(5_000):
        clock.exposed(index * MS, index * MS + 3 * MS)
    assert len(clock._samples) <= 16


def test_a_clock_that_is_asked_again_dates_frames_that_all_come_late() -> None:
    """Every frame takes 45 ms: dated to the millisecond as long as the clock is asked each second, 45 ms late without;
    a transfer time that is told makes up for it where the clock cannot be asked."""
    asked, alone = DeviceClock(), DeviceClock()
    told = DeviceClock(ClockSettings(transfer_ns=45 * MS))
    asked.latch(0, 0, 0)
    alone.latch(0, 0, 0)
    for index in range(1, 400):
        at_ns = index * 50 * MS
        if index % 20 == 0:
            asked.latch(at_ns, at_ns, at_ns)
        found = asked.exposed(at_ns, at_ns + 45 * MS)
        assert found is not None
        assert abs(found - at_ns) < MS
        unaided, aided = alone.exposed(at_ns, at_ns + 45 * MS), told.exposed(at_ns, at_ns + 45 * MS)
    assert unaided == at_ns + 45 * MS
    assert aided == at_ns
    assert asked.resets == 0


@given(delay_ms=st.integers(1, 400), pitch_ms=st.integers(5, 100), drift_ppm=st.integers(-90, 90))
@settings(max_examples=50, deadline=None)
def test_frames_on_their_way_while_the_clock_is_asked_are_dated_as_well(
    delay_ms: int, pitch_ms: int, drift_ppm: int
) -> None:
    """Their stamps are older than what the clock showed: it was not set back for that, and no frame is dated late."""
    clock = DeviceClock()
    clock.latch(0, 0, 0)
    for index in range(1, 300):
        at_ns = index * pitch_ms * MS
        received_ns = at_ns + delay_ms * MS
        for second in range((received_ns - pitch_ms * MS) // S + 1, received_ns // S + 1):
            clock.latch(second * S + second * S * drift_ppm // 10**6, second * S, second * S)
        found = clock.exposed(at_ns + at_ns * drift_ppm // 10**6, received_ns)
        assert found is not None
        assert -2 <= found - at_ns < MS
    assert clock.resets == 0
