"""What the station's state follows from, and what it has been: each change with its time and its cause."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from inspection.state_machine import EXECUTING, Cause, State, is_legal, require


@dataclass(frozen=True, slots=True)
class StateChange:
    """One change of the state. sequence: counted from 1 since the process began. detail: why, in words or ''."""

    sequence: int
    before: State
    after: State
    cause: Cause
    detail: str
    wall_ns: int
    host_ns: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What is wanted of the station, and how far it has come; what is broken is known elsewhere."""

    is_open: bool = False
    is_closed: bool = False
    is_halted: bool = False
    is_automatic: bool = True
    has_recipe: bool = False
    execution: State | None = None

    @property
    def calm(self) -> State:
        """The state if nothing were broken."""
        if self.is_closed or self.is_halted:
            return State.HALTED
        if not self.is_open or not self.is_automatic:
            return State.PREOPERATIONAL
        if self.execution is not None:
            return self.execution
        return State.READY if self.has_recipe else State.INITIALIZED

    def state(self, *, faulty: bool) -> State:
        """The state as it is."""
        calm = self.calm
        return State.ERROR if faulty and self.is_open and calm is not State.HALTED else calm


_EFFECTS: Mapping[Cause, Mapping[str, Any]] = MappingProxyType(
    {
        Cause.OPENED: {"is_open": True},
        Cause.CLOSED: {"is_closed": True, "execution": None},
        Cause.SELECT_MODE_AUTOMATIC: {"is_automatic": True},
        Cause.PREPARE_RECIPE: {"has_recipe": True},
        Cause.UNPREPARE_RECIPE: {"has_recipe": False},
        Cause.START_SINGLE: {"execution": State.SINGLE_EXECUTION},
        Cause.START_CONTINUOUS: {"execution": State.CONTINUOUS_EXECUTION},
        Cause.STOP: {"execution": None},
        Cause.ABORT: {"execution": None},
        Cause.JOB_DONE: {"execution": None},
        Cause.HALT: {"is_halted": True, "has_recipe": False, "execution": None},
        Cause.RESET: {"is_halted": False, "is_automatic": False, "has_recipe": False, "execution": None},
    }
)


class StationStates:
    """The station's state, computed from facts, and the last changes of it. Owned by the station; safe in any thread.

    is_faulty: whether a fault stands. Its lock is held for the setting of a few values only; `is_faulty` must take
    no lock. No change is missed: facts change under the lock, and whoever makes or mends a fault calls `look`.
    """

    KEPT = 256

    def __init__(
        self,
        is_faulty: Callable[[], bool],
        *,
        wall_ns: Callable[[], int] = time.time_ns,
        host_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._is_faulty = is_faulty
        self._wall_ns, self._host_ns = wall_ns, host_ns
        self._facts = Facts()
        self._last = State.PREOPERATIONAL
        self._changes: deque[StateChange] = deque(maxlen=self.KEPT)
        self._sequence = 0
        self._changed = threading.Condition()

    @property
    def state(self) -> State:
        """What the station does now."""
        return self._facts.state(faulty=self._is_faulty())

    @property
    def facts(self) -> Facts:
        """What the state follows from."""
        return self._facts

    @property
    def executes(self) -> bool:
        """True while the line is wanted to run, whatever is broken."""
        return self._facts.execution in EXECUTING

    def require(self, command: Cause, next_step: str) -> None:
        """Raise StateError unless the present state allows the command."""
        require(command, self.state, next_step)

    def apply(self, cause: Cause, detail: str = "") -> State:
        """Let what a command or an event changes hold from now on; return the state."""
        with self._changed:
            self._note(None, "")
            self._facts = replace(self._facts, **_EFFECTS.get(cause, {}))
            return self._note(cause, detail)

    def look(self, detail: str = "") -> State:
        """Take note of a fault that came up or has been mended; return the state."""
        with self._changed:
            return self._note(None, detail)

    def wait(self, after: int, timeout_s: float) -> list[StateChange]:
        """Return the changes after a sequence, oldest first; empty when none came in time.

        The oldest are forgotten: a gap in the sequences says so.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._sequence > after, timeout_s)
            return [change for change in self._changes if change.sequence > after]

    @property
    def last_change(self) -> StateChange | None:
        """How the state became what it is; None before the first change."""
        with self._changed:
            return self._changes[-1] if self._changes else None

    @property
    def sequence(self) -> int:
        """The number of the last change."""
        return self._sequence

    def _note(self, cause: Cause | None, detail: str) -> State:
        """Write down how the state differs from the last one seen: a command's own step first, then a fault's."""
        state, calm = self.state, self._facts.calm
        leaves = cause is Cause.RESET or self._last is not State.ERROR  # any other command leaves an error as it is
        if cause is not None and leaves and state is State.ERROR and is_legal(self._last, cause, calm):
            self._add(calm, cause, detail)
            self._add(state, Cause.FAULT, "")
        elif state is not self._last:
            faults = Cause.FAULT if state is State.ERROR else Cause.FAULT_MENDED
            of_fault = cause is None or not is_legal(self._last, cause, state)
            self._add(state, faults if of_fault or cause is None else cause, detail)
        return state

    def _add(self, state: State, cause: Cause, detail: str) -> None:
        self._sequence += 1
        change = StateChange(self._sequence, self._last, state, cause, detail, self._wall_ns(), self._host_ns())
        self._changes.append(change)
        self._last = state
        self._changed.notify_all()
