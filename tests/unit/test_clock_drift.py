"""How much faster a device's clock runs: known when readings lie far enough apart, and begun anew when it was set."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from camera.frame import ClockReading
from inspection.clock_drift import ClockDrift

S = 1_000_000_000


def _reading(host_ns: int, ppm: float, doubt_ns: int = 0, offset_ns: int = 5 * S) -> ClockReading:
    return ClockReading(offset_ns + round(host_ns * (1 + ppm * 1e-6)), host_ns - doubt_ns, host_ns + doubt_ns)


@given(st.floats(-200, 200), st.integers(0, 200_000))
@settings(max_examples=30, deadline=None)
def test_the_drift_is_found_as_exactly_as_the_readings_allow(ppm: float, doubt_ns: int) -> None:
    """Ten minutes of readings each 30 s, each taken anywhere within its interval."""
    drift, found = ClockDrift(), None
    for look in range(21):
        found = drift.add(_reading(look * 30 * S, ppm, doubt_ns))
    assert found is not None
    assert abs(found - ppm) <= 0.1 + 1e6 * 2 * doubt_ns / (600 * S)


def test_nothing_is_said_before_it_is_known() -> None:
    """Readings close together, or taken slowly, would say anything."""
    drift = ClockDrift()
    assert drift.add(_reading(0, 50)) is None
    assert drift.add(_reading(S, 50)) is None
    slow = ClockDrift()
    assert slow.add(_reading(0, 50, 50_000_000)) is None
    assert slow.add(_reading(30 * S, 50, 50_000_000)) is None


def test_a_clock_that_was_set_begins_anew() -> None:
    """A power cycle, or PTP that took it over: the jump is no drift."""
    drift = ClockDrift()
    for look in range(3):
        drift.add(_reading(look * 30 * S, 40))
    assert drift.add(_reading(90 * S, 40, offset_ns=-70 * S)) is None
    assert drift.add(_reading(120 * S, 40, offset_ns=-70 * S)) == 40.0
