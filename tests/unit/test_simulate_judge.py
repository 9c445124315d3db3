"""The judge itself is doubted: a station or an ejector that is broken on purpose must be found out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from inspection.ejector.core import SchedulerCore
from inspection.ejector.messages import Decide, Expect
from inspection.ejector.rules import Rules
from inspection.flow import PartFlow
from inspection.part import Verdict
from inspection.simulation.virtual.ejecting import Scheduler
from inspection.simulation.virtual.faults import simulated
from inspection.simulation.virtual.ledger import Account
from inspection.simulation.virtual.line import VirtualLine
from inspection.simulation.virtual.plan import MS, Plan
from inspection.simulation.virtual.station import VirtualStation


class ShiftedCore(SchedulerCore):
    """Fires for the part one pitch later: what a tracker that shifts by one would do."""

    def take(self, message: Any, now_ns: int) -> None:
        """Arm a part one pitch too late."""
        super().take(Expect(message.part, message.due + 50 * MS) if isinstance(message, Expect) else message, now_ns)


class TrustingCore(SchedulerCore):
    """Takes the verdicts on two parts for each other's."""

    def take(self, message: Any, now_ns: int) -> None:
        """Swap each odd part with the even one before it."""
        super().take(Decide(message.part ^ 1, message.verdict) if isinstance(message, Decide) else message, now_ns)


class ShiftedScheduler(Scheduler):
    """An ejector's process with a core that shifts."""

    def make_core(self, rules: Rules) -> SchedulerCore:
        """Return the broken core."""
        return ShiftedCore(rules, self._told)


class TrustingScheduler(Scheduler):
    """An ejector's process with a core that mixes up its parts."""

    def make_core(self, rules: Rules) -> SchedulerCore:
        """Return the broken core."""
        return TrustingCore(rules, self._told)


class LosingScheduler(Scheduler):
    """An ejector's process that reports pulses as written that never reached the board."""

    def _written(self, command: Any) -> None:
        if command.is_pulse and int(self._agenda.now_ns) % 7 == 0:
            self.core.written(command, self._agenda.now_ns)
        else:
            super()._written(command)


class OpenStation(VirtualStation):
    """A station that fails open: a part whose frame was lost is passed."""

    def make_flow(self) -> PartFlow:
        """Return a flow that passes what it does not know."""
        flow = super().make_flow()
        decide = self.ejector.decide
        self.ejector.decide = lambda part, verdict: decide(part, Verdict.PASS)  # type: ignore[method-assign]
        return flow


class MixingStation(VirtualStation):
    """A station that takes each frame for the next part's."""

    def framed(self, view: int, frame: Any) -> None:
        """Shift the first camera by one."""
        number = frame.counter + 1
        self.flow.on_frame(number, frame, view)


class ForgetfulStation(VirtualStation):
    """A station that loses the record of every fiftieth part."""

    def make_flow(self) -> PartFlow:
        """Return a flow with a memory that forgets."""
        flow = super().make_flow()
        submit, journal = self.recorder.submit, self.recorder.disk.journal

        def forget(result: Any) -> bool:
            if result.part % 50:
                return submit(result)
            return bool(journal.pop((result.run, result.part)))

        self.recorder.submit = forget  # type: ignore[method-assign]
        return flow


class DoubtfulStation(VirtualStation):
    """A station that records some parts twice."""

    def make_flow(self) -> PartFlow:
        """Return a flow with a memory that stutters."""
        flow = super().make_flow()
        submit = self.recorder.submit
        self.recorder.submit = lambda result: submit(result) and (bool(result.part % 50) or submit(result))  # type: ignore[method-assign]
        return flow


def line_of(
    station: type[VirtualStation] = VirtualStation, scheduler: type[Scheduler] = Scheduler
) -> type[VirtualLine]:
    """Return a line with one broken piece."""
    return type("BrokenLine", (VirtualLine,), {"STATION": station, "SCHEDULER": scheduler})


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (line_of(scheduler=ShiftedScheduler), lambda account: account.system_escapes and account.wrong_pulses),
        (line_of(scheduler=TrustingScheduler), lambda account: account.system_escapes),
        (line_of(scheduler=LosingScheduler), lambda account: account.system_escapes),
        (line_of(station=OpenStation), lambda account: account.system_escapes),
        (line_of(station=MixingStation), lambda account: account.system_escapes),
        (line_of(station=ForgetfulStation), lambda account: account.record_faults),
        (line_of(station=DoubtfulStation), lambda account: account.record_faults),
    ],
)
def test_what_is_broken_on_purpose_is_found_out(line: type[VirtualLine], found: Callable[[Account], object]) -> None:
    """A line with one broken rule does not pass, and the account names a part to look at."""
    plan = Plan(parts=600, seed=3, faults=("frame_lost",), fault_rate=0.02, encoder=False)
    account = simulated(plan, line).run()
    assert found(account)
    assert not account.kept
    assert account.first_broken
    assert simulated(plan).run().kept
