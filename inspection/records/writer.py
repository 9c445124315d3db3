"""The station's way to durable records: parts go in without blocking, records come out after the commit."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

from sqlalchemy.exc import OperationalError

from inspection.part import PartResult
from inspection.records.budget import ImageBudget
from inspection.records.challenges import ChallengeEntry
from inspection.records.entries import Entry, StoredEntry
from inspection.records.errors import RecordDiskError, RecordRunError
from inspection.records.images import ImageSample
from inspection.records.keeper import GIVEN_UP, ImageKeeper, KeeperEvents
from inspection.records.options import BYTES_PER_MB, RecordsOptions
from inspection.records.record import ImageState, KeptImage, Run, StoredRecord
from inspection.records.shared_store import SharedStore
from inspection.records.signing import SigningKey
from inspection.records.store import BegunRun, RecordStore, Row, make_row

_GROUP_LIMIT = 256
_REMOVALS_A_GROUP = 8  # steps of 64 files: more than a group can add, and still a bounded wait for the next one
_BACKOFF_FIRST_S, _BACKOFF_LAST_S = 0.05, 2.0
_NOT_SAMPLED = KeptImage(ImageState.NOT_SAMPLED)


class RecordWriter:
    """Stores every part that is handed in; owned by the station, which also hears of trouble from it.

    `submit` may be called from any thread and never waits for the disk. One thread ("records-store") owns the database
    and commits groups: a record waits at most `commit_linger_ms` for others, and a record is published only after the
    commit that survives power loss. Another thread ("records-images") encodes. Overflow policy: a part beyond
    `queue_capacity` is refused and counted; the station has to treat that as an error, because a part without a record
    breaks its first promise. Callbacks run on the two threads, must be quick and must not raise: an exception from one
    ends the writer (with a trouble text), and nothing passes any more.
    """

    def __init__(self, store: RecordStore, options: RecordsOptions, key: SigningKey | None = None) -> None:
        """Take over an open store (and close it in the end) and start both threads. key: what `sign` signs with."""
        self._store, self._shared, self._options = store, SharedStore(store, key), options
        self._budget = ImageBudget(store, options)
        self._sample = ImageSample(options.ok_sample)
        self._runs: dict[str, BegunRun] = {}
        self._changed = threading.Condition()
        self._ready: deque[Row] = deque()
        self._pending = self._peak = self._submitted = self._refused = self._duplicates = self._commits = 0
        self._failures = self._flushing = 0
        self._is_closing = self._is_dead = False
        self._stop_retrying = threading.Event()
        self._durable: list[Callable[[list[StoredRecord]], None]] = []
        self._trouble: list[Callable[[str], None]] = []
        self._recovered: list[Callable[[], None]] = []
        self._image_trouble: list[Callable[[str], None]] = []
        self._image_recovered: list[Callable[[], None]] = []
        events = KeeperEvents(self._make_ready, self._tell_image_trouble, self._tell_image_recovered)
        self._keeper = ImageKeeper(
            store.directory, options.image_format, options.image_queue_mb * BYTES_PER_MB, self._budget.why_none, events
        )
        self._thread = threading.Thread(target=self._run, name="records-store", daemon=True)
        self._thread.start()

    def on_durable(self, callback: Callable[[list[StoredRecord]], None]) -> None:
        """Call back with each commit's records, in order, on the store thread. Register before the first `submit`."""
        self._durable.append(callback)

    def on_trouble(self, callback: Callable[[str], None]) -> None:
        """Call back once when records cannot be stored: they wait in memory and are tried again."""
        self._trouble.append(callback)

    def on_recovered(self, callback: Callable[[], None]) -> None:
        """Call back once when records are stored again."""
        self._recovered.append(callback)

    def on_image_trouble(self, callback: Callable[[str], None]) -> None:
        """Call back once when images are given up; records go on."""
        self._image_trouble.append(callback)

    def on_image_recovered(self, callback: Callable[[], None]) -> None:
        """Call back once when images are kept again."""
        self._image_recovered.append(callback)

    def spare_images(self, done_to: Callable[[], int | None]) -> None:
        """Remove images up to this record before others; None: none is spared. Called on the store thread."""
        self._budget.done_to = done_to

    def begin_run(self, run: Run) -> None:
        """Store a run's particulars, durably; its parts may be submitted from now on.

        Raises RecordRunError (the name is taken, or the disk refuses) and waits for a commit at most.
        """
        begun = self._shared.begin_run(run)
        with self._changed:
            self._runs[run.run] = begun

    def note_challenge(self, entry: ChallengeEntry) -> None:
        """Store one entry about a challenge, durably. Raises RecordDiskError when the disk refuses: try it again."""
        self._shared.note_challenge(entry)

    def note(self, entry: Entry) -> StoredEntry:
        """Store one entry of the book, durably; from any thread. Raises RecordDiskError when the disk refuses."""
        return self._shared.note(entry)

    def sign(self) -> StoredEntry | None:
        """Sign the records as they are now, durably; None when all are signed, or there is no key.

        Raises RecordDiskError when the disk refuses.
        """
        return self._shared.sign()

    def submit(self, result: PartResult) -> bool:
        """Take one part; False when the queue is full, or the writer is closed or dead. Never waits for the disk.

        The pixels are let go of at once unless the image is to be kept. Raises RecordRunError for a run that
        `begin_run` never saw.
        """
        run = self._runs.get(result.run)
        if run is None:
            raise RecordRunError(f"run {result.run!r}: is not begun — call begin_run before its first part")
        row = make_row(result, run)
        with self._changed:
            if self._is_closing or self._is_dead or self._pending >= self._options.queue_capacity:
                self._refused += 1
                return False
            self._pending += 1
            self._submitted += 1
            self._peak = max(self._peak, self._pending)
            wanted = result.pixels is not None and self._sample.wants(result.decision.verdict)
            if not wanted:
                row.image = row.image if result.pixels is None else _NOT_SAMPLED
                self._add(row)
        if wanted and not self._keeper.offer(row, result.pixels, result.inputs):
            row.image = GIVEN_UP
            self._make_ready(row)
        return True

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything handed in is durable and published; False when `timeout_s` was not enough."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            self._flushing += 1
            self._changed.notify_all()
            try:
                while self._pending and not self._is_dead:
                    if not self._changed.wait(max(deadline - time.monotonic(), 0)) and time.monotonic() >= deadline:
                        return False
                return not self._pending
            finally:
                self._flushing -= 1

    def close(self, timeout_s: float) -> bool:
        """Store what waits, end both threads and close the store; False when parts stayed without a record.

        Bounded: on a disk that refuses, the parts are tried once more and left to the in-flight journal.
        """
        deadline = time.monotonic() + timeout_s
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        is_ended = self._keeper.close(timeout_s)
        self._stop_retrying.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(max(deadline - time.monotonic(), 0.1))
        if is_ended and not self._thread.is_alive():
            with contextlib.suppress(RecordDiskError):  # what is not signed now is at the next start
                self.sign()
            self._store.close()
        return not self._pending

    def counters(self) -> Mapping[str, int]:
        """Return what was counted since the start: nothing is silent."""
        with self._changed:
            return {
                "records_submitted": self._submitted,
                "records_waiting": self._pending,
                "records_peak_waiting": self._peak,
                "records_refused": self._refused,
                "records_duplicate": self._duplicates,
                "record_commits": self._commits,
                "record_commit_failures": self._failures,
                "record_head_failures": self._store.head_failures,
                "images_kept": self._keeper.kept,
                "images_given_up": self._keeper.given_up + self._keeper.refused,
                "images_removed": self._budget.removed,
                "images_mb": self._budget.used_bytes // BYTES_PER_MB,
            }

    def _make_ready(self, row: Row) -> None:
        with self._changed:
            self._add(row)

    def _add(self, row: Row) -> None:
        self._ready.append(row)
        if len(self._ready) == 1 or len(self._ready) >= _GROUP_LIMIT:
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            while group := self._next_group():
                if not self._store_group(group):
                    break
                self.tend_images()
        except Exception as error:  # noqa: BLE001 - the edge of this thread: the station is told and passes nothing
            self._tell_trouble(f"{self._store.directory}: the record writer ended: {error!r} — restart the station")
        finally:
            with self._changed:
                self._is_dead = True
                self._changed.notify_all()

    def _next_group(self) -> list[Row]:
        """Return the next rows to commit together; empty when the writer closes and nothing is left."""
        with self._changed:
            while not self._ready:
                if self._is_closing and not self._pending:
                    return []
                self._changed.wait()
            deadline = time.monotonic() + self._options.commit_linger_ms / 1000
            while len(self._ready) < _GROUP_LIMIT and not self._flushing and not self._is_closing:
                if not self._changed.wait(max(deadline - time.monotonic(), 0)):
                    break
            return [self._ready.popleft() for _ in range(min(len(self._ready), _GROUP_LIMIT))]

    def _store_group(self, group: list[Row]) -> bool:
        """Commit and publish a group, as often as it takes; False when the writer closed before it worked."""
        backoff_s, is_troubled, is_last_try = _BACKOFF_FIRST_S, False, False
        while (records := self._try_append(group, is_troubled)) is None:
            if is_last_try:
                return False
            is_troubled = True
            is_last_try = self._stop_retrying.wait(backoff_s)
            backoff_s = min(backoff_s * 2, _BACKOFF_LAST_S)
        with self._shared.lock:
            self._budget.add(records)
        for tell_durable in self._durable if records else ():
            tell_durable(records)
        with self._changed:
            self._pending -= len(group)
            self._commits += 1
            self._duplicates += len(group) - len(records)
            self._changed.notify_all()
        if is_troubled:
            for tell in self._recovered:
                tell()
        return True

    def _try_append(self, group: list[Row], is_troubled: bool) -> list[StoredRecord] | None:
        try:
            return self._shared.append(group)
        except OperationalError as error:
            self._failures += 1
            if not is_troubled:
                self._tell_trouble(
                    f"{self._store.directory}: records cannot be stored: {error.orig} — {self._pending} wait in "
                    f"memory, {self._options.queue_capacity} may — free disk space or mend the disk; they are tried "
                    "again"
                )
            return None

    def tend_images(self) -> None:
        """Keep images within their rules and budget, from any thread; on a disk that refuses, the next call does."""
        try:
            for _ in range(_REMOVALS_A_GROUP):
                if not self._budget.is_due():
                    return
                with self._shared.lock:
                    if not self._budget.step():
                        return
        except (OperationalError, OSError):
            self._failures += 1

    def _tell_trouble(self, text: str) -> None:
        for tell in self._trouble:
            tell(text)

    def _tell_image_trouble(self, text: str) -> None:
        for tell in self._image_trouble:
            tell(text)

    def _tell_image_recovered(self) -> None:
        for tell in self._image_recovered:
            tell()
