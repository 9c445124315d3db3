"""The belt's drive, and what cuts it: a watchdog relay on the heartbeat, or a controller's run output."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from inspection.simulation.virtual.agenda import Agenda
from inspection.simulation.virtual.belt import Belt
from inspection.simulation.virtual.nozzle import Nozzle
from inspection.simulation.virtual.plan import Plan


class Drive:
    """Starts, brakes and slows the belt in steps. What was cut stays cut until somebody resets it.

    tripped: called when the belt is cut. Where nothing can cut it, it runs from the beginning.
    """

    STEPS = 8

    def __init__(self, plan: Plan, agenda: Agenda, belt: Belt, nozzle: Nozzle, tripped: Callable[[], None]) -> None:
        self._plan = plan
        self._agenda = agenda
        self._belt = belt
        self._nozzle = nozzle
        self._on_tripped = tripped
        self._edge_ns = 0
        self._may_start = True
        self._may_run = False
        self.is_tripped = plan.belt_is_wired
        self._is_at_speed = not self.is_tripped
        if self._is_at_speed:
            belt.run(plan.SPEED)

    @property
    def stands(self) -> bool:
        """Return whether the watchdog has tripped and the belt has come to rest."""
        return self.is_tripped and not self._belt.speed

    def reset(self) -> None:
        """Let the next edge of the heartbeat start the belt, or the run output where that is on."""
        self._may_start = True
        if self._may_run:
            self._start()

    def may_run(self, on: bool) -> None:
        """Take the level of a controller's run output."""
        self._may_run = on
        if on:
            self._start()
        elif not self.is_tripped:
            self._trip()

    def edge(self) -> None:
        """Take an edge of the heartbeat."""
        self._edge_ns = self._agenda.now_ns
        self._agenda.after(self._plan.WATCHDOG_NS + 1, self._look)
        self._start()

    def _start(self) -> None:
        if self.is_tripped and self._may_start:
            self.is_tripped = self._may_start = False
            self._ramp(0.0, 1.0, self._belt.run)
            self._agenda.after(self._plan.BRAKE_NS + 1, self._reach_speed)

    def _look(self) -> None:
        if not self.is_tripped and self._agenda.now_ns - self._edge_ns > self._plan.WATCHDOG_NS:
            self._trip()

    def _trip(self) -> None:
        self.is_tripped = True
        self._nozzle.air = self._is_at_speed = False
        self._ramp(1.0, 0.0, self._belt.run)
        self._on_tripped()

    def _reach_speed(self) -> None:
        self._nozzle.air = self._is_at_speed = not self.is_tripped

    def change(self, share: float, for_ns: int) -> None:
        """Let the belt run at a share of its speed for a while, unless the watchdog has stopped it."""
        if self._is_at_speed and self._belt.speed == self._plan.SPEED:
            self._ramp(1.0, share, self._run_if_free)
            self._agenda.after(for_ns + self._plan.BRAKE_NS, partial(self._ramp, share, 1.0, self._run_if_free))

    def _run_if_free(self, speed: int) -> None:
        if self._is_at_speed:
            self._belt.run(speed)

    def _ramp(self, from_share: float, to_share: float, run: Callable[[int], None]) -> None:
        for step in range(1, self.STEPS + 1):
            speed = round(self._plan.SPEED * (from_share + (to_share - from_share) * step / self.STEPS))
            self._agenda.after(step * self._plan.BRAKE_NS // self.STEPS, partial(run, speed))
