"""The clock of a network stream: gaps, clocks that are set, and lag."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from camera.stream_clock import StreamClock

STEP_NS = 40_000_000


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(-4_000_000, 4_000_000)), min_size=8, max_size=60))
def test_missing_pictures_are_counted_by_their_times(steps: list[tuple[int, int]]) -> None:
    """With a known rate and times that jitter by a tenth, what is missing before each picture is exact."""
    clock = StreamClock(STEP_NS, learns=False)
    place = 0
    clock.take(10**12, 0)
    for step, jitter_ns in steps:
        place += step
        stamp = clock.take(10**12 + place * STEP_NS + jitter_ns, place * STEP_NS)
        assert stamp.lost_before == step - 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.integers(1, 5).map(lambda n: n * STEP_NS),
            st.sampled_from([0, -STEP_NS, -(10**12), 10**12, 30 * 10**9]),
        ),
        min_size=1,
        max_size=60,
    ),
    st.sets(st.integers(0, 59)),
)
def test_time_goes_forward_whatever_the_stream_says(steps: list[int], restarts: set[int]) -> None:
    """A clock that stands, is set back or leaps makes no picture's time go back, and no picture is missing by it."""
    clock = StreamClock(STEP_NS, learns=True)
    stream_ns, host_ns, last_ns = 0, 5 * 10**9, -1
    for index, step_ns in enumerate(steps):
        if index in restarts:
            clock.restarted()
        stream_ns += step_ns
        host_ns += STEP_NS
        stamp = clock.take(stream_ns, host_ns)
        assert stamp.device_ns > last_ns or index == 0
        if index and (step_ns <= 0 or step_ns > 10**10 + STEP_NS or index in restarts):
            assert stamp.lost_before == 0
        assert stamp.age_ns >= 0
        last_ns = stamp.device_ns


def test_a_rate_that_is_stated_wrongly_is_learned() -> None:
    """A camera that states 25 pictures a second and sends 12.5 loses nothing, after five pictures."""
    clock = StreamClock(STEP_NS, learns=True)
    lost = [clock.take(n * 2 * STEP_NS, n * 2 * STEP_NS).lost_before for n in range(50)]
    assert sum(lost[:6]) == 5
    assert sum(lost[6:]) == 0
    assert clock.interval_ns() == 2 * STEP_NS


def test_lag_is_told_from_drift() -> None:
    """A reader that falls behind sees the age grow; a camera whose quartz is 200 ppm slow does not, for a day."""
    clock = StreamClock(STEP_NS, learns=False)
    ages = [clock.take(n * STEP_NS, n * STEP_NS * 3 // 2).age_ns for n in range(100)]
    assert ages[99] > 99 * STEP_NS * 45 // 100
    assert ages == sorted(ages)
    slow = StreamClock(STEP_NS * 25, learns=False)
    day = range(86_400)
    assert max(slow.take(n * STEP_NS * 25, n * (STEP_NS * 25 + 200_000)).age_ns for n in day) < 1_000_000
