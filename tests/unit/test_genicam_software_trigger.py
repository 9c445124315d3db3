"""An exposure is given to its own software trigger or to none, whatever the device ignores, loses or delays."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camera.genicam.software_trigger import GivenUp, SoftwareTriggers

MS = 1_000_000
WINDOW_NS = 200 * MS


@dataclass
class Device:
    """A camera that ignores triggers while it is busy, loses pictures on the way and delays others; first in first out.

    on_the_way: when each picture arrives, what its trigger was, and how many were lost before it.
    """

    busy_ns: int
    busy_until_ns: int = 0
    missing: int = 0
    on_the_way: list[tuple[int, int, int]] = field(default_factory=list)  # arrival, number, missing

    def trigger(self, number: int, now_ns: int, *, is_lost: bool = False, delay_ns: int = 0) -> None:
        if now_ns < self.busy_until_ns:
            return
        self.busy_until_ns = now_ns + self.busy_ns
        if is_lost:
            self.missing += 1
            return
        before_ns = self.on_the_way[-1][0] if self.on_the_way else 0
        self.on_the_way.append((max(before_ns, now_ns + 5 * MS + delay_ns), number, self.missing))
        self.missing = 0


# what the station does next: (milliseconds later, is the picture lost, its delay in ms)
STEPS = st.tuples(
    st.sampled_from([0, 1, 4, 6, 12, 30, 90, 150, 250, 60_000]),
    st.sampled_from([False, False, False, True]),
    st.sampled_from([0, 0, 0, 5, 40, 180, 260]),
)


def serve(triggers: SoftwareTriggers, device: Device, until_ns: int, told: list[tuple[int, bool]]) -> None:
    """Do what a driver does up to a moment: tell of lost triggers, start again in doubt, take what arrives."""

    def settle(now_ns: int) -> None:
        while (lost := triggers.next_lost(now_ns)) is not None:
            told.append((lost.number, False))
            assert lost.why
        if triggers.must_restart:
            device.on_the_way.clear()
            device.missing = 0
            triggers.restarted()

    while device.on_the_way and device.on_the_way[0][0] <= until_ns:
        arrival_ns, number, missing = device.on_the_way.pop(0)
        settle(arrival_ns - 1)
        taken = triggers.take(arrival_ns, missing)
        if taken is not None:
            assert taken == number, "a picture was given to another trigger than its own"
            told.append((taken, True))
        settle(arrival_ns)
    settle(until_ns)


@settings(max_examples=300, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=30), st.sampled_from([0, 10 * MS, 35 * MS]))
def test_no_picture_goes_to_another_trigger(steps: list[tuple[int, bool, int]], busy_ns: int) -> None:
    """Each fired trigger is told of once, in order: by its own picture, or as given up."""
    triggers, device = SoftwareTriggers(WINDOW_NS), Device(busy_ns)
    told: list[tuple[int, bool]] = []
    now_ns, fired = 0, 0
    for later_ms, is_lost, delay_ms in steps:
        now_ns += later_ms * MS
        serve(triggers, device, now_ns, told)
        number = triggers.fire(now_ns)
        if number is not None:
            fired += 1
            assert number == fired
            device.trigger(number, now_ns, is_lost=is_lost, delay_ns=delay_ms * MS)
    serve(triggers, device, now_ns + 2 * WINDOW_NS, told)
    assert [number for number, _ in told] == list(range(1, fired + 1))
    assert triggers.fire(now_ns + 2 * WINDOW_NS) == fired + 1  # whatever happened, it goes on


def test_a_steady_line_loses_nothing() -> None:
    """A device that keeps up gives each trigger its picture, one at a time, without a restart."""
    triggers, device = SoftwareTriggers(WINDOW_NS), Device(3 * MS)
    told: list[tuple[int, bool]] = []
    for number in range(1, 500):
        now_ns = number * 20 * MS
        serve(triggers, device, now_ns, told)
        assert triggers.fire(now_ns) == number
        device.trigger(number, now_ns)
    serve(triggers, device, 500 * 20 * MS, told)
    assert told == [(number, True) for number in range(1, 500)]


def test_twenty_triggers_at_once_are_one() -> None:
    """Nothing is fired that could not be told apart: the caller gets None and knows that no picture will come."""
    triggers = SoftwareTriggers(WINDOW_NS)
    assert [triggers.fire(at) for at in range(20)] == [1, *[None] * 19]
    assert triggers.take(10 * MS) == 1
    assert triggers.fire(11 * MS) == 2


def test_a_picture_that_nobody_asked_for_is_a_doubt() -> None:
    """It is thrown away, nothing is fired until acquisition was started again."""
    triggers = SoftwareTriggers(WINDOW_NS)
    assert triggers.take(5 * MS) is None
    assert triggers.must_restart
    assert triggers.next_lost(5 * MS) is None  # no part is without its picture
    assert triggers.fire(6 * MS) is None
    triggers.restarted()
    assert triggers.fire(7 * MS) == 1


def test_a_late_picture_is_nobodys() -> None:
    """Once the window is over the trigger is given up, and its picture is taken for no other one."""
    triggers = SoftwareTriggers(WINDOW_NS)
    triggers.fire(0)
    assert triggers.take(WINDOW_NS + 1) is None
    assert triggers.next_lost(WINDOW_NS + 1) == GivenUp(1, "no picture of trigger 1 came within 200 ms")
    assert triggers.fire(WINDOW_NS + 2) is None
    triggers.restarted()
    assert triggers.fire(WINDOW_NS + 3) == 2
    assert triggers.take(WINDOW_NS + 5) == 2


def test_a_picture_sooner_than_its_exposure_is_a_doubt() -> None:
    """An exposure of 20 ms cannot have arrived after 5."""
    triggers = SoftwareTriggers(WINDOW_NS, least_ns=20 * MS)
    triggers.fire(0)
    assert triggers.take(5 * MS) is None
    assert triggers.must_restart
    lost = triggers.next_lost(5 * MS)
    assert lost is not None
    assert "came 5.0 ms after trigger 1, and its exposure alone takes 20.0 ms" in lost.why


def test_a_trigger_that_may_not_have_reached_the_device_is_given_up() -> None:
    """A command that ended in an error may have exposed all the same."""
    triggers = SoftwareTriggers(WINDOW_NS)
    triggers.fire(0)
    triggers.failed(1, "it did not answer")
    assert triggers.must_restart
    lost = triggers.next_lost(1)
    assert lost is not None
    assert "it did not answer" in lost.why
    triggers.restarted()
    assert triggers.next_lost(2) is None  # it is told of once


@pytest.mark.parametrize("how", ["reached", "failed"])
def test_a_trigger_that_arrives_after_it_was_given_up_is_a_doubt(how: str) -> None:
    """The command came through, or did not, only after acquisition was started again: that picture is nobody's."""
    triggers = SoftwareTriggers(WINDOW_NS)
    triggers.fire(0)
    lost = triggers.next_lost(WINDOW_NS + 1)
    assert lost is not None
    triggers.restarted()
    if how == "reached":
        triggers.reached(1)
    else:
        triggers.failed(1, "it did not answer")
    assert triggers.must_restart
    assert triggers.fire(WINDOW_NS + 2) is None
    assert triggers.take(WINDOW_NS + 3) is None
    triggers.restarted()
    assert triggers.fire(WINDOW_NS + 4) == 2
    triggers.reached(2)
    assert triggers.take(WINDOW_NS + 5) == 2
    triggers.reached(2)  # also when the picture was there first
    assert not triggers.must_restart


def test_triggers_in_flight_at_a_stop_are_given_up() -> None:
    """After stop and start, the part whose picture never came is told of first."""
    triggers = SoftwareTriggers(WINDOW_NS)
    triggers.fire(0)
    triggers.restarted()
    assert triggers.fire(1) is None  # not before the lost one was told of
    assert triggers.next_lost(1) is not None
    assert triggers.fire(2) == 2


@pytest.mark.parametrize("wrong", [{"least_ns": WINDOW_NS}, {"least_ns": -1}])
def test_numbers_that_cannot_be_kept_are_refused(wrong: dict[str, int]) -> None:
    """A window is longer than the exposure."""
    with pytest.raises(ValueError, match="window"):
        SoftwareTriggers(WINDOW_NS, **wrong)


def test_a_lost_exposure_before_the_picture_is_a_doubt() -> None:
    """One trigger and two exposures: nobody knows which of them was asked for."""
    triggers = SoftwareTriggers(WINDOW_NS)
    triggers.fire(0)
    assert triggers.take(5 * MS, missing=1) is None
    lost = triggers.next_lost(5 * MS)
    assert lost is not None
    assert "after 1 lost" in lost.why


def test_a_picture_sooner_than_the_exposure_is_nobodys_also_after_that_was_changed() -> None:
    """The least time holds from when it is told; as long as the window, it leaves room for a picture at its end."""
    triggers = SoftwareTriggers(1_000)
    assert triggers.fire(0) == 1
    triggers.at_least(400)
    assert triggers.take(399) is None
    assert [lost.number for lost in iter(lambda: triggers.next_lost(399), None)] == [1]
    triggers.restarted()
    assert triggers.fire(1_000) == 2
    assert triggers.take(1_400) is not None
    triggers.at_least(5_000)
    assert triggers.fire(2_000) == 3
    assert triggers.take(2_999) is not None
