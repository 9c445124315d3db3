"""The open record store for several threads: one at a time, and a disk that refuses told in our own words."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from sqlalchemy.exc import DBAPIError, OperationalError

from inspection.records.challenges import ChallengeEntry
from inspection.records.entries import Entry, StoredEntry
from inspection.records.errors import RecordDiskError, RecordRunError
from inspection.records.record import Run, StoredRecord
from inspection.records.signing import SigningKey
from inspection.records.store import BegunRun, RecordStore, Row

_NEEDED = "a disk with room that may be written is needed — free space on it"


class SharedStore:
    """A store and the lock that all who use it take. Owned by the `RecordWriter`; from any thread.

    Each call holds the lock for one durable step. lock: for what else works on the store, the budget of images.
    """

    def __init__(self, store: RecordStore, key: SigningKey | None) -> None:
        self._store, self._key, self._directory = store, key, store.directory
        self.lock = threading.Lock()

    def begin_run(self, run: Run) -> BegunRun:
        """Store a run's particulars. Raises RecordRunError (the name is taken, or the disk refuses)."""
        with self.lock:
            try:
                return self._store.begin_run(run)
            except DBAPIError as error:
                raise RecordRunError(
                    f"run {run.run!r}: cannot be stored in {self._directory}: {error.orig} — {_NEEDED} and start again"
                ) from error

    def append(self, rows: Sequence[Row]) -> list[StoredRecord]:
        """Append rows as one transaction and return their records. Raises SQLAlchemyError when the disk refuses."""
        with self.lock:
            return self._store.append(rows)

    def note_challenge(self, entry: ChallengeEntry) -> None:
        """Store one entry about a challenge. Raises RecordDiskError when the disk refuses."""
        with self.lock:
            try:
                self._store.append_challenge(entry)
            except OperationalError as error:
                raise RecordDiskError(
                    f"challenge {entry.challenge}: {entry.kind} cannot be stored in {self._directory}: {error} — "
                    f"{_NEEDED}"
                ) from error

    def note(self, entry: Entry) -> StoredEntry:
        """Store one entry of the book. Raises RecordDiskError when the disk refuses."""
        with self.lock:
            try:
                return self._store.append_note(entry)
            except OperationalError as error:
                raise RecordDiskError(
                    f"{entry.kind} {entry.subject}: cannot be stored in {self._directory}: {error.orig} — {_NEEDED}, "
                    "then repeat the command"
                ) from error

    def sign(self) -> StoredEntry | None:
        """Sign the records as they are now; None when all are signed, or there is no key. Raises RecordDiskError."""
        if self._key is None:
            return None
        with self.lock:
            try:
                return self._store.sign(self._key, time.time_ns())
            except OperationalError as error:
                raise RecordDiskError(
                    f"{self._directory}: the records cannot be signed: {error.orig} — {_NEEDED}"
                ) from error
