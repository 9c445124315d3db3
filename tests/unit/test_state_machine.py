"""The state machine against a second model of OPC 40100-1's text, and its table against itself."""

from __future__ import annotations

import threading

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from inspection.alarm_board import AlarmBoard
from inspection.api import v1 as pb
from inspection.page.words import banner, state_name
from inspection.state_machine import ROWS, TABLE, Cause, State, StateError, document, is_legal, require
from inspection.station_states import StationStates
from inspection.texts import load_catalogue

COMMANDS = [row.cause for row in TABLE if row.is_command]


class TwoModels(RuleBasedStateMachine):
    """Random commands and faults; the model below was written from the standard's text, state by state."""

    def __init__(self) -> None:
        super().__init__()
        self.faulty = False
        self.states = StationStates(lambda: self.faulty)
        self.place = "pre"  # the standard's own state: pre, halted, or the sub-state of Operational it would be in
        self.opened = False

    @property
    def expected(self) -> str:
        if self.place == "halted":
            return "HALTED"
        if self.faulty and self.opened:
            return "ERROR"
        names = {"pre": "PREOPERATIONAL", "init": "INITIALIZED", "ready": "READY"}
        return {**names, "single": "SINGLE_EXECUTION", "continuous": "CONTINUOUS_EXECUTION"}[self.place]

    @precondition(lambda self: not self.opened)
    @rule()
    def it_opens(self) -> None:
        self.states.apply(Cause.OPENED)
        self.opened = True
        self.place = "init"

    @precondition(lambda self: self.opened)
    @rule(command=st.sampled_from(COMMANDS))
    def command(self, command: Cause) -> None:
        before = self.expected
        follows = {
            ("PREOPERATIONAL", "SELECT_MODE_AUTOMATIC"): "init",
            ("INITIALIZED", "PREPARE_RECIPE"): "ready",
            ("READY", "PREPARE_RECIPE"): "ready",
            ("READY", "UNPREPARE_RECIPE"): "init",
            ("READY", "START_SINGLE"): "single",
            ("READY", "START_CONTINUOUS"): "continuous",
        }
        executes = self.place in ("single", "continuous")
        allowed: str | None = follows.get((before, command.value))
        if command in (Cause.STOP, Cause.ABORT) and before in ("SINGLE_EXECUTION", "CONTINUOUS_EXECUTION", "ERROR"):
            allowed = "ready" if executes else self.place
        elif command is Cause.HALT and before != "HALTED":
            allowed = "halted"
        elif command is Cause.RESET and before != "PREOPERATIONAL":
            allowed = "pre"
        elif command is Cause.CONFIRM_ALL or (
            command is Cause.SIMULATION_MODE and before in ("PREOPERATIONAL", "INITIALIZED", "READY")
        ):
            allowed = self.place
        if allowed is None:
            with pytest.raises(StateError, match=f"{command.value} in state {before}"):
                self.states.require(command, "wait")
            return
        self.states.require(command, "wait")
        self.states.apply(command)
        self.place = allowed

    @precondition(lambda self: self.place == "single")
    @rule()
    def the_single_part_ends(self) -> None:
        self.states.apply(Cause.JOB_DONE)
        self.place = "ready"

    @rule()
    def a_fault_comes_or_goes(self) -> None:
        self.faulty = not self.faulty
        self.states.look()

    @rule()
    def a_fault_that_nobody_told_of(self) -> None:
        """The next look or command finds it."""
        self.faulty = not self.faulty

    @invariant()
    def both_agree(self) -> None:
        assert self.states.state.value == self.expected

    @invariant()
    def every_step_is_in_the_table_and_none_is_missing(self) -> None:
        self.states.look()
        changes = self.states.wait(0, 0.0)
        at = changes[0].before if changes else State.PREOPERATIONAL
        for change in changes:
            assert change.before is at
            assert is_legal(change.before, change.cause, change.after), change
            at = change.after
        assert at is self.states.state
        numbers = [change.sequence for change in changes]
        assert numbers == list(range(self.states.sequence - len(numbers) + 1, self.states.sequence + 1))


TestTwoModels = TwoModels.TestCase
TestTwoModels.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_each_command_and_event_has_one_row_and_the_document_names_it() -> None:
    """A cause without a row would be a command without a guard."""
    assert [row.cause for row in TABLE] == list(Cause)
    assert all(cause.value in document() for cause in Cause)
    assert all(row.before for row in TABLE)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("state", list(State))
def test_a_refusal_names_the_state_what_is_allowed_and_the_next_step(command: Cause, state: State) -> None:
    """Each command in each state: either allowed by the table, or refused in words that help."""
    if state in ROWS[command].before:
        require(command, state, "wait")
        return
    with pytest.raises(StateError) as refused:
        require(command, state, "first mend CAMERA_LOST")
    text = str(refused.value)
    assert f"in state {state.value}" in text
    assert text.endswith("first mend CAMERA_LOST")
    assert all(allowed.value in text for allowed in ROWS[command].before)


def test_a_fault_that_lasts_a_moment_is_seen_by_who_watches() -> None:
    """The board tells of each edge itself: nothing is missed between two looks of the supervisor."""
    board = AlarmBoard()
    states = StationStates(lambda: board.faulty)
    board.on_fault = states.look
    states.apply(Cause.OPENED)
    for _ in range(3):
        board.raise_alarm("CAMERA_LOST", detail="unplugged", why="CAMERA_ABSENT")
        board.clear("CAMERA_LOST")
    seen = [(change.cause, change.after, change.detail) for change in states.wait(1, 0.0)]
    assert (
        seen
        == [
            (Cause.FAULT, State.ERROR, "CAMERA_LOST"),
            (Cause.FAULT_MENDED, State.INITIALIZED, ""),
        ]
        * 3
    )


def test_who_waits_is_woken_by_a_change_and_not_by_none() -> None:
    """A watcher in another thread gets the change itself; without one it is told so."""
    states = StationStates(lambda: False)
    assert states.wait(0, 0.0) == []
    got: list[State] = []
    watcher = threading.Thread(target=lambda: got.extend(change.after for change in states.wait(0, 30.0)))
    watcher.start()
    states.apply(Cause.OPENED)
    watcher.join(30.0)
    assert got == [State.INITIALIZED]


def test_only_the_last_changes_are_kept_and_the_gap_shows() -> None:
    """A watcher that was away for long sees by the sequence that it missed some."""
    states = StationStates(lambda: False)
    states.apply(Cause.OPENED)
    for _ in range(states.KEPT):
        states.apply(Cause.PREPARE_RECIPE)
        states.apply(Cause.UNPREPARE_RECIPE)
    changes = states.wait(0, 0.0)
    assert len(changes) == states.KEPT
    assert changes[0].sequence == states.sequence - states.KEPT + 1 > 1


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("state", list(State))
def test_the_page_has_words_for_each_state(state: State, language: str) -> None:
    """No state is shown as an error because the page does not know it; each has a word, a sentence and an icon."""
    status = pb.GetStatusResponse(state=pb.State.Value(f"STATE_{state.value}"))
    assert state_name(status) == state.value
    said = banner(status, load_catalogue(language))
    assert said.kind == state.value.lower()
    assert all((said.word, said.detail, said.icon))
