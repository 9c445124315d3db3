"""The ejector's modes and inputs through its real process, seen at the far end of the serial line."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from ejector_reports import Reports

from inspection.ejector.options import EjectorOptions, make_ejector
from inspection.ejector.simulated import SimulatedEjector
from inspection.part import EjectorAction, Verdict

BOUND_S = 30.0
MS = 1_000_000
FIRED = {EjectorAction.FIRED, EjectorAction.FIRED_LATE}
Opened = Callable[..., tuple[SimulatedEjector, Reports]]


@pytest.fixture
def opened() -> Iterator[Opened]:
    ejectors: list[SimulatedEjector] = []

    def make(motion: str = "clock", **values: object) -> tuple[SimulatedEjector, Reports]:
        reports = Reports()
        ejector = make_ejector(EjectorOptions.model_validate(values), motion=motion)  # type: ignore[arg-type]
        assert isinstance(ejector, SimulatedEjector)
        ejector.open(reports.actuation, reports.health)
        ejectors.append(ejector)
        return ejector, reports

    yield make
    for ejector in ejectors:
        ejector.close()


@pytest.mark.parametrize("protocol", ["lcus", "devantech", "modbus_flash"])
def test_only_passed_parts_are_released(opened: Opened, protocol: str) -> None:
    """At the far end there is a pulse for each part that was released, and for no part that was not passed."""
    ejector, reports = opened(
        mode="positive_release", pulse_ms=100, window_ms=60, board={"protocol": protocol, "channels": 2}
    )
    start_ns = time.monotonic_ns() + 300 * MS
    verdicts = [Verdict.PASS, Verdict.REJECT, Verdict.PASS, None, Verdict.PASS]
    for part, verdict in enumerate(verdicts):
        ejector.expect(part, start_ns + part * 400 * MS)
        if verdict is not None:
            ejector.decide(part, verdict)
    told = reports.wait(len(verdicts))
    written = sorted(one.written_host_ns for one in told.values() if one.written_host_ns is not None)
    counters = reports.wait_health(lambda health: health.pulses == len(written)).counters
    ejector.close()
    pulses = ejector.board.pulses()
    assert len(pulses) == len(written)
    released = {part for part, one in told.items() if one.action is EjectorAction.RELEASED}
    assert released <= {0, 2, 4}
    doubtful = sum(counters[name] for name in ("late_releases", "barred_releases", "cut_releases"))
    assert len(released) + doubtful >= 3, "a passed part that was not released has its counted reason"
    assert told[3].by_default
    assert {told[part].action for part in (1, 3)} <= {EjectorAction.DIVERTED, EjectorAction.FAILED}
    assert all(pulse.off_host_ns is not None for pulse in pulses)
    assert not ejector.board.level(1)


def test_a_flash_board_ends_its_pulse_itself(opened: Opened) -> None:
    """One command is written for a pulse, and the board's own timer ends it."""
    ejector, reports = opened(pulse_ms=200, window_ms=1000, board={"protocol": "modbus_flash", "channels": 1})
    ejector.expect(1, time.monotonic_ns() + 100 * MS)
    assert reports.wait(1)[1].action in FIRED
    assert ejector.board.wait_commands(3, BOUND_S)  # off at the opening, the pulse, its end
    (pulse,) = ejector.board.pulses()
    assert pulse.off_host_ns is not None
    assert pulse.off_host_ns - pulse.on_host_ns >= 200 * MS
    assert [edge.on for edge in ejector.board.edges(1)] == [False, True, False]


def test_the_inputs_tell_of_the_bin(opened: Opened) -> None:
    """A reject is reported once its sensor saw it, as NOT_SEEN where it did not, and a full bin is told."""
    ejector, reports = opened(
        pulse_ms=5,
        window_ms=1000,
        bin_full_input=2,
        confirm_input=1,
        confirm_within_ms=1500,
        board={"protocol": "modbus_rtu", "channels": 2, "inputs": 2},
    )
    ejector.board.set_input(2, True)
    assert reports.wait_health(lambda health: health.counters["bin_full"] == 1).connected
    commands = ejector.board.counts()["commands"]
    ejector.expect(1, time.monotonic_ns() + 100 * MS)
    assert ejector.board.wait_commands(commands + 1, BOUND_S)
    ejector.board.set_input(1, True)
    assert reports.wait(1)[1].action in FIRED
    ejector.board.set_input(1, False)
    ejector.expect(2, time.monotonic_ns() + 100 * MS)
    assert reports.wait(2)[2].action is EjectorAction.NOT_SEEN
    assert reports.wait_health(lambda health: health.counters["not_seen_in_a_row"] == 1)


def test_a_belt_that_stands_fires_nothing(opened: Opened) -> None:
    """With an encoder a part is due at a place: nothing fires while the belt stands before it, and then it does."""
    ejector, reports = opened(motion="encoder", pulse_ms=5, window_ms=1000)
    tick = threading.Event()

    def run(place: int, counts: int, per_tick: int) -> int:
        for _ in range(counts):
            place += per_tick
            ejector.moved(time.monotonic_ns(), place)
            tick.wait(0.005)
        return place

    place = run(0, 20, 100)
    ejector.expect(1, place + 4000)
    ejector.expect(2, place + 4000)
    ejector.decide(2, Verdict.PASS)
    place = run(run(place, 10, 100), 60, 0)
    assert [one.part for one in reports.actuations] == [2]
    assert ejector.board.pulses() == []
    ejector.decide(1, Verdict.REJECT)
    run(place, 60, 100)
    told = reports.wait(2)[1]
    assert told.action in FIRED
    assert not told.by_default
    assert told.due_host_ns is not None
    assert len(ejector.board.pulses()) == 1
