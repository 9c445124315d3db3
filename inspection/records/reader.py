"""Reading records and images while the station writes, from any thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Select, func, select

from inspection.part import Evaluation, Reason, Verdict
from inspection.records.challenges import StoredChallenge, read_challenges
from inspection.records.columns import CONTENT_NAMES
from inspection.records.damage import damaged_row, entry_or_damage, no_text, wrong_cell, wrong_run
from inspection.records.entries import EntryKind, EntrySearch, StoredEntry, entry_query
from inspection.records.errors import RecordLostError, RecordMissingError
from inspection.records.holds import HeldNow, Hold, held_now, require_there
from inspection.records.lot_counts import EndedParts, count_lot
from inspection.records.paced_search import search_for
from inspection.records.record import CONTENT_TYPES, Run, StoredRecord, stored_record
from inspection.records.run_counts import Counts, count_run
from inspection.records.schema import open_whole
from inspection.records.search import Page, Search, statement
from inspection.records.serials import highest_counted, used_serials_statement
from inspection.records.tables import CONTENT, RECORDS, REMOVED_IMAGES, RUN_COLUMNS, RUNS

_IS_REMOVED = select(REMOVED_IMAGES.c.sequence).where(REMOVED_IMAGES.c.sequence == RECORDS.c.sequence).exists()
_NUMBERS_AT_ONCE = 500
_Row = TypeVar("_Row", StoredRecord, StoredEntry)
_SELECT = select(RECORDS.c.sequence, RECORDS.c.run_id, *CONTENT, RECORDS.c.hash, _IS_REMOVED.label("is_removed"))


@dataclass(frozen=True, slots=True)
class FoundPage:
    """Records that fit, in order, perhaps none; in the place of a damaged one what is wrong with it.

    behind: the record behind which the rest lies; None where none is.
    """

    records: list[StoredRecord | RecordLostError]
    behind: int | None


class RecordReader:
    """A read-only look at a record store; safe in any thread, beside the station or after it.

    Each call is short reads on a connection of its own, so that a reader never holds up the writer's checkpoints.
    """

    def __init__(self, directory: Path, database: Engine | None = None) -> None:
        """Open the store in a folder, or take a copy of it in another database (it is closed in the end, too), whose
        images lie in that folder. Raises RecordStoreError when there is none of ours.
        """
        self.directory = directory
        self._database = database or open_whole(directory)
        self._runs: dict[int, Run | tuple[str, str]] = {}  # what is stored of a run never changes

    def last_sequence(self) -> int:
        """Return the newest record's number; 0 for an empty store."""
        with self._database.connect() as connection:
            return int(connection.execute(select(func.coalesce(func.max(RECORDS.c.sequence), 0))).scalar_one())

    def after(self, sequence: int, limit: int) -> list[StoredRecord]:
        """Return the records after one, oldest first, at most `limit`."""
        return self._records(_SELECT.where(RECORDS.c.sequence > sequence).order_by(RECORDS.c.sequence).limit(limit))

    def get(self, sequence: int) -> StoredRecord:
        """Return one record. Raises RecordMissingError."""
        found = self._records(_SELECT.where(RECORDS.c.sequence == sequence))
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
        part: int | None = None,
        lot: str | None = None,
        serial: str | None = None,
        reviewer: str | None = None,
        verdict: Verdict | None = None,
        evaluation: Evaluation | None = None,
        reason: Reason | None = None,
        defect_class: str | None = None,
        min_score: float | None = None,
        max_score: float | None = None,
        since_wall_ns: int | None = None,
        until_wall_ns: int | None = None,
        limit: int = 100,
        newest_first: bool = True,
        before_sequence: int | None = None,
    ) -> list[StoredRecord]:
        """Return the records that fit every filter given, in the order of their triggers (see `Search`).

        before_sequence: the last record of the page before; this page goes on behind it, whatever was stored since.
        With a reviewer the order is that of the records' numbers. Raises RecordMissingError for a page behind a
        record that does not exist.
        """
        search = Search(
            run=run,
            part=part,
            lot=lot,
            serial=serial,
            reviewer=reviewer,
            verdict=verdict,
            evaluation=evaluation,
            reason=reason,
            defect_class=defect_class,
            min_score=min_score,
            max_score=max_score,
            since_wall_ns=since_wall_ns,
            until_wall_ns=until_wall_ns,
        )
        return self.search(search, limit=limit, newest_first=newest_first, before_sequence=before_sequence)

    def search(
        self, search: Search, *, limit: int = 100, newest_first: bool = True, before_sequence: int | None = None
    ) -> list[StoredRecord]:
        """Return the records that fit a search; as `find`. Raises RecordLostError for one that is damaged."""
        page = self.page(search, limit=limit, newest_first=newest_first, before_sequence=before_sequence)
        return [_sound(one) for one in page]

    def page(
        self, search: Search, *, limit: int = 100, newest_first: bool = True, before_sequence: int | None = None
    ) -> list[StoredRecord | RecordLostError]:
        """Return the records that fit a search; as `find`. In the place of a damaged one stands what is wrong with it;
        its `row` is its number, so that a page may begin behind it, too.
        """
        page = Page(limit, newest_first, self._place(search, before_sequence))
        with self._database.connect() as connection:
            numbers = list(connection.execute(statement(search, page)).scalars())
        return self._in_order(numbers)

    def search_for(
        self,
        search: Search,
        *,
        within_s: float,
        limit: int,
        newest_first: bool = True,
        before_sequence: int | None = None,
    ) -> FoundPage:
        """Return the first records that fit a search, as many as are found in time; at most `limit`.

        Whatever the filters and the number of records, that takes little longer than `within_s`. Raises as `find`, and
        a damaged record is as in `page`.
        """
        page = Page(limit + 1, newest_first, self._place(search, before_sequence))
        with self._database.connect() as connection:
            found = search_for(connection, search, page, within_s)
        behind = None if found.behind is None else found.behind[1]
        last = found.numbers[limit - 1] if len(found.numbers) > limit else behind
        return FoundPage(self._in_order(found.numbers[:limit]), last)

    def _place(self, search: Search, sequence: int | None) -> tuple[Any, int] | None:
        """Return behind which trigger time and number a page begins; the cell with the time may be a damaged one."""
        if sequence is None:
            return None
        if search.reviewer is not None:
            return 0, sequence
        with self._database.connect() as connection:
            query = select(RECORDS.c.trigger_wall_ns).where(RECORDS.c.sequence == sequence)
            found = connection.execute(query).one_or_none()
        return (self.get(sequence).trigger_wall_ns if found is None else found[0]), sequence

    def used_serials(self, lot: str | None, limit: int) -> list[str]:
        """Return the serial numbers of the newest `limit` parts, if these may have gone on, oldest first, each once.

        lot: None for every part of the station, '' for those of these that have no lot.
        """
        with self._database.connect() as connection:
            found = connection.execute(used_serials_statement(lot, limit)).scalars().all()
        return list(dict.fromkeys(reversed(found)))

    def highest_counted(self, lot: str | None, prefix: str, digits: int) -> int:
        """Return the highest number of so many digits behind a prefix; 0 for none. lot: as `used_serials`."""
        with self._database.connect() as connection:
            return highest_counted(connection, lot, prefix, digits)

    def counts(self, run: str) -> Counts:
        """Return how the run's parts ended; all zero for a run without records."""
        with self._database.connect() as connection:
            return count_run(connection, run)

    def count_lot(self, lot: str) -> list[EndedParts]:
        """Return how the parts of a lot ended; nothing for a lot without records."""
        with self._database.connect() as connection:
            return count_lot(connection, lot)

    def challenges(self, limit: int) -> list[StoredChallenge]:
        """Return the newest entries about challenges, newest first. Raises RecordLostError for an unreadable one."""
        with self._database.connect() as connection:
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
        page = self.entry_page(EntrySearch(kind, subject, who), after, limit, newest_first=newest_first)
        return [_sound(one) for one in page]

    def entry_page(
        self, search: EntrySearch, after: int, limit: int, *, newest_first: bool
    ) -> list[StoredEntry | RecordLostError]:
        """Return the entries of the book that fit; in the place of a damaged one stands what is wrong with it."""
        with self._database.connect() as connection:
            rows = connection.execute(entry_query(search, after, limit, newest_first=newest_first)).all()
            return [entry_or_damage(tuple(row), connection, self.directory) for row in rows]

    def held_now(self, hold: Hold) -> HeldNow:
        """Return what a hold holds of the records that are there. Raises HoldError for a record or lot that is not."""
        with self._database.connect() as connection:
            return held_now(connection, hold)

    def require_there(self, hold: Hold) -> None:
        """Raise HoldError for a hold that names a record or a lot that is not there."""
        with self._database.connect() as connection:
            require_there(connection, hold)

    def marked(self, challenge: str, after_sequence: int) -> list[StoredRecord]:
        """Return the records of the parts that were laid for a challenge, by part; all lie after `after_sequence`."""
        named = RECORDS.c.extra.like(f'%"challenge":"{challenge}"%')
        found = self._records(_SELECT.where(RECORDS.c.sequence > after_sequence, named).order_by(RECORDS.c.part))
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
        self._database.dispose()

    def _in_order(self, numbers: Sequence[int]) -> list[StoredRecord | RecordLostError]:
        found: dict[int, StoredRecord | RecordLostError] = {}
        for start in range(0, len(numbers), _NUMBERS_AT_ONCE):
            found |= self._read(_SELECT.where(RECORDS.c.sequence.in_(numbers[start : start + _NUMBERS_AT_ONCE])))
        return [found[number] for number in numbers]

    def _records(self, query: Select[Any]) -> list[StoredRecord]:
        return [_sound(one) for one in self._read(query).values()]

    def _read(self, query: Select[Any]) -> dict[int, StoredRecord | RecordLostError]:
        """Return each record that a query gives by its number, or what is wrong with it, in the query's order."""
        with self._database.connect() as connection:
            return {row[0]: self._record(row, connection) for row in connection.execute(query).all()}

    def _record(self, row: Sequence[Any], connection: Connection) -> StoredRecord | RecordLostError:
        sequence, run_id, *content, record_hash, is_removed = row
        run = self._runs.get(run_id) or self._read_run(run_id, connection)
        if isinstance(run, tuple):
            return damaged_row("record", sequence, *run, self.directory)
        wrong = wrong_cell(content, record_hash) or no_text(connection, RECORDS, sequence, CONTENT_NAMES, content)
        if wrong is not None:
            return damaged_row("record", sequence, *wrong, self.directory)
        return stored_record(sequence, run, content, record_hash, image_removed=bool(is_removed))

    def _read_run(self, run_id: int, connection: Connection) -> Run | tuple[str, str]:
        """Return a run, or what is wrong with it."""
        cells = connection.execute(select(*RUN_COLUMNS).where(RUNS.c.run_id == run_id)).one_or_none()
        if cells is None:
            return "run_id", "there is no such run"
        run = Run(*cells)
        found = self._runs[run_id] = wrong_run(run) or run
        return found


def _sound(row: _Row | RecordLostError) -> _Row:
    if isinstance(row, RecordLostError):
        raise row
    return row
