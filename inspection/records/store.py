"""The record store's writing side: one folder, one process, one thread at a time."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, exists, func, select
from sqlalchemy.exc import IntegrityError

from inspection.part import PartResult
from inspection.records.chain import ChainHead, HeadFile, note_lost_head, read_head, record_hash, run_hash
from inspection.records.challenges import CHALLENGES, ChallengeEntry, entry_cells
from inspection.records.columns import CONTENT_NAMES, hashed_content
from inspection.records.durable import sync_directory
from inspection.records.entries import ENTRIES, Entry, EntryKind, StoredEntry, cells, stored_entry
from inspection.records.errors import RecordLostError, RecordRunError
from inspection.records.folder_lock import lock_folder
from inspection.records.record import (
    Cell,
    ImageState,
    KeptImage,
    Run,
    StoredRecord,
    result_values,
    stored_record,
)
from inspection.records.schema import DATABASE_FILE, open_for_writing, refusing_damage
from inspection.records.side_chain import SideBook
from inspection.records.signing import SignedState, SigningKey, fingerprint, run_heads
from inspection.records.tables import ENTRIES_TABLE, RECORDS, REMOVED_IMAGES, RUN_COLUMNS, RUNS

_INSERT_RECORD = (
    f"INSERT INTO records (sequence, run_id, {', '.join(CONTENT_NAMES)}, hash) "
    f"VALUES ({', '.join('?' * (len(CONTENT_NAMES) + 3))})"
)
_FIND_RUN = select(RUNS.c.run_id, RUNS.c.hash, *RUN_COLUMNS)
_PARTS_AT_ONCE = 500
_NEWEST = select(RECORDS.c.sequence, RECORDS.c.hash).order_by(RECORDS.c.sequence.desc()).limit(1)

_NEWEST_SIGNATURE = (
    select(ENTRIES_TABLE.c.sequence, ENTRIES_TABLE.c.content)
    .where(ENTRIES_TABLE.c.kind == EntryKind.SIGNATURE.value)
    .order_by(ENTRIES_TABLE.c.sequence.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class BegunRun:
    """A run that the store knows: its row number and its hash, which every record of it covers."""

    run_id: int
    run: Run
    digest: str


@dataclass(slots=True)
class Row:
    """One part on its way into the store; owned by whichever thread holds it."""

    run: BegunRun
    part: int
    values: tuple[Cell, ...]
    image: KeptImage


def make_row(result: PartResult, run: BegunRun, image: KeptImage | None = None) -> Row:
    """Return the row of one part, without its pixels."""
    return Row(run, result.part, result_values(result, run.run), image or KeptImage(ImageState.NO_IMAGE))


class RecordStore:
    """An open record store. Owned by the `RecordWriter`; before that by the start-up code that recovers the journal.

    Not safe for two threads at once: the owner sees to that. Each call is one transaction that is durable on return.
    """

    def __init__(self, directory: Path) -> None:
        """Open or make the store in `directory`. Raises RecordStoreError (unusable, newer, foreign, held by another
        process) and RecordLostError (it ends before its own head: durable records are missing).
        """
        self.directory = directory
        self.head_failures = 0
        with contextlib.ExitStack() as undo:
            self._lock_fd = lock_folder(directory)
            undo.callback(os.close, self._lock_fd)
            remembered = read_head(directory)
            if remembered is not None and remembered.sequence and not (directory / DATABASE_FILE).exists():
                raise RecordLostError(_lost(directory, 0, remembered.sequence))
            self.connection = open_for_writing(directory)
            undo.callback(self.connection.close)
            with refusing_damage(directory):
                self._head = self._stored_head()
            if remembered is not None and remembered.sequence > self._head.sequence:
                raise RecordLostError(_lost(directory, self._head.sequence, remembered.sequence))
            if remembered is None and self._head.sequence:
                note_lost_head(directory, self._head.sequence)
            self._head_file = HeadFile(directory)
            undo.callback(self._head_file.close)
            self._write_head()
            with refusing_damage(directory):
                self._challenges = SideBook(CHALLENGES, self.connection, directory)
                undo.callback(self._challenges.close)
                self._entries = SideBook(ENTRIES, self.connection, directory)
                self.hold_entries = 0
                self.removed_images = self._count_removed()
            undo.pop_all()
        sync_directory(directory)

    @property
    def head(self) -> ChainHead:
        """Return the newest durable record's number and hash."""
        return self._head

    def begin_run(self, run: Run) -> BegunRun:
        """Store a run's particulars, durably. Safe to repeat with the same; RecordRunError with different ones.

        Raises SQLAlchemyError when the disk refuses.
        """
        known = self.find_run(run.run)
        if known is not None:
            if known.run != run:
                raise RecordRunError(
                    f"run {run.run!r}: is stored already with other particulars — each start of the line has a name of "
                    "its own — give the new run a new name"
                )
            return known
        digest = run_hash(run)
        with self.transaction() as connection:
            run_id = connection.execute(select(func.coalesce(func.max(RUNS.c.run_id), 0) + 1)).scalar_one()
            connection.execute(RUNS.insert(), {"run_id": run_id, **dataclasses.asdict(run), "hash": digest})
        return BegunRun(run_id, run, digest.hex())

    def find_run(self, run: str) -> BegunRun | None:
        """Return a stored run by its name."""
        with self.transaction() as connection:
            row = connection.execute(_FIND_RUN.where(RUNS.c.run == run)).one_or_none()
        return None if row is None else BegunRun(row[0], Run(*row[2:]), row[1].hex())

    def has_record(self, run: str, part: int) -> bool:
        """Return whether the part has its record."""
        of_run = RECORDS.c.run_id == select(RUNS.c.run_id).where(RUNS.c.run == run).scalar_subquery()
        with self.transaction() as connection:
            return bool(connection.execute(select(exists().where(of_run, RECORDS.c.part == part))).scalar_one())

    def recorded(self, run: str, parts: Sequence[int]) -> set[int]:
        """Return which of a run's parts have their record."""
        of_run = RECORDS.c.run_id == select(RUNS.c.run_id).where(RUNS.c.run == run).scalar_subquery()
        found: set[int] = set()
        with self.transaction() as connection:
            for start in range(0, len(parts), _PARTS_AT_ONCE):
                wanted = RECORDS.c.part.in_(parts[start : start + _PARTS_AT_ONCE])
                found.update(connection.execute(select(RECORDS.c.part).where(of_run, wanted)).scalars())
        return found

    def append(self, rows: Sequence[Row]) -> list[StoredRecord]:
        """Append rows as one transaction and return their records, in order, once they are durable.

        A part that has its record already is left out: a part has exactly one. Raises SQLAlchemyError when the disk
        refuses; then nothing was stored and the same rows may be tried again.
        """
        try:
            return self._append(rows)
        except IntegrityError:
            return self._append(self._first_of_each(rows))

    def _append(self, rows: Sequence[Row]) -> list[StoredRecord]:
        sequence, previous = self._head.sequence, self._head.hash
        cells, records = [], []
        for row in rows:
            sequence += 1
            content = row.values + row.image.values()
            hashed = hashed_content(content, row.run.run.format)
            previous = record_hash(previous, sequence, row.run.digest, hashed)
            cells.append((sequence, row.run.run_id, *content, previous))
            records.append(stored_record(sequence, row.run.run, content, previous))
        with self.transaction() as connection:
            if cells:
                connection.exec_driver_sql(_INSERT_RECORD, cells)
        self._head = ChainHead(sequence, previous)
        self._write_head()
        return records

    def _first_of_each(self, rows: Sequence[Row]) -> list[Row]:
        fresh = {(row.run.run_id, row.part): row for row in reversed(rows)}
        known = {key for key, row in fresh.items() if self.has_record(row.run.run.run, row.part)}
        return [row for row in rows if fresh[(key := (row.run.run_id, row.part))] is row and key not in known]

    def append_challenge(self, entry: ChallengeEntry) -> None:
        """Append one entry about a challenge, durably. Raises SQLAlchemyError when the disk refuses."""
        self._append_beside(self._challenges, entry_cells(entry))

    def append_note(self, entry: Entry) -> StoredEntry:
        """Append one entry to the book, durably. Raises what `cells` does, SQLAlchemyError when the disk refuses."""
        stored = stored_entry(self._append_beside(self._entries, cells(entry)))
        self.hold_entries += entry.kind is EntryKind.HOLD
        return stored

    def append_removal(self, marks: Sequence[Mapping[str, Any]], entry: Entry) -> None:
        """Mark images as removed and write down why, in one durable step. Raises SQLAlchemyError."""
        with self.transaction() as connection:
            connection.execute(REMOVED_IMAGES.insert(), list(marks))
            row = self._entries.append(cells(entry), self._head)
        self._entries.settled(row)
        self.removed_images += len(marks)

    def sign(self, key: SigningKey, wall_ns: int) -> StoredEntry | None:
        """Sign where the chains end now, durably; None when everything is signed already.

        wall_ns: the time that the signature tells; what is new goes by the numbers, never by a clock. Raises
        SQLAlchemyError when the disk refuses.
        """
        heads = (self._head, self._challenges.head, self._entries.head)
        with self.transaction() as connection:
            newest = connection.execute(_NEWEST_SIGNATURE).one_or_none()
            *_, runs = run_heads(connection)
        if newest is None and not any(head.sequence for head in heads):
            return None
        state = SignedState(wall_ns, *heads, removed_images=self.removed_images, runs=runs)
        if newest is not None and _is_all_signed(newest[0], newest[1], state):
            return None
        name = fingerprint(key.public)
        return self.append_note(Entry(EntryKind.SIGNATURE, name, "", state.wall_ns, key.sign(state)))

    def _append_beside(self, book: SideBook, content: tuple[Any, ...]) -> tuple[Any, ...]:
        with self.transaction():
            row = book.append(content, self._head)
        book.settled(row)
        return row

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Make what is done inside one durable transaction, or nothing."""
        with self.connection.begin():
            yield self.connection

    def close(self) -> None:
        """Close the database and let go of the folder; safe to repeat."""
        if self._lock_fd < 0:
            return
        self.connection.close()
        self._head_file.close()
        self._challenges.close()
        self._entries.close()
        os.close(self._lock_fd)
        self._lock_fd = -1

    def _stored_head(self) -> ChainHead:
        with self.transaction() as connection:
            row = connection.execute(_NEWEST).one_or_none()
        return ChainHead() if row is None else ChainHead(row[0], row[1])

    def _count_removed(self) -> int:
        with self.transaction() as connection:
            return int(connection.execute(select(func.count()).select_from(REMOVED_IMAGES)).scalar_one())

    def _write_head(self) -> None:
        try:
            self._head_file.write(self._head)
        except OSError:
            self.head_failures += 1  # the record is durable; the head may lag, and the next commit writes it again


def _is_all_signed(number: int, text: Any, state: SignedState) -> bool:
    """Return whether nothing came behind the entry that holds the newest signature; one that cannot be read is none."""
    try:
        content = json.loads(text)
        by_number = [content["heads"][name][0] for name in ("records", "challenges")]
        signed = (*by_number, number, content["removed_images"], content["runs"])
    except (ValueError, TypeError, LookupError):
        return False
    now = (state.records.sequence, state.challenges.sequence, state.entries.sequence, state.removed_images)
    return signed == (*now, state.cells()["runs"])


def _lost(directory: Path, stored: int, remembered: int) -> str:
    return (
        f"{directory}: the records end at {stored}, but {remembered} were durable — none may go missing — restore the "
        "folder from a copy, or move it away and start a new one"
    )
