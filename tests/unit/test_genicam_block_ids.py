"""Block numbers become counters that go on, whatever wraps, is lost, or comes late."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camera.errors import CameraLostError, Cause
from camera.genicam.block_ids import BlockIds

STREAMS = [(16, True), (16, False), (32, True), (32, False), (64, True), (64, False)]


def block_id(index: int, bits: int, zero_is_skipped: bool) -> int:
    """The number that a device gives its exposure `index`."""
    return index % ((1 << bits) - 1) + 1 if zero_is_skipped else index % (1 << bits)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(STREAMS),
    st.integers(0, 1 << 20),
    st.lists(st.tuples(st.integers(1, 900), st.booleans()), min_size=1, max_size=40),
    st.booleans(),
)
def test_counter_follows_the_exposures(
    stream: tuple[int, bool], before_wrap: int, steps: list[tuple[int, bool]], near_wrap: bool
) -> None:
    """Counters differ by as much as the exposures, gaps are the ones that never came, late ones are None."""
    bits, zero_is_skipped = stream
    ids = BlockIds(bits, zero_is_skipped)
    index = (1 << bits) - 3 - before_wrap % 2000 if near_wrap else before_wrap
    first = index
    assert ids.take(block_id(index, *stream)) == (1, 0)
    for step, also_late in steps:
        index += step
        assert ids.take(block_id(index, *stream)) == (index - first + 1, step - 1)
        if also_late:
            late = max(first, index - step)
            assert ids.take(block_id(late, *stream)) is None
            assert ids.take(block_id(index, *stream)) is None
    assert ids.counter == index - first + 1


@pytest.mark.parametrize(("bits", "zero_is_skipped"), STREAMS[:2])
def test_a_whole_turn_loses_nothing(bits: int, zero_is_skipped: bool) -> None:
    """Three times around 16 bits, each frame follows the one before."""
    ids = BlockIds(bits, zero_is_skipped)
    for index in range(3 << 16):
        assert ids.take(block_id(65_400 + index, bits, zero_is_skipped)) == (index + 1, 0)


def test_a_device_that_counts_through_zero_is_understood() -> None:
    """Where 0 comes although it should be skipped, no frame of the wrap is thrown away."""
    ids = BlockIds(16, zero_is_skipped=True)
    assert [ids.take(number) for number in (65_534, 65_535, 0, 1, 2)] == [(at, 0) for at in range(1, 6)]
    for number in (30_000, 60_000, 65_535):
        ids.take(number)
    assert ids.take(1) == (5 + 65_533 + 2, 1)  # now it is known that a 0 was between


def test_wider_numbers_than_said_are_understood() -> None:
    """A GigE Vision 2 device with 64-bit numbers goes on where 16 bits would wrap."""
    ids = BlockIds(16)
    assert [ids.take(number) for number in (65_535, 65_536, 65_538, 1 << 32)] == [
        (1, 0),
        (2, 0),
        (4, 1),
        ((1 << 32) - 65_534, (1 << 32) - 65_539),
    ]


@pytest.mark.parametrize(("last", "now"), [(40_000, 1), (5_000, 1), (1, 60_000), (30_000, 28_000)])
def test_a_jump_that_no_loss_explains_is_the_loss_of_the_camera(last: int, now: int) -> None:
    """A device that began to count anew is opened again: nobody knows which exposures are missing."""
    ids = BlockIds()
    ids.take(last)
    with pytest.raises(CameraLostError, match=f"from {last} to {now}") as caught:
        ids.take(now)
    assert caught.value.cause is Cause.CONTROL_LOST


def test_a_restart_begins_with_any_number() -> None:
    """After start, the next frame follows the last one, whatever its number."""
    ids = BlockIds()
    assert ids.take(700) == (1, 0)
    ids.restarted()
    assert ids.take(1) == (2, 0)
    assert ids.take(2) == (3, 0)


@pytest.mark.parametrize(
    ("numbers", "zero_is_skipped"), [([65_534, None, None, 2], True), ([65_534, None, None, 1], False)]
)
def test_an_exposure_without_a_number_is_the_next_one(numbers: list[int | None], zero_is_skipped: bool) -> None:
    """It takes the place after the last, over the wrap, too; the one after it is not late and nothing is lost."""
    ids = BlockIds(16, zero_is_skipped)
    came = [ids.take_next() if number is None else ids.take(number) for number in numbers]
    assert came == [(1, 0), (2, 0), (3, 0), (4, 0)]
    assert BlockIds().take_next() == (1, 0)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([(16, True, 1), (64, False, 0), (64, False, 1)]),
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2), st.integers(1, 60)), min_size=1, max_size=6),
)
def test_what_a_start_loses_is_known_of_a_device_that_begins_anew(
    stream: tuple[int, bool, int], is_promised: bool, sessions: list[tuple[int, int, int]]
) -> None:
    """By its maker's word from the first start on, else once it was seen to; never more than was lost."""
    bits, zero_is_skipped, base = stream
    ids = BlockIds(bits, zero_is_skipped, begins_with=base if is_promised else None)
    counter, last_id, is_anew, is_base_seen = 0, None, False, False
    for lost, unnumbered, taken in sessions:
        ids.restarted()
        unnumbered = 0 if lost else unnumbered
        for _ in range(unnumbered):
            counter += 1
            assert ids.take_next() == (counter, 0)
        first = base + lost + unnumbered
        if last_id is not None:
            is_anew |= first in (0, 1) and first < last_id
            if last_id >= 16 and first == last_id + 1:  # by chance it looks as if it went on
                is_promised = is_anew = False
        is_base_seen |= first == base
        is_known = is_promised or (is_anew and is_base_seen)
        came = ids.take(first)
        assert came is not None
        assert came[1] == lost if is_known else came[1] <= lost
        assert came[0] == counter + came[1] + 1
        counter = came[0] + taken
        last_id = first + taken
        assert [ids.take(first + one) for one in range(1, taken + 1)][-1] == (counter, 0)


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_device_that_goes_on_counting_tells_what_nobody_saw(goes_on: bool) -> None:
    """Over the wrap, too; one that exposes all the time goes on by one: what it had made was discarded at the stop."""
    ids = BlockIds(goes_on=goes_on)
    ids.take(65_400)
    for first, lost in ((65_401, 0), (65_404, 2), (65_534, 129), (4, 4), (6_000, 0)):
        before = ids.counter
        ids.restarted()
        lost = lost if goes_on else 0
        assert ids.take(first) == (before + lost + 1, lost)


def test_a_number_that_fell_back_at_a_start_tells_what_was_lost() -> None:
    """From 500 to 3: it began anew, and with 1 at the most."""
    ids = BlockIds()
    ids.take(500)
    ids.restarted()
    assert ids.take(3) == (4, 2)


def test_a_device_that_does_not_begin_as_its_maker_says_is_believed() -> None:
    """It goes on with the very next number after many: nothing was lost, then or later."""
    ids = BlockIds(begins_with=1)
    ids.take(1)
    ids.take(20)
    for first in (21, 22, 23):
        ids.restarted()
        assert ids.take(first) == (first, 0)
