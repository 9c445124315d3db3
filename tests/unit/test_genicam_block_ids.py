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
