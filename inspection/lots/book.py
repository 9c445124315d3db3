"""The station's lots: each step durable before it is answered, at most one running, its parts counted from records."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from inspection.admission import Admission
from inspection.lots.kept import KeptLots
from inspection.lots.lot import Lot, LotCounters, LotOrder, TakenStep, counters_of, lots_of, step_entry, taken
from inspection.lots.states import LOT_ROWS, UNFINISHED, LotMissingError, LotState, LotStateError, LotStep, require_step
from inspection.recipes.content import RecipeRef
from inspection.records.entries import EntryBook, EntryKind, StoredEntry
from inspection.records.errors import RecordsError
from inspection.records.lot_counts import EndedParts
from inspection.records.record import StoredRecord
from inspection.state_machine import EXECUTING, State

_log = logging.getLogger(__name__)
_PAGE = 1000


class LotLine(Protocol):
    """What a lot asks of the line."""

    @property
    def state(self) -> State:
        """What the station does now."""

    @property
    def recipe(self) -> RecipeRef | None:
        """The prepared recipe."""

    def prepare_recipe(self, recipe_id: str, version: int | None = None, who: str = "") -> RecipeRef:
        """Prepare a recipe."""

    def recipe_fits(self, name: str, version: int | None) -> bool:
        """Return whether the prepared recipe is this one; the newest version is meant where none is named."""

    def start_line(self) -> None:
        """Start the line; nothing to do where it runs."""

    def stop_line(self) -> None:
        """Stop the line after the parts in flight; nothing to do where it stands."""

    def abort_line(self) -> None:
        """Stop the line, letting no part get a pass any more; nothing to do where it stands."""


class Records(Protocol):
    """Durable records."""

    def count_lot(self, lot: str) -> list[EndedParts]:
        """Return how the parts of a lot ended."""


class LotBook:
    """The lots of a station. Owned by the station; safe from any thread, one command at a time.

    A command holds `_commanding` for as long as the line takes; the recorder's thread never waits for that. Raises
    RecordDiskError when a step cannot be made durable: then it is not taken. waiting: told which lots are INTERRUPTED,
    '' for none; called without a lock that the recorder's thread needs.
    """

    def __init__(
        self,
        book: EntryBook,
        records: Records,
        admission: Admission,
        line: LotLine,
        waiting: Callable[[str], object],
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._book, self._records, self._admission, self._line = book, records, admission, line
        self._wall_ns, self._waiting = wall_ns, waiting
        self._commanding = threading.RLock()
        self._lots = KeptLots()

    # ------------------------------------------------------------------ commands

    def store(self, order: LotOrder, who: str = "") -> Lot:
        """Store an order. Raises LotContentError, LotStateError for an id that is taken."""
        order.checked()
        with self._commanding:
            if self._book.entries(kind=EntryKind.LOT, subject=order.lot, limit=1):
                raise LotStateError(f"lot {order.lot!r}: is there already — an id is used once — choose another one")
            entry = self._note(order, LotStep.STORE, who, "")
            return self._keep(Lot(order, (taken(entry),)))

    def store_and_start(self, order: LotOrder, who: str = "") -> Lot:
        """Store an order and start it. A start that fails leaves it stored."""
        with self._commanding:
            self.store(order, who)
            return self.start(order.lot, who)

    def start(self, lot: str, who: str = "") -> Lot:
        """Prepare the lot's recipe if another one is prepared, and start the line for it.

        What prevents it is raised, in the words of whoever refuses, and the lot stays ALLOWED_TO_START: start it again.
        A line that does not start all the same leaves it INTERRUPTED: resume it.
        """
        with self._commanding:
            kept = self.get(lot)
            if kept.state is LotState.NOT_ALLOWED_TO_START:
                kept = self._take(kept, LotStep.ALLOW, who)
            return self._run(kept, LotStep.RUN, who)

    def revoke_start(self, lot: str, who: str = "") -> Lot:
        """Take back a start that did not come to running."""
        with self._commanding:
            return self._take(self.get(lot), LotStep.REVOKE_START, who)

    def pause(self, lot: str, who: str = "") -> Lot:
        """Stop the line; parts belong to the lot no more until it is resumed."""
        with self._commanding:
            return self._leave(self.get(lot), LotStep.PAUSE, who)

    def resume(self, lot: str, who: str = "") -> Lot:
        """Start the line again for an interrupted lot."""
        with self._commanding:
            return self._run(self.get(lot), LotStep.RESUME, who)

    def stop(self, lot: str, who: str = "") -> Lot:
        """Stop the line if it runs for the lot; its response is final then."""
        with self._commanding:
            return self._leave(self.get(lot), LotStep.STOP, who)

    def abort(self, lot: str, who: str = "") -> Lot:
        """Give the lot up; a line that runs for it is aborted."""
        with self._commanding:
            return self._leave(self.get(lot), LotStep.ABORT, who)

    def interrupt(self, detail: str) -> None:
        """Take note that the station was halted or reset under a running lot; a disk that refuses is logged."""
        with self._commanding:
            running = self.running
            if running is None:
                return
            try:
                self._take(running, LotStep.INTERRUPT, "", detail)
            except RecordsError as error:
                _log.error("lot %s: its interruption cannot be stored: %s", running.order.lot, error)
            self._admission.begin_lot("")

    def restore(self) -> None:
        """Read the lots of earlier lives of the station; one that ran is INTERRUPTED since its last record.

        Nobody knows what lay on the belt meanwhile, so a person or the MES resumes it. Raises RecordsError.
        """
        with self._commanding:
            lots = lots_of(self._all_entries())
            finished = [lot for lot in lots.values() if lot.state not in UNFINISHED][-KeptLots.FINISHED_KEPT :]
            unfinished = [lot for lot in lots.values() if lot.state in UNFINISHED]
            counted = [replace(lot, counters=self._count(lot)) for lot in unfinished]
            self._lots.begin_with([*finished, *counted])
            running = self.running
            if running is not None:
                last = max(running.counters.last_wall_ns, running.steps[-1].wall_ns)
                self._take(running, LotStep.INTERRUPT, "", "the station ended while it ran", last)
            self._waiting(", ".join(self.interrupted))

    # ------------------------------------------------------------------ a look

    @property
    def running(self) -> Lot | None:
        """The running lot, if there is one."""
        return self._lots.running

    @property
    def interrupted(self) -> list[str]:
        """The ids of the lots that wait to be resumed, the oldest first."""
        return [lot.order.lot for lot in self.list() if lot.state is LotState.INTERRUPTED]

    def get(self, lot: str) -> Lot:
        """Return a lot with its counters, its response once it is finished. Raises LotMissingError, RecordsError."""
        kept = self._lots.find(lot)
        if kept is None:
            kept = lots_of(self._book.entries(kind=EntryKind.LOT, subject=lot, limit=_PAGE)).get(lot)
        if kept is None:
            raise LotMissingError(f"lot {lot!r}: is not there — a stored lot is needed — store it first")
        if kept.state not in UNFINISHED and not kept.counters.triggered:
            kept = replace(kept, counters=self._count(kept))
            self._lots.replace(kept)
        return kept

    def list(self) -> list[Lot]:
        """Return the unfinished lots and the last finished ones, the oldest first."""
        return self._lots.list()

    def wait(self, version: int, timeout_s: float) -> int:
        """Wait until any lot has changed since a version; return the present one."""
        return self._lots.wait(version, timeout_s)

    def allow_recipe(self, name: str, version: int | None) -> None:
        """Raise LotStateError where a lot runs that is inspected with another recipe."""
        running = self.running
        if running is not None and not self._line.recipe_fits(name, version):
            raise LotStateError(
                f"recipe {name!r}: lot {running.order.lot!r} runs with {self._line.recipe} — one recipe a lot is "
                "allowed — pause or stop the lot"
            )

    def allow_unprepare(self) -> None:
        """Raise LotStateError where a lot runs: its parts would have no recipe."""
        running = self.running
        if running is not None:
            raise LotStateError(
                f"recipe {self._line.recipe}: lot {running.order.lot!r} runs with it — it stays prepared while a "
                "lot runs — pause or stop the lot"
            )

    def on_durable(self, records: Sequence[StoredRecord]) -> None:
        """Count records that have become durable; on the recorder's thread, microseconds."""
        of_lots = [record for record in records if record.lot]
        if of_lots:
            self._lots.count(of_lots)

    # ---------------------------------------------------------------- the steps

    def _run(self, lot: Lot, step: LotStep, who: str) -> Lot:
        """Begin or go on with a lot: recipe, mark, durable step, line – in this order, so that no part is nobody's."""
        name = lot.order.lot
        require_step(step, name, lot.state)
        running = self.running
        if running is not None:
            raise LotStateError(
                f"lot {name!r}: lot {running.order.lot!r} is running — one lot at a time runs — pause or stop that one"
            )
        self._prepare(lot, who)
        if self._line.state is not State.READY and self._line.state not in EXECUTING:
            raise LotStateError(
                f"lot {name!r}: {step.value} while the station is in state {self._line.state} — READY is needed — mend "
                "what is broken, or prepare a recipe"
            )
        self._admission.before_lot(name)
        lot = self._take(lot, step, who)
        self._admission.begin_lot(name)
        try:
            self._line.start_line()
        except BaseException as error:
            self._admission.begin_lot("")
            self._take(lot, LotStep.INTERRUPT, "", f"the line did not start: {error}")
            raise
        return self.get(name)

    def _prepare(self, lot: Lot, who: str) -> None:
        """Have the lot's recipe prepared: once it ran, the very one of its first part. Raises what prevents that."""
        name, version = lot.recipe or (lot.order.recipe, lot.order.version)
        if name and not self._line.recipe_fits(name, version):
            self._line.prepare_recipe(name, version, who)

    def _leave(self, lot: Lot, step: LotStep, who: str) -> Lot:
        """Take the line from a lot, if it runs for it, and then the step."""
        require_step(step, lot.order.lot, lot.state)
        was_running = lot.state is LotState.RUNNING
        if was_running:
            (self._line.abort_line if step is LotStep.ABORT else self._line.stop_line)()
        left = self._take(self.get(lot.order.lot), step, who)
        if was_running:
            self._admission.begin_lot("")
        return left

    def _take(self, lot: Lot, step: LotStep, who: str, detail: str = "", since_wall_ns: int = 0) -> Lot:
        """Make a step durable, then let it hold. Raises LotStateError, RecordDiskError."""
        require_step(step, lot.order.lot, lot.state)
        stored = taken(self._note(lot.order, step, who, detail, since_wall_ns))
        return self._keep(lot, stored)

    def _note(self, order: LotOrder, step: LotStep, who: str, detail: str, since_wall_ns: int = 0) -> StoredEntry:
        now_wall_ns = self._wall_ns()
        recipe = self._line.recipe if LOT_ROWS[step].after is LotState.RUNNING else None
        return self._book.note(step_entry(order, step, now_wall_ns, who, detail, since_wall_ns or now_wall_ns, recipe))

    def _keep(self, lot: Lot, step: TakenStep | None = None) -> Lot:
        kept = self._lots.keep(lot, step)
        self._waiting(", ".join(self.interrupted))
        return kept

    # -------------------------------------------------------------- from the store

    def _all_entries(self) -> Iterator[StoredEntry]:
        last = 0
        while page := self._book.entries(kind=EntryKind.LOT, after=last, limit=_PAGE):
            yield from page
            last = page[-1].sequence

    def _count(self, lot: Lot) -> LotCounters:
        return counters_of(self._records.count_lot(lot.order.lot))
