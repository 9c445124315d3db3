"""The station's states after OPC 40100-1, and one table of what leads from one to another: guards come from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """The station's state, named after OPC 40100-1; its Operational is INITIALIZED to CONTINUOUS_EXECUTION."""

    PREOPERATIONAL = "PREOPERATIONAL"  # starting, or reset: nothing is prepared and nothing runs
    INITIALIZED = "INITIALIZED"  # everything is open, no recipe is prepared
    READY = "READY"  # a recipe is prepared and warm, the line is stopped
    SINGLE_EXECUTION = "SINGLE_EXECUTION"  # one part is inspected, and no other may pass
    CONTINUOUS_EXECUTION = "CONTINUOUS_EXECUTION"  # every part that triggers is inspected
    ERROR = "ERROR"  # something is broken: nothing passes until it is mended
    HALTED = "HALTED"  # halted by a command, or shut down


EXECUTING = frozenset({State.SINGLE_EXECUTION, State.CONTINUOUS_EXECUTION})
OPERATIONAL = EXECUTING | {State.INITIALIZED, State.READY}


class Cause(StrEnum):
    """What leads from one state to another: a command that somebody gives, or an event."""

    SELECT_MODE_AUTOMATIC = "SELECT_MODE_AUTOMATIC"
    PREPARE_RECIPE = "PREPARE_RECIPE"
    UNPREPARE_RECIPE = "UNPREPARE_RECIPE"
    START_SINGLE = "START_SINGLE"
    START_CONTINUOUS = "START_CONTINUOUS"
    STOP = "STOP"
    ABORT = "ABORT"
    HALT = "HALT"
    RESET = "RESET"
    CONFIRM_ALL = "CONFIRM_ALL"
    SIMULATION_MODE = "SIMULATION_MODE"
    OPENED = "OPENED"
    JOB_DONE = "JOB_DONE"
    FAULT = "FAULT"
    FAULT_MENDED = "FAULT_MENDED"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the table. before: the states in which it may happen. after: where it leads; empty: nowhere else."""

    cause: Cause
    before: frozenset[State]
    after: frozenset[State]
    is_command: bool
    says: str


class StateError(Exception):
    """A command that the present state does not allow; the text names the state and the next step."""

    exit_code = 1


_S = State
_ALL = frozenset(State)


def _command(cause: Cause, before: Iterable[State], after: Iterable[State], says: str) -> Transition:
    return Transition(cause, frozenset(before), frozenset(after), True, says)


def _event(cause: Cause, before: Iterable[State], after: Iterable[State], says: str) -> Transition:
    return Transition(cause, frozenset(before), frozenset(after), False, says)


TABLE: tuple[Transition, ...] = (
    _command(
        Cause.SELECT_MODE_AUTOMATIC, {_S.PREOPERATIONAL}, {_S.INITIALIZED}, "Take the station into automatic operation."
    ),
    _command(
        Cause.PREPARE_RECIPE, {_S.INITIALIZED, _S.READY}, {_S.READY}, "Load and warm a recipe; it replaces an earlier."
    ),
    _command(Cause.UNPREPARE_RECIPE, {_S.READY}, {_S.INITIALIZED}, "Let go of the prepared recipe."),
    _command(Cause.START_SINGLE, {_S.READY}, {_S.SINGLE_EXECUTION}, "Inspect the next part, and let no other pass."),
    _command(Cause.START_CONTINUOUS, {_S.READY}, {_S.CONTINUOUS_EXECUTION}, "Inspect every part that triggers."),
    _command(Cause.STOP, EXECUTING | {_S.ERROR}, {_S.READY}, "Stop the line; the parts in flight end."),
    _command(Cause.ABORT, EXECUTING | {_S.ERROR}, {_S.READY}, "Stop the line; from now on no part gets a pass."),
    _command(Cause.HALT, _ALL - {_S.HALTED}, {_S.HALTED}, "Abort, and do nothing until Reset."),
    _command(
        Cause.RESET, _ALL - {_S.PREOPERATIONAL}, {_S.PREOPERATIONAL}, "Abort, and begin anew without a prepared recipe."
    ),
    _command(Cause.CONFIRM_ALL, _ALL, (), "Let go of held alarms whose fault has gone."),
    _command(
        Cause.SIMULATION_MODE,
        {_S.PREOPERATIONAL, _S.INITIALIZED, _S.READY},
        (),
        "Mark the parts that follow as simulated, or no longer.",
    ),
    _event(Cause.OPENED, {_S.PREOPERATIONAL}, {_S.INITIALIZED}, "Devices, model and records are open."),
    _event(Cause.JOB_DONE, {_S.SINGLE_EXECUTION, _S.ERROR}, {_S.READY}, "The part of a single execution has ended."),
    _event(Cause.FAULT, OPERATIONAL | {_S.PREOPERATIONAL}, {_S.ERROR}, "A fault has come up: nothing passes."),
    _event(
        Cause.FAULT_MENDED,
        {_S.ERROR},
        OPERATIONAL | {_S.PREOPERATIONAL},
        "The last fault has gone: back to what is wanted.",
    ),
    _event(Cause.CLOSED, _ALL - {_S.HALTED}, {_S.HALTED}, "The station is shut down."),
)
ROWS = {row.cause: row for row in TABLE}


def require(command: Cause, state: State, next_step: str) -> None:
    """Raise StateError unless the state allows the command; next_step: what to do first, by what is broken."""
    allowed = ROWS[command].before
    if state not in allowed:
        names = ", ".join(one.value for one in State if one in allowed)
        raise StateError(f"{command.value} in state {state.value} — {names} allowed — {next_step}")


def is_legal(before: State, cause: Cause, after: State) -> bool:
    """Return whether the table has this way from one state to another."""
    row = ROWS[cause]
    return before in row.before and after in row.after


def document() -> str:
    """Return the table as Markdown, for the documentation."""
    lines = ["| Command or event | From | To | What it does |", "|---|---|---|---|"]
    for row in TABLE:
        kind = row.cause.value if row.is_command else f"*{row.cause.value}*"
        before, after = (", ".join(state.value for state in State if state in one) for one in (row.before, row.after))
        lines.append(f"| {kind} | {before} | {after or 'stays'} | {row.says} |")
    return "\n".join(lines) + "\n"
