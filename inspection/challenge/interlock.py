"""The interlock at work: the book with its lock, its durable entries, its alarms and the thread that tends them."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from inspection.alarm_board import AlarmBoard
from inspection.challenge.alarms import ChallengeAlarms
from inspection.challenge.book import Challenge, ChallengeBook, Phase
from inspection.challenge.control import ChallengeView, InterlockView
from inspection.challenge.due import Production
from inspection.challenge.errors import ChallengeMissingError, ChallengeStateError
from inspection.challenge.options import ChallengeOptions
from inspection.challenge.past import Ledger, ended_entries, settle_unfinished
from inspection.control import State
from inspection.records.challenges import Ending, EntryKind, Outcome, StoredChallenge
from inspection.records.errors import RecordsError
from inspection.records.record import StoredRecord


class Interlock:
    """Keeps production from running without a passed challenge; implements ChallengeControl, safe from any thread.

    Owned by the station: `open` before the line may start, `mark` at each part's birth, `on_durable` with each group of
    records, `close` before the records close. Alarms are its only hold on the line: CHALLENGE_DUE and CHALLENGE_RUNNING
    block. Its lock is never held while the disk works; the thread "challenge" writes ends and looks at the clock.
    """

    _TICK_S = 0.25
    _VIEWS = 8

    def __init__(
        self,
        options: ChallengeOptions,
        production: Production,
        ledger: Ledger,
        alarms: AlarmBoard,
        state: Callable[[], State],
        *,
        on_failure: Callable[[str], None],
        drain_s: float,
        wall_ns: Callable[[], int] = time.time_ns,
        host_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Settle what a killed station left unfinished, and read where the station stands. Raises RecordsError."""
        settle_unfinished(ledger, options, wall_ns())
        ended = [stored.entry for stored in ended_entries(ledger.reader, ChallengeBook.HISTORY)]
        self._book = ChallengeBook(options, production, ended, wall_ns=wall_ns, host_ns=host_ns, drain_s=drain_s)
        self._options, self._ledger, self._state = options, ledger, state
        self._alarms = ChallengeAlarms(alarms, options)
        self._on_failure = on_failure
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._writing = threading.Lock()
        self._version = 0
        self._views: OrderedDict[str, tuple[int, ChallengeView]] = OrderedDict()
        self._shown: object = None
        self._work = threading.Event()
        self._is_closing = False
        self._thread: threading.Thread | None = None
        with self._lock:
            self._show()

    # ------------------------------------------------------------------ life

    def open(self) -> None:
        """Start the thread; the alarms stand already."""
        self._thread = threading.Thread(target=self._run, name="challenge", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End a challenge that is in work, as LINE_STOPPED, and the thread. Idempotent and bounded."""
        if self._is_closing:
            return
        self._is_closing = True
        self._work.set()
        if self._thread is not None:
            self._thread.join(5.0)
        self._give_up_without_a_line(stopped=True)
        self._settle_end()

    def _run(self) -> None:
        try:
            while not self._is_closing:
                self._work.wait(self._TICK_S)
                self._work.clear()
                self.tend()
        except Exception as error:  # noqa: BLE001 - the thread's edge: the station is told and passes nothing any more
            self._on_failure(f"challenge: {type(error).__name__}: {error}")

    def tend(self) -> None:
        """Look at the clock and at the line, and make durable what is over. Called by the thread."""
        self._give_up_without_a_line(stopped=self._state() is State.READY)
        with self._lock:
            self._book.tick()
            self._show()
        self._settle_end()

    def _give_up_without_a_line(self, *, stopped: bool) -> None:
        with self._lock:
            challenge = self._book.in_work
            if stopped and challenge is not None and challenge.phase is Phase.RUNNING:
                self._book.cancel(challenge.name, Ending.LINE_STOPPED)
                self._show()

    def change(self, production: Production) -> None:
        """Go by what runs from now on: another run, model or file. Raises ChallengeStateError in a challenge."""
        with self._lock:
            if self._book.in_work is not None:
                raise ChallengeStateError(
                    "a challenge is in work — it belongs to the recipe that is prepared — end it, or wait a moment",
                    self._state().value,
                )
            self._book.change(production)
            self._show()

    # ------------------------------------------------------ the way of one part

    def mark(self, part: int) -> str:
        """Return the challenge that a part which is born now belongs to, '' for none; the part's record names it."""
        with self._lock:
            name = self._book.mark(part)
            if name:
                self._show()
        return name

    def on_durable(self, records: Sequence[StoredRecord]) -> None:
        """Take what has become durable. Called on the recorder's thread; costs microseconds."""
        with self._lock:
            if self._book.in_work is None:
                return
            self._book.on_durable(records)
            self._show()
        self._work.set()

    # --------------------------------------------------------- ChallengeControl

    def begin(self, parts: int, operator: str) -> ChallengeView:
        """Begin a challenge; see ChallengeControl."""
        with self._lock:
            state = State.HALTED if self._is_closing else self._state()
            if state is not State.CONTINUOUS_EXECUTION:
                raise ChallengeStateError(
                    f"a challenge in state {state} — the line must run, so that parts are ejected — start the line, or "
                    "mend what is broken",
                    state.value,
                )
            challenge = self._book.begin(parts, operator)
            self._show()
        try:
            self._settle(EntryKind.BEGUN)
        except RecordsError:
            with self._lock:
                self._book.withdraw()
                self._show()
            raise
        return self._view_of(challenge)

    def cancel(self, name: str) -> ChallengeView:
        """Give a challenge up; see ChallengeControl."""
        with self._lock:
            challenge = self._book.cancel(name)
            self._show()
        self._work.set()
        return self._view_of(challenge)

    def view(self) -> InterlockView:
        """Return where the station stands."""
        with self._lock:
            standing, current = self._book.standing, self._book.current
            due_wall_ns, blocks_wall_ns = self._book.next_wall_ns
            return InterlockView(
                required=self._options.required,
                blocks=self._book.blocks,
                due=standing.due,
                soon=standing.soon,
                parts=self._options.parts,
                passed="" if standing.passed is None else standing.passed.challenge,
                passed_wall_ns=0 if standing.passed is None else standing.passed.wall_ns,
                challenge=None if current is None else self._snapshot(current),
                passed_operator="" if standing.passed is None else standing.passed.operator,
                due_wall_ns=due_wall_ns,
                blocks_wall_ns=blocks_wall_ns,
                marks=self._marks(self._options.parts),
            )

    def wait(self, name: str, version: int, timeout_s: float) -> tuple[int, ChallengeView] | None:
        """Wait for news of a challenge; see ChallengeControl."""
        with self._changed:
            if name not in self._views:
                raise ChallengeMissingError(
                    f"challenge {name}: this run of the station has not seen it lately — look at the list of past ones"
                )
            is_news = self._changed.wait_for(
                lambda: name not in self._views or self._views[name][0] > version, timeout_s
            )
            return self._views.get(name) if is_news else None

    def past(self, limit: int) -> list[StoredChallenge]:
        """Return the durable ends of challenges, newest first. Raises RecordsError."""
        return ended_entries(self._ledger.reader, limit)

    # --------------------------------------------------------------- durability

    def _settle_end(self) -> None:
        try:
            self._settle(EntryKind.ENDED)
        except RecordsError:
            return  # the recorder tells of a disk that refuses; it is tried again, and nothing passes until then

    def _settle(self, kind: EntryKind) -> None:
        """Make the pending entry of a kind durable, if there is one. Raises RecordsError."""
        with self._writing:
            with self._lock:
                entry = self._book.pending
            if entry is None or entry.kind is not kind:
                return
            self._ledger.note_challenge(entry)
            with self._lock:
                self._book.settled(entry)
                self._show()

    # ------------------------------------------------------------------ showing

    def _show(self) -> None:
        """Bring alarms and watchers up to date; under the lock."""
        book = self._book
        required, standing = book.required, book.standing
        seen = None if book.current is None else self._snapshot(book.current)
        failed = book.last_conclusive if self._has_failed() else None
        shown = (seen, required, standing, failed)
        if shown == self._shown:
            return
        self._shown = shown
        if seen is not None:
            self._version += 1
            self._views[seen.name] = (self._version, seen)
            self._views.move_to_end(seen.name)
            while len(self._views) > self._VIEWS:
                self._views.popitem(last=False)
        running = None if book.in_work is None else seen
        self._alarms.show(running, required=required, standing=standing, failed=failed)
        self._changed.notify_all()

    def _has_failed(self) -> bool:
        last = self._book.last_conclusive
        return self._book.in_work is None and last is not None and last.outcome is Outcome.FAILED

    def _view_of(self, challenge: Challenge) -> ChallengeView:
        with self._lock:
            return self._snapshot(challenge)

    def _marks(self, parts: int) -> tuple[str, ...]:
        return tuple(self._options.mark(place) for place in range(1, parts + 1))

    def _snapshot(self, challenge: Challenge) -> ChallengeView:
        return ChallengeView(
            name=challenge.name,
            operator=challenge.operator,
            phase=challenge.phase,
            parts=challenge.parts,
            marks=self._marks(challenge.parts),
            laid=len(challenge.places),
            findings=tuple(challenge.findings[place] for place in sorted(challenge.findings)),
            outcome=challenge.outcome,
            ending=challenge.ending,
            begun_wall_ns=challenge.begun_wall_ns,
        )
