"""Reading records and images while the station writes, from any thread."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspection.part import Reason, Verdict
from inspection.records.challenges import StoredChallenge, read_challenges
from inspection.records.entries import EntryKind, StoredEntry, read_entries
from inspection.records.errors import RecordLostError, RecordMissingError
from inspection.records.record import CONTENT_NAMES, CONTENT_TYPES, Run, StoredRecord, stored_record
from inspection.records.schema import RUN_COLUMNS, open_for_reading

_IDLE_CONNECTIONS = 8
_RUN_CELLS = 7
_SELECT = (
    f"SELECT sequence, {RUN_COLUMNS}, {', '.join('records.' + name for name in CONTENT_NAMES)}, records.hash, "
    "sequence IN (SELECT sequence FROM removed_images) FROM records JOIN runs USING (run_id)"
)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many parts of a run ended how; from durable records only."""

    records: int
    passed: int
    rejected_by_reason: dict[str, int]
    by_action: dict[str, int]


class RecordReader:
    """A read-only look at a record store; safe in any thread, beside the station or after it.

    Each call is one short read on a connection of its own, so that a reader never holds up the writer's checkpoints.
    """

    def __init__(self, directory: Path) -> None:
        """Open the store in a folder. Raises RecordStoreError when there is none of ours."""
        self.directory = directory
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = [open_for_reading(directory)]
        self._is_closed = False

    def last_sequence(self) -> int:
        """Return the newest record's number; 0 for an empty store."""
        return int(self._rows("SELECT coalesce(max(sequence), 0) FROM records", ())[0][0])

    def after(self, sequence: int, limit: int) -> list[StoredRecord]:
        """Return the records after one, oldest first, at most `limit`."""
        return self._records("WHERE sequence > ? ORDER BY sequence LIMIT ?", (sequence, limit))

    def get(self, sequence: int) -> StoredRecord:
        """Return one record. Raises RecordMissingError."""
        found = self._records("WHERE sequence = ?", (sequence,))
        if not found:
            raise RecordMissingError(
                f"record {sequence}: does not exist in {self.directory} — 1 to {self.last_sequence()} do — choose one "
                "of those"
            )
        return found[0]

    def find(
        self,
        *,
        run: str | None = None,
        verdict: Verdict | None = None,
        reason: Reason | None = None,
        since_wall_ns: int | None = None,
        until_wall_ns: int | None = None,
        part: int | None = None,
        limit: int = 100,
        newest_first: bool = True,
    ) -> list[StoredRecord]:
        """Return the records that fit every filter given; times are of the trigger, `until` is exclusive."""
        filters: list[tuple[str, Any]] = [
            ("run_id = (SELECT run_id FROM runs WHERE run = ?)", run),
            ("reason = ?", reason and reason.value),
            ("trigger_wall_ns >= ?", since_wall_ns),
            ("trigger_wall_ns < ?", until_wall_ns),
            ("part = ?", part),
        ]
        chosen = [(condition, value) for condition, value in filters if value is not None]
        conditions = [condition for condition, _ in chosen]
        if verdict is not None:
            conditions.append(f"verdict = '{verdict.value}'")  # a literal, so that the index of rejected parts applies
        where = f"WHERE {' AND '.join(conditions)} " if conditions else ""
        order = f"ORDER BY sequence {'DESC' if newest_first else 'ASC'} LIMIT ?"
        return self._records(where + order, (*(value for _, value in chosen), limit))

    def counts(self, run: str) -> Counts:
        """Return how the run's parts ended; all zero for a run without records."""
        rows = self._rows(
            "SELECT verdict, reason, ejector_action, count(*) FROM records "
            "WHERE run_id = (SELECT run_id FROM runs WHERE run = ?) GROUP BY 1, 2, 3",
            (run,),
        )
        passed, by_reason, by_action = 0, dict[str, int](), dict[str, int]()
        for verdict, reason, action, count in rows:
            by_action[action] = by_action.get(action, 0) + count
            if verdict == Verdict.PASS:
                passed += count
            else:
                by_reason[reason] = by_reason.get(reason, 0) + count
        return Counts(sum(row[-1] for row in rows), passed, by_reason, by_action)

    def challenges(self, limit: int) -> list[StoredChallenge]:
        """Return the newest entries about challenges, newest first. Raises RecordLostError for an unreadable one."""
        with self._connection() as connection:
            try:
                return read_challenges(connection, limit)
            except (ValueError, TypeError, AttributeError) as error:
                raise RecordLostError(
                    f"an entry about a challenge cannot be read: {error} — it is never changed after it was written — "
                    f"run `lineward records verify --dir {self.directory}`"
                ) from error

    def entries(
        self,
        *,
        kind: EntryKind | None = None,
        subject: str | None = None,
        who: str | None = None,
        after: int = 0,
        limit: int = 100,
        newest_first: bool = False,
    ) -> list[StoredEntry]:
        """Return the entries of the book that fit every filter given; `after`: those beyond that number, in the order.

        Raises RecordLostError for one that cannot be read.
        """
        given = {"kind": kind and kind.value, "subject": subject, "who": who}
        filters = {column: value for column, value in given.items() if value is not None}
        with self._connection() as connection:
            try:
                return read_entries(connection, filters, after, limit, newest_first=newest_first)
            except (ValueError, TypeError, AttributeError) as error:
                raise RecordLostError(
                    f"an entry of the book cannot be read: {error} — it is never changed after it was written — "
                    f"run `lineward records verify --dir {self.directory}`"
                ) from error

    def marked(self, challenge: str, after_sequence: int) -> list[StoredRecord]:
        """Return the records of the parts that were laid for a challenge, by part; all lie after `after_sequence`."""
        clause = "WHERE sequence > ? AND extra LIKE ? ORDER BY part"
        found = self._records(clause, (after_sequence, f'%"challenge":"{challenge}"%'))
        return [record for record in found if record.extra.get("challenge") == challenge]

    def image(self, sequence: int) -> tuple[bytes, str] | None:
        """Return a record's image file and its content type; None when it was not kept or was removed since.

        Raises RecordMissingError.
        """
        record = self.get(sequence)
        if not record.has_image:
            return None
        path = self.directory / record.image_file
        try:
            return path.read_bytes(), CONTENT_TYPES[path.suffix]
        except FileNotFoundError:
            return None  # the budget took it a moment ago, or someone else did: `verify` tells which

    def close(self) -> None:
        """Close the connections; safe to repeat."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _records(self, clauses: str, values: Sequence[Any]) -> list[StoredRecord]:
        return [self._record(row) for row in self._rows(f"{_SELECT} {clauses}", values)]

    def _record(self, row: Sequence[Any]) -> StoredRecord:
        sequence, *cells, record_hash, is_removed = row
        try:
            run, content = Run(*cells[:_RUN_CELLS]), cells[_RUN_CELLS:]
            return stored_record(sequence, run, content, record_hash, image_removed=bool(is_removed))
        except (ValueError, TypeError, AttributeError) as error:
            raise RecordLostError(
                f"record {sequence}: cannot be read: {error} — a record is never changed after it was written — run "
                f"`lineward records verify --dir {self.directory}`"
            ) from error

    def _rows(self, query: str, values: Sequence[Any]) -> list[Any]:
        with self._connection() as connection:
            return connection.execute(query, tuple(values)).fetchall()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        connection = connection or open_for_reading(self.directory)
        try:
            yield connection
        finally:
            with self._lock:
                is_kept = not self._is_closed and len(self._idle) < _IDLE_CONNECTIONS
                if is_kept:
                    self._idle.append(connection)
            if not is_kept:
                connection.close()
