"""Any schedule and any verdicts: the pulses at the far end are those of the parts that were not passed in time."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inspection.ejector.options import EjectorOptions, make_ejector
from inspection.ejector.simulated import SimulatedBoard
from inspection.part import Actuation, EjectorAction, Verdict

FAR_NS = 3_600_000_000_000
MS = 1_000_000
KINDS = ("silent", "reject", "passed", "passed late", "passed maybe")


@pytest.fixture(scope="module", params=["lcus", "modbus_rtu"])
def driven(request: pytest.FixtureRequest) -> Iterator[tuple[str, SimulatedBoard]]:
    board = SimulatedBoard(request.param, 2)
    yield request.param, board
    board.close()


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(20, 200)), min_size=1, max_size=40))
def test_exactly_the_parts_that_were_not_passed_are_rejected(
    driven: tuple[str, SimulatedBoard], parts: list[tuple[str, int]]
) -> None:
    """Every part is reported once; each one that is not reported released has its own pulse, never too early."""
    driver, board = driven
    before = len(board.pulses())
    told: list[Actuation] = []
    ejector = make_ejector(
        EjectorOptions(driver=driver, port=board.port, pulse_ms=7, window_ms=10_000, board={"channels": 2})
    )
    ejector.open(told.append, lambda _health: None)
    start_ns = time.monotonic_ns()
    planned_ns = {}
    for part, (kind, after_ms) in enumerate(parts):
        due_ns = start_ns + (FAR_NS if kind == "passed" else after_ms * MS)
        if kind == "passed late":
            due_ns = start_ns
        planned_ns[part] = due_ns - ejector.lead_ns
        ejector.expect(part, due_ns)
        if kind != "silent":
            ejector.decide(part, Verdict.REJECT if kind == "reject" else Verdict.PASS)
    ejector.close()
    pulses = board.pulses()[before:]

    assert sorted(actuation.part for actuation in told) == list(range(len(parts)))
    outcome = {actuation.part: actuation for actuation in told}
    for part, (kind, _) in enumerate(parts):
        released = outcome[part].action is EjectorAction.RELEASED
        assert released or outcome[part].action is EjectorAction.FIRED
        if kind == "passed":
            assert released
        elif kind != "passed maybe":  # a machine that stalls may make this PASS late, and a late one rejects
            assert not released
        assert outcome[part].by_default or kind not in ("silent", "passed late")
    fired = [actuation for actuation in told if actuation.action is EjectorAction.FIRED]
    moments = sorted(planned_ns[actuation.part] for actuation in fired)
    assert len(pulses) == len(fired)
    for pulse, moment_ns in zip(pulses, moments, strict=True):
        assert pulse.on_host_ns >= moment_ns
        assert pulse.off_host_ns is not None
    assert not board.level(1)
