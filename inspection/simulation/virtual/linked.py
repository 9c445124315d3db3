"""The station's end of an ejector behind a relay board, in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from inspection.ejector.interface import Ejector, EjectorHealth
from inspection.ejector.messages import Alive, Decide, Expect, Moved
from inspection.part import Actuation, EjectorAction, Verdict
from inspection.simulation.virtual.ejecting import Scheduler
from inspection.simulation.virtual.plan import Plan


class LinkedEjector(Ejector):
    """The station's end of a relay board, with the rules of `ejector.client`: each armed part gets one report."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._armed: dict[int, bool] = {}
        self._to: Scheduler | None = None
        self.report: Callable[[Actuation], None] = lambda _actuation: None
        self.tell: Callable[[EjectorHealth], None] = lambda _health: None

    @property
    def lead_ns(self) -> int:
        """How long before a part is due its command is written."""
        return self._plan.LEAD_NS

    def open(self, on_actuation: Any, on_health: Any, on_trigger: Any = None) -> None:
        """Take the station's callbacks."""
        del on_trigger
        self.report, self.tell = on_actuation, on_health

    def connect(self, scheduler: Scheduler | None) -> None:
        """Take a new process, or none: what was armed in the one before has failed."""
        self._to = scheduler
        if scheduler is None:
            armed, self._armed = list(self._armed), {}
            for part in armed:
                self.report(Actuation(part, EjectorAction.FAILED, True, None, None))
            self.health_is(False)

    def health_is(self, connected: bool, long_pulses: int = 0) -> None:
        """Pass on whether the port is open, and what the process counted."""
        counters = {"long_pulses": long_pulses}
        self.tell(EjectorHealth(connected, "virtual", "virtual", "", 0, 0, connected, True, counters))

    def turn(self) -> None:
        """Report the parts that no process was there for."""
        for part in [part for part, sent in self._armed.items() if not sent]:
            del self._armed[part]
            self.report(Actuation(part, EjectorAction.FAILED, True, None, None))

    def reported(self, actuation: Actuation) -> None:
        """Pass a report on, the first of each part."""
        if self._armed.pop(actuation.part, None) is not None:
            self.report(actuation)

    def expect(self, part: int, due: int) -> None:
        """Arm a part."""
        if part not in self._armed:
            self._armed[part] = self._to is not None
            if self._to is not None:
                self._to.send(Expect(part, due))

    def moved(self, host_ns: int, position: int) -> None:
        """Pass a sample of the encoder on."""
        if self._to is not None:
            self._to.send(Moved(host_ns, position))

    def decide(self, part: int, verdict: Verdict) -> None:
        """Pass a verdict on."""
        if self._to is not None:
            self._to.send(Decide(part, verdict))

    def alive(self) -> None:
        """Pass the sign of life on."""
        if self._to is not None:
            self._to.send(Alive())

    def health(self) -> EjectorHealth:
        """Return what is known without asking."""
        return EjectorHealth(self._to is not None, "virtual", "virtual", "", 0, 0, False, True)

    def close(self) -> None:
        """Do nothing: the process is the line's."""
