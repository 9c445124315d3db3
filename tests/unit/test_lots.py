"""Lots against a second model of ISA-95's job control, on the real book of entries."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from inspection.admission import Admission
from inspection.lots.book import LotBook
from inspection.lots.lot import LotOrder
from inspection.lots.states import (
    LOT_TABLE,
    LotContentError,
    LotMissingError,
    LotState,
    LotStateError,
    LotStep,
    lot_document,
)
from inspection.recipes.content import RecipeRef
from inspection.records.options import RecordsOptions
from inspection.records.reader import RecordReader
from inspection.records.store import RecordStore
from inspection.records.verify import verify
from inspection.records.writer import RecordWriter
from inspection.state_machine import State, StateError

NAMES = ("A", "B")


class Records:
    """A real record store in a folder of its own; the book of entries is its writer and its reader."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writer = RecordWriter(RecordStore(folder), RecordsOptions(dir=folder, min_free_mb=0))
        self.reader = RecordReader(folder)
        self.note = self._writer.note
        self.entries = self.reader.entries

    def close(self) -> None:
        self._writer.close(10.0)
        self.reader.close()


class Stand:
    """A line that starts and stops as it is told; broken: it refuses."""

    def __init__(self) -> None:
        self.state = State.READY
        self.recipe: RecipeRef | None = RecipeRef("station", 0, "0" * 64)
        self.refuses = False

    def prepare_recipe(self, recipe_id: str, version: int | None = None, who: str = "") -> RecipeRef:
        del who
        self.recipe = RecipeRef(recipe_id, version or 1, "1" * 64)
        return self.recipe

    def recipe_fits(self, name: str, version: int | None) -> bool:
        return self.recipe is not None and self.recipe.name == name and version in (None, self.recipe.version)

    def start_line(self) -> None:
        if self.refuses:
            raise StateError("the ejector does not get ready")
        self.state = State.CONTINUOUS_EXECUTION

    def stop_line(self) -> None:
        self.state = State.READY

    abort_line = stop_line


class TwoLots(RuleBasedStateMachine):
    """Random steps on two lots, and deaths of the station; the model below knows only the standard's states."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.records = Records(Path(self._folder.name))
        self.expected: dict[str, str] = {}
        self.begin()

    def begin(self) -> None:
        self.line, self.admission = Stand(), Admission()
        self.told: list[str] = []
        self.book = LotBook(self.records, self.records.reader, self.admission, self.line, self.told.append)
        self.book.restore()

    def teardown(self) -> None:
        self.records.close()
        assert verify(self.records.folder).ok
        self._folder.cleanup()

    @property
    def running(self) -> list[str]:
        return [name for name, state in self.expected.items() if state == "RUNNING"]

    @property
    def interrupted(self) -> set[str]:
        return {name for name, state in self.expected.items() if state == "INTERRUPTED"}

    @rule(name=st.sampled_from(NAMES))
    def store(self, name: str) -> None:
        if name in self.expected:
            with pytest.raises(LotStateError, match="is there already"):
                self.book.store(LotOrder(name))
            return
        self.book.store(LotOrder(name, planned=5), who="mes")
        self.expected[name] = "NOT_ALLOWED_TO_START"

    @rule(name=st.sampled_from(NAMES), refuses=st.booleans(), step=st.sampled_from(["start", "resume"]))
    def runs(self, name: str, refuses: bool, step: str) -> None:
        state = self.expected.get(name)
        self.line.refuses = refuses
        begins = ("NOT_ALLOWED_TO_START", "ALLOWED_TO_START") if step == "start" else ("INTERRUPTED",)
        go = getattr(self.book, step)
        if state not in begins:
            with pytest.raises(LotMissingError if state is None else LotStateError):
                go(name)
        elif self.running:
            with pytest.raises(LotStateError, match=f"lot '{self.running[0]}' is running"):
                go(name)
            self.expected[name] = "ALLOWED_TO_START" if step == "start" else state
        elif refuses:
            with pytest.raises(StateError, match="does not get ready"):
                go(name)
            self.expected[name] = "INTERRUPTED"
        else:
            go(name, who="mes")
            self.expected[name] = "RUNNING"

    @rule(name=st.sampled_from(NAMES), step=st.sampled_from(["pause", "stop", "abort", "revoke_start"]))
    def leaves(self, name: str, step: str) -> None:
        state = self.expected.get(name)
        follows = {
            ("pause", "RUNNING"): "INTERRUPTED",
            ("stop", "RUNNING"): "ENDED",
            ("stop", "INTERRUPTED"): "ENDED",
            ("revoke_start", "ALLOWED_TO_START"): "NOT_ALLOWED_TO_START",
        }
        unfinished = ("NOT_ALLOWED_TO_START", "ALLOWED_TO_START", "RUNNING", "INTERRUPTED")
        after = "ABORTED" if step == "abort" and state in unfinished else follows.get((step, state or ""))
        if after is None:
            with pytest.raises(LotMissingError if state is None else LotStateError):
                getattr(self.book, step)(name)
            return
        getattr(self.book, step)(name)
        assert state != "RUNNING" or self.line.state is State.READY
        self.expected[name] = after

    @rule()
    def the_station_is_halted(self) -> None:
        self.line.state = State.READY
        self.book.interrupt("HALT: guard open")
        self.expected.update(dict.fromkeys(self.running, "INTERRUPTED"))

    @rule()
    def the_station_dies_and_begins_anew(self) -> None:
        self.begin()
        self.expected.update(dict.fromkeys(self.running, "INTERRUPTED"))

    @invariant()
    def both_agree(self) -> None:
        assert {lot.order.lot: lot.state.value for lot in self.book.list()} == self.expected
        assert self.admission.lot == (self.running[0] if self.running else "")
        for lot in self.book.list():
            assert lot.steps[0].step is LotStep.STORE
        assert set(filter(None, self.told[-1].split(", "))) == self.interrupted


TestTwoLots = TwoLots.TestCase
TestTwoLots.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


def test_each_step_has_one_row_and_the_document_names_it() -> None:
    """A step without a row would be one without a guard."""
    assert [row.step for row in LOT_TABLE] == list(LotStep)
    assert all(step.value in lot_document() for step in LotStep)
    assert {row.after for row in LOT_TABLE} == set(LotState)


@pytest.mark.parametrize(
    "order",
    [
        LotOrder(""),
        LotOrder("x" * 65),
        LotOrder("a\nb"),
        LotOrder("a", planned=-1),
        LotOrder("a", parameters={"k": "v" * 1001}),
    ],
)
def test_an_order_that_is_none_is_refused(order: LotOrder) -> None:
    """The text names the value and what is allowed."""
    with pytest.raises(LotContentError, match="allowed"):
        order.checked()


def test_the_time_of_a_lot_is_told_apart_by_its_states(tmp_path: Path) -> None:
    """Running and paused, for the OEE: by the wall clock of each step."""
    records = Records(tmp_path)
    seconds = iter(range(0, 1000, 10))
    book = LotBook(records, records.reader, Admission(), Stand(), [].append, wall_ns=lambda: next(seconds) * 10**9)
    try:
        book.store_and_start(LotOrder("A", recipe="bottle", version=3, planned=5))  # 0, 10 and 20 s
        book.pause("A")  # 30
        book.resume("A")  # 40
        lot = book.stop("A")  # 50
        assert lot.spent_ns(LotState.RUNNING, 99 * 10**9) == 20 * 10**9
        assert lot.spent_ns(LotState.INTERRUPTED, 99 * 10**9) == 10 * 10**9
        assert book.get("A").order == LotOrder("A", "bottle", 3, 5)
    finally:
        records.close()
