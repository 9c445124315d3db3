"""The belt: crossings in order, one number for trigger and frame, nothing lost silently at a halt."""

from __future__ import annotations

import threading
import time
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from camera import Frame, Pixels, Trigger
from camera.belt import UNREAD_TRIGGERS, Belt, Spacing, chance
from camera.simulated import Options, SimulatedCamera

BOUND_S = 30.0


class Plain:
    def render(self, part: int) -> Pixels:
        return np.full((2, 2), part % 256, np.uint8)

    def truth(self, part: int) -> str:
        return f"truth of {part}"


def until(timeout_s: float) -> int:
    return time.monotonic_ns() + round(timeout_s * 1e9)


@given(
    pitch_mm=st.floats(1.0, 10_000.0),
    speed_mm_s=st.floats(0.1, 20_000.0),
    jitter=st.floats(0.0, 0.45),
    seed=st.integers(0, 2**62),
    first=st.integers(1, 10**8),
)
@settings(max_examples=60, deadline=None)
def test_crossings_increase(pitch_mm: float, speed_mm_s: float, jitter: float, seed: int, first: int) -> None:
    """For any speed, pitch, jitter and seed each part crosses after the one before, near its nominal place."""
    spacing = Spacing(pitch_mm, speed_mm_s, jitter * pitch_mm, seed)
    crossings_ns = [spacing.crossing_ns(part) for part in range(first, first + 20)]
    assert all(a < b for a, b in pairwise(crossings_ns))
    assert crossings_ns[0] > 0
    nominal_ns = first * pitch_mm / speed_mm_s * 1e9
    assert abs(crossings_ns[0] - nominal_ns) <= jitter * pitch_mm / speed_mm_s * 1e9 * 1.001 + nominal_ns * 1e-9 + 1


@given(seed=st.integers(0, 2**62), rate=st.floats(0.0, 1.0))
@settings(max_examples=20, deadline=None)
def test_chance_is_a_fair_function_of_its_arguments(seed: int, rate: float) -> None:
    """Draws repeat exactly, and a stated rate is met within five standard deviations."""
    draws = [chance(seed, "lost", part) for part in range(2000)]
    assert draws[:50] == [chance(seed, "lost", part) for part in range(50)]
    assert all(0.0 <= draw < 1.0 for draw in draws)
    hits = sum(draw < rate for draw in draws)
    assert abs(hits - 2000 * rate) <= 5 * (2000 * rate * (1 - rate)) ** 0.5 + 1e-9


@given(
    seed=st.integers(0, 2**32),
    lost=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    paced=st.booleans(),
    parts=st.integers(1, 40),
    stop_after=st.integers(1, 50),
)
@settings(max_examples=40, deadline=None)
def test_every_part_is_told_of_under_losses_and_a_stop(
    seed: int, lost: float, paced: bool, parts: int, stop_after: int
) -> None:
    """With random lost frames and a stop in the middle: each part triggers once and in order, a frame bears the
    number of its trigger and its own pixels, and every missing frame shows as a gap."""
    options = Options(
        speed_mm_s=20_000, pitch_mm=4, jitter_mm=1, seed=seed, parts=parts, paced=paced, readout_ms=0, exposure_us=0,
        lost_frame_rate=lost,
    )  # fmt: skip
    triggers: list[Trigger] = []
    frames: list[Frame] = []
    with SimulatedCamera("top", options, Plain()) as camera:
        camera.start()
        if (early := camera.wait_trigger(0.0)) is not None:  # from here on somebody listens
            triggers.append(early)

        def listen() -> None:
            while not camera.exhausted:
                if (trigger := camera.wait_trigger(0.01)) is not None:
                    triggers.append(trigger)

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        taken = 0
        while not camera.exhausted:
            if (frame := camera.grab(None, BOUND_S)) is not None:
                frames.append(frame)
            taken += 1
            if taken == stop_after:
                camera.stop()
                camera.start()
        listener.join(BOUND_S)
        assert not listener.is_alive()
    assert [trigger.number for trigger in triggers] == list(range(1, parts + 1))
    crossed = {trigger.number: trigger.host_ns for trigger in triggers}
    counters = [frame.counter for frame in frames]
    assert counters == sorted(set(counters))
    for before, frame in zip([0, *counters], frames, strict=False):
        assert frame.lost_before == frame.counter - before - 1
        assert crossed[frame.counter] <= frame.received_host_ns
        assert int(frame.pixels[0, 0]) == frame.counter % 256
    lost_parts = {part for part in crossed if chance(seed, "lost", part) < lost}
    assert lost_parts.isdisjoint(counters)
    if taken < stop_after:
        assert set(counters) == set(crossed) - lost_parts


def test_a_halt_keeps_what_was_not_read() -> None:
    """A part whose frame was taken but whose trigger was not read is still told after the next start."""
    belt = Belt(lambda part: part * 1_000, parts=3, paced=True)
    belt.run()
    assert belt.next_trigger(until(BOUND_S)) is not None
    assert belt.take_frame(1, 0, until(BOUND_S))
    assert belt.take_frame(2, 0, until(BOUND_S))
    belt.halt()
    assert belt.next_trigger(until(BOUND_S)) is None
    belt.run()
    told = [belt.next_trigger(until(BOUND_S)) for _ in range(2)]
    assert [trigger.number for trigger in told if trigger] == [2, 3]
    assert not belt.finished
    assert belt.take_frame(3, 0, until(BOUND_S))
    assert belt.finished
    assert belt.next_trigger(until(BOUND_S)) is None


def test_the_belt_stands_while_halted() -> None:
    """After a stop the next part still has the way before it that it had at the stop."""
    far_ns = 3600 * 10**9
    belt = Belt(lambda part: part * far_ns, parts=None, paced=True)
    belt.run()
    assert belt.next_trigger(until(0.0)) is None
    belt.halt()
    halted_host_ns = time.monotonic_ns()
    belt.run()
    assert belt.next_trigger(until(0.0)) is None
    assert not belt.take_frame(1, 0, until(0.0))
    assert belt._next_crossing_host_ns() >= halted_host_ns + far_ns - 60 * 10**9


def test_handshake_frames_wait_for_a_listener_that_is_behind() -> None:
    """By handshake no trigger is dropped once somebody listens: the belt stands at the limit and goes on after it."""
    belt = Belt(lambda part: part, parts=None, paced=False)
    belt.run()
    assert belt.next_trigger(until(0.0)) is None
    for part in range(1, UNREAD_TRIGGERS + 1):
        assert belt.take_frame(part, 0, until(BOUND_S))
    assert not belt.take_frame(UNREAD_TRIGGERS + 1, 0, until(0.0))
    first = belt.next_trigger(until(BOUND_S))
    assert first is not None
    assert first.number == 1
    assert belt.take_frame(UNREAD_TRIGGERS + 1, 0, until(BOUND_S))
    assert belt.dropped_triggers == 0


def test_nobody_listening_holds_up_nothing() -> None:
    """Without a listener the frames go on, old triggers are dropped and counted, and memory stays bounded."""
    belt = Belt(lambda part: part, parts=None, paced=False)
    belt.run()
    for part in range(1, 3 * UNREAD_TRIGGERS + 1):
        assert belt.take_frame(part, 0, until(BOUND_S))
    assert belt.dropped_triggers == 2 * UNREAD_TRIGGERS


def test_a_part_that_nobody_was_told_of_crosses_after_the_restart() -> None:
    """What was due at the stop and not told stands before the photo-eye, and crosses when the belt runs again."""
    belt = Belt(lambda part: part, parts=None, paced=True)  # a part every nanosecond: always due
    belt.run()
    belt.halt()
    restart_host_ns = time.monotonic_ns()
    belt.run()
    trigger = belt.next_trigger(until(BOUND_S))
    assert trigger is not None
    assert trigger.number == 1
    assert trigger.host_ns >= restart_host_ns


@given(
    seed=st.integers(0, 2**32),
    paced=st.booleans(),
    listens=st.booleans(),
    stops=st.lists(st.floats(0.0, 0.004), min_size=1, max_size=4),
)
@settings(max_examples=30, deadline=None)
def test_what_crossed_before_the_belt_ceased_still_comes_and_nothing_else(
    seed: int, paced: bool, listens: bool, stops: list[float]
) -> None:
    """At any moment: each part up to the last one triggers and has its frame, and the next run goes on behind it."""
    options = Options(
        speed_mm_s=20_000, pitch_mm=10, jitter_mm=2, seed=seed, paced=paced, readout_ms=1, exposure_us=0,
    )  # fmt: skip
    triggers: list[int] = []
    frames: list[int] = []
    with SimulatedCamera("top", options, Plain()) as camera:
        for run_s in stops:
            camera.start()
            ceased = threading.Event()

            def listen(ceased: threading.Event = ceased) -> None:
                is_rest = False
                while not is_rest:
                    is_rest = ceased.is_set()
                    while (trigger := camera.wait_trigger(0.002)) is not None:
                        triggers.append(trigger.number)

            if listens:
                listener = threading.Thread(target=listen, daemon=True)
                listener.start()
            until_s = time.monotonic() + run_s
            while time.monotonic() < until_s:
                if (frame := camera.grab(None, 0.001)) is not None:
                    frames.append(frame.counter)
            assert camera.cease()
            assert camera._belt is not None
            last = camera._belt.last
            ceased.set()
            while frames[-1:] != [last] and last:
                frame = camera.grab(None, BOUND_S)
                assert frame is not None
                frames.append(frame.counter)
            assert camera.grab(None, 0.01) is None
            if listens:
                listener.join(BOUND_S)
                assert triggers == frames
            camera.stop()
            assert frames == list(range(1, len(frames) + 1))
