"""The virtual line where a default reaction, a look back at a pulse or a shut gate is all that keeps a part."""

from __future__ import annotations

import pytest

from inspection.alarms import Reaction
from inspection.simulation.virtual.faults import simulated
from inspection.simulation.virtual.plan import MS, Plan, Wiring


class CoarselySampled(Plan):
    """An encoder that is read every 20 ms, however short the window is in which a pulse hits its part."""

    __slots__ = ()

    @property
    def sample_ns(self) -> int:
        """Return the time between two encoder samples."""
        return 20 * MS


def test_a_line_that_chose_nothing_stops_for_what_may_have_let_a_part_by() -> None:
    """Cables that are back before the watchdog trips, and late pulses: the default reactions leave no escape."""
    plan = Plan(parts=1500, seed=3, faults=("port_gone", "camera_gone", "write_blocked", "scheduler_late"))
    assert plan.reactions()["CAMERA_LOST"] is Reaction.STOP_LINE
    account = simulated(plan).run()
    assert (account.system_escapes, account.wrong_pulses, account.record_faults) == (0, 0, 0)
    assert account.belt_stops > 0


@pytest.mark.parametrize("seed", [101, 120, 131, 133])
def test_an_encoder_that_is_read_too_seldom_costs_no_escape(seed: int) -> None:
    """Hard braking between two samples: a pulse misses its part, the next sample tells, and the line is stopped."""
    plan = CoarselySampled(
        parts=600, seed=seed, rate=100.0, defect_rate=0.6, faults=("belt_slow", "belt_stopped"), fault_rate=0.01,
        workers=3, batch_ms=1.0,
    )  # fmt: skip
    account = simulated(plan).run()
    assert account.kept, f"seed {seed}, part {account.first_part}: {account.first_broken}"
    assert account.belt_stops > 0


@pytest.mark.parametrize("seed", [9, 25])
def test_a_release_that_the_port_held_back_opens_the_gate_for_nobody(seed: int) -> None:
    """The port takes a release only when its part has gone, and a part that nobody saw is there: it stays shut."""
    plan = Plan(
        parts=500, seed=seed, rate=50.0, wiring=Wiring.RELEASE, faults=("trigger_missed", "write_blocked"),
        fault_rate=0.05, workers=3, batch_ms=1.0, encoder=False,
    )  # fmt: skip
    account = simulated(plan).run()
    assert account.kept, f"seed {seed}, part {account.first_part}: {account.first_broken}"
