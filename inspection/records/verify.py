"""Checking a store: every record against the chain, the chain against its head, every image against its record."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import DBAPIError

from inspection.records.chain import GENESIS, ChainHead, lost_heads, read_head, record_hash, run_hash
from inspection.records.challenges import CHALLENGES
from inspection.records.columns import ADDED_COLUMNS, FORMAT, RESULT_COLUMNS, hashed_content
from inspection.records.entries import ENTRIES
from inspection.records.errors import RecordStoreDamagedError, RecordStoreError
from inspection.records.record import ImageState, Run
from inspection.records.schema import DATABASE_FILE, is_damage, open_for_reading, reason
from inspection.records.tables import CONTENT, RECORDS, REMOVED_IMAGES, RUN_COLUMNS, RUNS
from inspection.records.verify_challenges import ChallengeCheck
from inspection.records.verify_removals import RemovalCheck
from inspection.records.verify_schema import check_indexes, check_schema, check_version
from inspection.records.verify_side import check_side, missing, side_head
from inspection.records.verify_signatures import SignatureCheck, Signed

_ROWS_AT_ONCE = 500
_PROBLEMS_NAMED = 1000
_IMAGE_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; `sequence` is the record it is about, None when it is about a run or the store."""

    sequence: int | None
    text: str


@dataclass(slots=True)
class VerifyReport:
    """What a check found; the first 1,000 problems are named, all are counted."""

    records: int = 0
    images: int = 0
    images_removed: int = 0
    challenges: int = 0
    entries: int = 0
    head: int = 0
    signed: Signed = field(default_factory=Signed)
    problem_count: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Return whether nothing is wrong."""
        return not self.problem_count

    def add(self, sequence: int | None, text: str) -> None:
        """Note a problem."""
        self.problem_count += 1
        if len(self.problems) < _PROBLEMS_NAMED:
            self.problems.append(Problem(sequence, text))


@dataclass(frozen=True, slots=True)
class Trust:
    """What somebody outside the station has: its public keys (None: none), and signatures that were kept elsewhere."""

    keys: Sequence[bytes] | None = None
    signatures: Sequence[str] = ()
    source: str = ""


def verify(directory: Path, progress: Callable[[int, int], None] | None = None, trust: Trust = Trust()) -> VerifyReport:
    """Check a whole store, beside a running station or after it, and report every fault by name.

    `progress` gets (records checked, records in all). Takes bounded memory, however many there are. Raises
    RecordStoreError when the folder is no store of ours.
    """
    report = VerifyReport()
    try:
        database = open_for_reading(directory)
        try:
            _look(report, directory, database, progress, trust)
        finally:
            database.dispose()
    except RecordStoreDamagedError as error:
        report.add(None, error.problem)
    except (DBAPIError, UnicodeDecodeError) as error:
        if report.ok and not is_damage(error):
            raise RecordStoreError(
                f"{directory / DATABASE_FILE}: cannot be read: {reason(error)} — an intact SQLite file is needed — try "
                "it again, or restore the folder from a copy"
            ) from error
        report.add(None, f"the database cannot be read any further: {reason(error)}")
    return report


def verify_copy(directory: Path, database: Engine, trust: Trust = Trust()) -> VerifyReport:
    """Check a copy of a store in another database against itself, and its images in the folder.

    Whether rows behind its newest signature were removed cannot be told: the heads are beside the store. An image that
    the station's store marks as removed is not missing. Raises RecordStoreError when the database cannot be read.
    """
    report = VerifyReport()
    try:
        with _marks_of(directory) as marks, database.connect() as connection:
            check = _Check(report, directory, connection, marks)
            check.walk(None)
            add = partial(report.add, None)
            report.challenges = ChallengeCheck(directory, connection, add, ChainHead(), database).run()
            _check_book(report, connection, ChainHead(), trust)
    except DBAPIError as error:
        raise RecordStoreError(
            f"the copy of {directory}: cannot be read: {error.orig} — a database that answers is needed — try it again"
        ) from error
    return report


@contextlib.contextmanager
def _marks_of(directory: Path) -> Iterator[Engine | None]:
    """Open the store beside which a copy's images lie; None where there is only the folder."""
    if not (directory / DATABASE_FILE).is_file():
        yield None
        return
    database = open_for_reading(directory)
    try:
        yield database
    finally:
        database.dispose()


def _look(
    report: VerifyReport, directory: Path, database: Engine, progress: Callable[[int, int], None] | None, trust: Trust
) -> None:
    # heads first: the store may move on while it is read, and must never be behind its head
    head = read_head(directory)
    last_challenge, last_entry = side_head(directory, CHALLENGES), side_head(directory, ENTRIES)
    with database.connect() as connection:
        add = partial(report.add, None)
        check_schema(connection, add)
        check_indexes(connection, add)
        check = _Check(report, directory, connection)
        check.walk(progress)
        check.compare_head(head)
        report.challenges = ChallengeCheck(directory, connection, add, last_challenge).run()
        _check_book(report, connection, last_entry, trust, RemovalCheck(connection, report.add).look)
        for note in lost_heads(directory):
            report.add(None, f"{note}: records after it may have been removed")
        check_version(connection, add)


def _check_book(
    report: VerifyReport,
    connection: Connection,
    head: ChainHead | None,
    trust: Trust,
    look: Callable[[tuple[Any, ...]], None] = lambda _row: None,
) -> None:
    """Check the book of entries and every signature in it, and those kept elsewhere; `look` gets each entry, too."""
    signatures = SignatureCheck(connection, report.add, trust.keys)

    def each(row: tuple[Any, ...]) -> None:
        signatures.look(row)
        look(row)

    report.entries = check_side(ENTRIES, connection, head, partial(report.add, None), each)
    signatures.look_at_copy(trust.signatures, trust.source)
    report.signed = signatures.end()


class _Check:
    """One walk along the chain; lives for one call of `verify`."""

    def __init__(
        self, report: VerifyReport, directory: Path, connection: Connection, marks: Engine | None = None
    ) -> None:
        """marks: the database whose marks of removed images are the newest; absent: the one that is checked."""
        self.report = report
        self._directory, self._connection = directory, connection
        self._marks = marks
        self._sequence = 0
        self._previous: tuple[bytes, ...] = (GENESIS,)  # stored and computed hash of the last row; () after a gap
        self._runs = self._check_runs()

    def walk(self, progress: Callable[[int, int], None] | None) -> None:
        total = self._connection.execute(select(func.count()).select_from(RECORDS)).scalar_one()
        for row in self._rows():
            self._check_row(*row)
            self.report.records += 1
            if progress is not None and self.report.records % _ROWS_AT_ONCE == 0:
                progress(self.report.records, max(total, self.report.records))

    def compare_head(self, head: ChainHead | None) -> None:
        if head is None:
            self.report.add(
                None, "records.head is missing or unreadable: whether the newest records were removed cannot be told"
            )
            return
        self.report.head = head.sequence
        if head.sequence > self._sequence:
            gap = missing("record", "records", self._sequence + 1, head.sequence)
            self.report.add(head.sequence, f"{gap}: the head says that they were durable")
        elif head.sequence:
            query = select(RECORDS.c.hash).where(RECORDS.c.sequence == head.sequence)
            stored = self._connection.execute(query).one_or_none()
            if stored is not None and stored[0] != head.hash:
                self.report.add(head.sequence, f"record {head.sequence} is not the one that the head remembers")

    def _check_runs(self) -> dict[int, tuple[str, int]]:
        """Return each run's hash and format."""
        found = {}
        for run_id, stored, *cells in self._connection.execute(select(RUNS.c.run_id, RUNS.c.hash, *RUN_COLUMNS)):
            run = Run(*cells)
            if not _is_whole(run) or run_hash(run) != stored:
                self.report.add(None, f"run {cells[0]!r}: its particulars were changed")
            known_format = run.format if isinstance(run.format, int) else FORMAT
            found[run_id] = (stored.hex() if isinstance(stored, bytes) else repr(stored), known_format)
        return found

    def _rows(self) -> Iterator[Sequence[Any]]:
        """Walk in short reads: a long one would keep a running station from trimming its write-ahead log."""
        is_removed = select(REMOVED_IMAGES.c.sequence).where(REMOVED_IMAGES.c.sequence == RECORDS.c.sequence).exists()
        query = select(RECORDS.c.sequence, RECORDS.c.run_id, RECORDS.c.hash, *CONTENT, is_removed.label("is_removed"))
        query = query.order_by(RECORDS.c.sequence).limit(_ROWS_AT_ONCE)
        at = -(2**63)
        while rows := self._connection.execute(query.where(RECORDS.c.sequence > at)).all():
            yield from rows
            at = rows[-1][0]

    def _check_row(self, sequence: int, run_id: int, stored: Any, *rest: Any) -> None:
        *content, is_removed = rest
        if sequence < 1:
            self.report.add(sequence, f"record {sequence} was inserted: numbers begin with 1")
            return
        if sequence > self._sequence + 1:
            self.report.add(self._sequence + 1, missing("record", "records", self._sequence + 1, sequence - 1))
            self._previous = ()
        computed = self._check_link(sequence, run_id, stored, content)
        self._previous = (stored, computed) if isinstance(stored, bytes) else (computed,)
        self._sequence = sequence
        state, name, digest, _ = content[-4:]
        if state == ImageState.KEPT:
            self._check_image(sequence, name, digest, bool(is_removed))

    def _check_link(self, sequence: int, run_id: int, stored: Any, content: Sequence[Any]) -> bytes:
        if run_id not in self._runs:
            self.report.add(sequence, f"record {sequence} belongs to a run that the store does not know")
            return b""
        run_digest, record_format = self._runs[run_id]
        hashed = hashed_content(content, record_format)
        hashes = [record_hash(previous, sequence, run_digest, hashed) for previous in self._previous]
        if (hashes and stored not in hashes) or (hashed is not content and not _is_plain(content)):
            self.report.add(sequence, f"record {sequence} was changed, or does not follow the record before it")
        return hashes[0] if hashes else b""

    def _check_image(self, sequence: int, name: str, digest: str, is_removed: bool) -> None:
        if is_removed:
            self.report.images_removed += 1
            return
        self.report.images += 1
        try:
            if _sha256(self._directory / name) != digest:
                self.report.add(sequence, f"record {sequence}: its image {name} was changed")
        except (OSError, TypeError, ValueError):
            if not self._is_marked(sequence):  # not removed since the row was read
                self.report.add(sequence, f"record {sequence}: its image {name} is missing")

    def _is_marked(self, sequence: int) -> bool:
        mark = select(REMOVED_IMAGES.c.sequence).where(REMOVED_IMAGES.c.sequence == sequence)
        if self._marks is None:
            return self._connection.execute(mark).one_or_none() is not None
        with self._marks.connect() as connection:
            return connection.execute(mark).one_or_none() is not None


def _is_plain(content: Sequence[Any]) -> bool:
    """Return whether a record of the first format has nothing in the columns that came later: no hash covers them."""
    first = len(RESULT_COLUMNS)
    return tuple(content[first : first + len(ADDED_COLUMNS)]) == ("", "", "", None, "[]")


def _is_whole(run: Run) -> bool:
    added = (run.recipe, run.recipe_hash, run.thresholds_hash, run.camera_settings_hash, run.provider)
    return run.format == FORMAT or (run.format == 1 and not any(added))


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_IMAGE_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
