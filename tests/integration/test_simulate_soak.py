"""A million parts in virtual time with every fault mixed in, and memory that stays flat (`make soak`)."""

from __future__ import annotations

import resource

import pytest

from inspection.simulation.virtual.faults import FAULTS, simulated
from inspection.simulation.virtual.plan import Plan, Wiring

pytestmark = pytest.mark.soak


@pytest.mark.parametrize("wiring", [Wiring.RELAY, Wiring.RELEASE])
def test_a_million_parts_with_every_fault(wiring: Wiring) -> None:
    """No escape by the system, no pulse on a wrong part, one record a trigger; memory as after the first 50,000."""
    line = simulated(Plan(parts=1_000_000, seed=1, faults=tuple(FAULTS), fault_rate=0.002, wiring=wiring))
    peaks_kb: dict[int, int] = {}
    account = line.run(lambda done: peaks_kb.setdefault(done // 50_000, _peak_kb()))
    assert account.kept, f"seed {account.seed}, part {account.first_part}: {account.first_broken}"
    assert account.records == account.triggers > 950_000
    assert max(peaks_kb.values()) - peaks_kb[1] < 10_000


@pytest.mark.parametrize("seed", range(100, 140))
def test_other_lines_and_other_seeds(seed: int) -> None:
    """Forty more stories with several cameras, at other rates."""
    plan = Plan(
        parts=20_000, seed=seed, faults=tuple(FAULTS), fault_rate=0.01, cameras=seed % 4 + 1, rate=10.0 * (seed % 5 + 1)
    )
    account = simulated(plan).run()
    assert account.kept, f"seed {account.seed}, part {account.first_part}: {account.first_broken}"


def _peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
