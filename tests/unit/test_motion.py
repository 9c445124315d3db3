"""Where the belt is and when a place on it will be where: by the clock, and by an encoder."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from inspection.motion import ClockMotion, EncoderMotion

MS = 1_000_000
SAMPLES = st.lists(
    st.tuples(st.integers(1, 60 * MS), st.integers(-200, 2000)), min_size=1, max_size=30
)  # time since the last sample, counts since the last sample


def moved(samples: list[tuple[int, int]]) -> tuple[EncoderMotion, int, int]:
    """Return a motion that has seen the samples, and the last one's moment and position."""
    motion, at_ns, position = EncoderMotion(), 0, 0
    for after_ns, counts in samples:
        at_ns, position = at_ns + after_ns, position + counts
        motion.observe(at_ns, position)
    return motion, at_ns, position


def test_the_clock_is_a_belt() -> None:
    """A position on the clock's belt is a moment, and nothing that is told changes it."""
    motion = ClockMotion()
    motion.observe(5, 1000)
    assert motion.position_at(7) == 7
    assert motion.when(9) == 9
    assert motion.silent_ns(10**18) == 0


@settings(max_examples=200, deadline=None)
@given(SAMPLES, st.integers(-5000, 50_000))
def test_when_is_the_first_moment_at_a_place(samples: list[tuple[int, int]], ahead: int) -> None:
    """`when` and `position_at` agree to the nanosecond: the place is reached then and not one ns earlier."""
    motion, _, position = moved(samples)
    moment_ns = motion.when(position + ahead)
    if moment_ns is not None:
        assert motion.position_at(moment_ns) >= position + ahead
        assert motion.position_at(moment_ns - 1) < position + ahead


@settings(max_examples=100, deadline=None)
@given(SAMPLES, st.integers(0, 100 * MS))
def test_the_last_sample_is_where_the_belt_is(samples: list[tuple[int, int]], later_ns: int) -> None:
    """Extrapolation begins at the last sample, and its age is told."""
    motion, at_ns, position = moved(samples)
    assert motion.position_at(at_ns) == position
    assert motion.last_sample_ns == at_ns
    assert motion.silent_ns(at_ns + later_ns) == later_ns


@settings(max_examples=100, deadline=None)
@given(SAMPLES, st.integers(3, 20), st.integers(-1000, 1000))
def test_a_belt_that_stands_gets_nowhere(samples: list[tuple[int, int]], count: int, ahead: int) -> None:
    """As soon as the samples of the span are equal, no place is ever reached, behind or ahead."""
    motion, at_ns, position = moved(samples)
    for index in range(1, count + 1):
        motion.observe(at_ns + index * 20 * MS, position)
    assert motion.when(position + ahead) is None
    assert motion.position_at(at_ns + 3600 * 1000 * MS) == position


@settings(max_examples=50, deadline=None)
@given(SAMPLES, st.integers(1, 50))
def test_a_belt_that_turns_is_known_at_once(samples: list[tuple[int, int]], step: int) -> None:
    """The first sample backwards says that no place ahead is reached; the first forwards again that it is."""
    motion, at_ns, position = moved([*samples, (MS, 500), (MS, 500)])
    motion.observe(at_ns + MS, position - step)
    assert motion.when(position + 100) is None
    motion.observe(at_ns + 2 * MS, position)
    assert motion.when(position + step) == at_ns + 3 * MS


def test_old_and_doubled_samples_are_ignored() -> None:
    """A sample that is not younger than the last changes nothing; before the first nothing is known."""
    motion = EncoderMotion()
    assert motion.when(0) is None
    assert motion.position_at(5) == 0
    assert motion.last_sample_ns is None
    motion.observe(10, 100)
    motion.observe(20, 200)
    for at_ns in (20, 15, 5):
        motion.observe(at_ns, 10**6)
    assert motion.position_at(30) == 300
    assert motion.when(400) == 40


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(1, 100))
def test_a_new_speed_is_known_after_the_span(old: int, new: int) -> None:
    """After one span at a new speed nothing of the old one is left."""
    motion = EncoderMotion(span_ns=40 * MS)
    for index in range(20):
        motion.observe(index * 5 * MS, index * old)
    for index in range(1, 10):
        motion.observe((95 + index * 5) * MS, 19 * old + index * new)
    position = 19 * old + 9 * new
    assert motion.when(position + 10 * new) == (140 + 50) * MS


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(5, 20), st.integers(0, 400)), min_size=3, max_size=80),
    st.floats(0, 1, allow_nan=False),
)
def test_where_the_belt_was_does_not_depend_on_its_speed_now(steps: list[tuple[int, int]], share: float) -> None:
    """Whatever speed it took up later, a moment between two samples lies between their places."""
    motion, now_ns, place = EncoderMotion(), 0, 0
    samples = [(0, 0)]
    for took_ms, moved in steps:
        now_ns += took_ms * 1_000_000
        place += moved
        samples.append((now_ns, place))
    for host_ns, position in samples:
        motion.observe(host_ns, position)
    moment_ns = round(share * now_ns)
    before = max(position for host_ns, position in samples if host_ns <= moment_ns)
    after = min(position for host_ns, position in samples if host_ns >= moment_ns)
    was = motion.where_was(moment_ns)
    assert was is not None
    assert before <= was <= after


def test_a_moment_in_a_silence_of_the_encoder_has_no_place() -> None:
    """Samples that stayed away, the time before the first, and what is forgotten say nothing; nor does a guess."""
    motion = EncoderMotion(remembered_ns=1_000_000_000)
    for host_ns in (*range(0, 100, 10), *range(400, 500, 10)):
        motion.observe(host_ns * 1_000_000, host_ns)
    assert motion.where_was(45_000_000) == 45
    assert motion.where_was(250_000_000) is None
    assert motion.where_was(-1) is None
    assert motion.where_was(600_000_000) is None
    motion.observe(2_000_000_000, 2000)
    assert motion.where_was(45_000_000) is None
