"""A reject pulse that stands for too long is counted, and told."""

from __future__ import annotations

from random import Random

import pytest

from inspection.alarm_board import AlarmBoard
from inspection.ejector.commands import Switch
from inspection.ejector.core import SchedulerCore
from inspection.ejector.messages import Expect
from inspection.ejector.rules import Rules
from inspection.simulation.virtual.agenda import Agenda
from inspection.simulation.virtual.disk import Disk
from inspection.simulation.virtual.ledger import Ledger
from inspection.simulation.virtual.linked import LinkedEjector
from inspection.simulation.virtual.plan import Plan
from inspection.simulation.virtual.station import VirtualStation

MS = 1_000_000


@pytest.mark.parametrize(("late_ms", "counted"), [(0, 0), (4, 0), (9, 1), (40, 1)])
def test_a_pulse_that_ends_late_is_counted(late_ms: int, counted: int) -> None:
    """An OFF that is written later than a window and a command after its moment may have taken other parts along."""
    reports: list[object] = []
    core = SchedulerCore(Rules(lead_ns=2 * MS, guard_ns=3 * MS, pulse_ns=30 * MS, window_ns=5 * MS), reports.append)
    core.restored(0)
    core.take(Expect(1, 100 * MS), 0)
    on = core.next_command(98 * MS)
    assert on == Switch(1, True, is_pulse=True)
    core.written(on, 98 * MS)
    off = core.next_command((128 + late_ms) * MS)
    assert off == Switch(1, False)
    core.written(off, (128 + late_ms) * MS)
    assert core.count().long_pulses == counted


def test_a_longer_count_raises_the_alarm() -> None:
    """The ejector's health brings the count to the station, which warns of it for a while, once for each time."""
    agenda, plan = Agenda(), Plan()
    ledger = Ledger(plan)
    ejector = LinkedEjector(plan)
    station = VirtualStation(plan, "run-1", agenda, Random(1), Disk(agenda, ledger), ledger, ejector)
    ejector.health_is(True, 0)
    assert not names(station.alarms)
    ejector.health_is(True, 2)
    assert names(station.alarms) == ["PULSE_TOO_LONG"]
    agenda.now_ns += 16_000 * MS
    station.alarms.expire()
    ejector.health_is(True, 2)
    assert not names(station.alarms)


def names(board: AlarmBoard) -> list[str]:
    """Return what stands."""
    return [alarm.name for alarm in board.active()]
