"""A lot's states after ISA-95 job control, and the table of steps between them: guards come from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LotState(StrEnum):
    """The state of a lot, named after OPC UA for ISA-95 job control."""

    NOT_ALLOWED_TO_START = "NOT_ALLOWED_TO_START"  # stored, nothing more
    ALLOWED_TO_START = "ALLOWED_TO_START"  # it may start, but the line could not yet
    RUNNING = "RUNNING"  # parts that trigger belong to it
    INTERRUPTED = "INTERRUPTED"  # paused, or cut off by a halt or an end of the station
    ENDED = "ENDED"  # stopped in order: its response is final
    ABORTED = "ABORTED"  # given up


UNFINISHED = frozenset(LotState) - {LotState.ENDED, LotState.ABORTED}


class LotStep(StrEnum):
    """What leads a lot from one state to another."""

    STORE = "STORE"
    ALLOW = "ALLOW"
    REVOKE_START = "REVOKE_START"
    RUN = "RUN"
    PAUSE = "PAUSE"
    INTERRUPT = "INTERRUPT"
    RESUME = "RESUME"
    STOP = "STOP"
    ABORT = "ABORT"


@dataclass(frozen=True, slots=True)
class LotRow:
    """One row of the table. before: the states in which the step may be taken; empty: of a lot that is not there."""

    step: LotStep
    before: frozenset[LotState]
    after: LotState
    says: str


class LotError(Exception):
    """Base of the errors about lots; `exit_code` is what a command line ends with."""

    exit_code = 1


class LotMissingError(LotError):
    """There is no such lot."""


class LotContentError(LotError):
    """What is to be stored describes no lot."""


class LotStateError(LotError):
    """A step that the lot's state, or the station's, does not allow; the text names it and the next step."""


_S = LotState
LOT_TABLE: tuple[LotRow, ...] = (
    LotRow(LotStep.STORE, frozenset(), _S.NOT_ALLOWED_TO_START, "Store an order."),
    LotRow(LotStep.ALLOW, frozenset({_S.NOT_ALLOWED_TO_START}), _S.ALLOWED_TO_START, "Start was asked for."),
    LotRow(
        LotStep.REVOKE_START, frozenset({_S.ALLOWED_TO_START}), _S.NOT_ALLOWED_TO_START, "It is not to start after all."
    ),
    LotRow(LotStep.RUN, frozenset({_S.ALLOWED_TO_START}), _S.RUNNING, "The recipe is prepared, parts belong to it."),
    LotRow(LotStep.PAUSE, frozenset({_S.RUNNING}), _S.INTERRUPTED, "Stop the line; parts belong to it no more."),
    LotRow(LotStep.INTERRUPT, frozenset({_S.RUNNING}), _S.INTERRUPTED, "The station was halted, reset, or ended."),
    LotRow(LotStep.RESUME, frozenset({_S.INTERRUPTED}), _S.RUNNING, "Start the line again for it."),
    LotRow(LotStep.STOP, frozenset({_S.RUNNING, _S.INTERRUPTED}), _S.ENDED, "Stop the line; its response is final."),
    LotRow(LotStep.ABORT, UNFINISHED, _S.ABORTED, "Abort the line if it runs for it; it is given up."),
)
LOT_ROWS = {row.step: row for row in LOT_TABLE}


def require_step(step: LotStep, lot: str, state: LotState) -> None:
    """Raise LotStateError unless the lot's state allows the step."""
    allowed = LOT_ROWS[step].before
    if state not in allowed:
        names = ", ".join(one.value for one in LotState if one in allowed)
        raise LotStateError(
            f"lot {lot!r}: {step.value} in state {state.value} — {names} allowed — {_NEXT_STEPS[state]}"
        )


_NEXT_STEPS = {
    _S.NOT_ALLOWED_TO_START: "start it, or abort it",
    _S.ALLOWED_TO_START: "start it again, or revoke its start",
    _S.RUNNING: "pause, stop or abort it",
    _S.INTERRUPTED: "resume, stop or abort it",
    _S.ENDED: "store a new lot under another name",
    _S.ABORTED: "store a new lot under another name",
}


def lot_document() -> str:
    """Return the table as Markdown, for the documentation."""
    lines = ["| Step | From | To | What it does |", "|---|---|---|---|"]
    for row in LOT_TABLE:
        before = ", ".join(state.value for state in LotState if state in row.before) or "–"
        lines.append(f"| {row.step.value} | {before} | {row.after.value} | {row.says} |")
    return "\n".join(lines) + "\n"
