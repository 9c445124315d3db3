"""Which images go: those that are older than their rule says, and the oldest ones beyond the budget; records stay."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Select, func, not_, select, text, true

from inspection.part import Verdict
from inspection.records.entries import Entry, EntryKind
from inspection.records.holds import held, stored_holds
from inspection.records.images import remove_orphans
from inspection.records.options import BYTES_PER_MB, RecordsOptions
from inspection.records.record import StoredRecord
from inspection.records.store import RecordStore
from inspection.records.tables import RECORDS, REMOVED_IMAGES

_log = logging.getLogger(__name__)
_FILES_A_STEP = 64
_SLACK = 100  # what goes beyond the budget takes a hundredth of it along, so that few removals are written down
_LOOK_S = 60.0
_ANEW_S = 86_400.0
_DAY_NS = 86_400 * 10**9
_IS_MARKED = select(REMOVED_IMAGES.c.sequence).where(REMOVED_IMAGES.c.sequence == RECORDS.c.sequence).exists()


class _Image(NamedTuple):
    sequence: int
    verdict: str
    file: str
    size: int


class ImageBudget:
    """Keeps the image files within their rules and budget, and the disk's free space above its minimum.

    Owned by the `RecordWriter`, used under its store lock. What is removed, why and when is written into the book of
    entries together with a mark for each image, durably, before a file is unlinked: a file that is missing without its
    mark was taken by someone else, and `verify` says so. An image that a legal hold covers stays, whatever it costs.
    """

    def __init__(self, store: RecordStore, options: RecordsOptions) -> None:
        """Take stock of what is kept; remove files that no record names, and marked ones that a crash left."""
        self._store = store
        self._limit_bytes = options.image_budget_mb * BYTES_PER_MB
        self._min_free_bytes = options.min_free_mb * BYTES_PER_MB
        self._rules = options.retention
        self._looked_host_s = self._anew_host_s = -_ANEW_S
        self._hold_entries = -1
        self._held: ColumnElement[bool] = held(())
        self._behind: dict[tuple[int, Verdict], int] = {}
        self.removed = 0
        self.done_to: Callable[[], int | None] = lambda: None
        """The record up to which images have their copy: beyond the budget they go before those that wait for one."""
        self.is_full_of_held = False
        self.used_bytes = self._take_stock()

    def add(self, records: list[StoredRecord]) -> None:
        """Count the images of records that were just stored."""
        self.used_bytes += sum(record.image_bytes for record in records)

    def is_due(self) -> bool:
        """Return whether images must go: over the budget, too little free disk space, or time to look at their age."""
        return self.used_bytes > self._limit_bytes or self.short_of_space() or self._is_time_to_look()

    def short_of_space(self) -> bool:
        """Return whether the disk has less free space than images must leave."""
        return free_bytes(self._store) < self._min_free_bytes

    def why_none(self) -> str:
        """Return why no image may be kept now; '' when one may."""
        if self.short_of_space():
            return "the disk has less free space than records.min_free_mb"
        if self.is_full_of_held and self.used_bytes > self._limit_bytes:
            return "records.image_budget_mb is full of images that legal holds keep (`lineward records hold list`)"
        return ""

    def step(self) -> bool:
        """Remove one batch of images; False when there is none left to remove.

        Raises SQLAlchemyError and OSError when the disk refuses; then it may be called again.
        """
        self._follow_holds()
        return self._step_by_space() or self._step_by_age()

    def _step_by_space(self) -> bool:
        excess = self.used_bytes - self._limit_bytes
        missing = self._min_free_bytes - free_bytes(self._store)
        if excess <= 0 and missing <= 0:
            self.is_full_of_held = False
            return False
        if missing > excess:
            rule, wanted = f"disk: less than records.min_free_mb = {self._min_free_bytes // BYTES_PER_MB} free", missing
        else:
            rule = f"budget: more than records.image_budget_mb = {self._limit_bytes // BYTES_PER_MB}"
            wanted = excess + self._limit_bytes // _SLACK
        done_to = self.done_to()
        for until in (None,) if done_to is None else (done_to, None):
            within = [] if until is None else [RECORDS.c.sequence <= until]
            for verdict in Verdict:
                if oldest := self._next(-1, verdict, *within, last=until):
                    self._remove(_enough(oldest, wanted), rule)
                    return True
        self.is_full_of_held = self.used_bytes > 0
        return False

    def _step_by_age(self) -> bool:
        """Remove images that are older than the first rule that fits them says."""
        if not self._is_time_to_look():
            return False
        now_host_s = time.monotonic()
        if now_host_s - self._anew_host_s > _ANEW_S:  # a clock that was set may have left some behind
            self._anew_host_s, self._behind = now_host_s, {}
        now_wall_ns = self._now_wall_ns()
        for number, rule in enumerate(self._rules):
            cutoff_ns = now_wall_ns - round(rule.keep_days * _DAY_NS)
            last = self._newest_before(cutoff_ns)
            earlier = [not_(before.fits()) for before in self._rules[:number]]
            for verdict in Verdict if rule.verdict is None else (rule.verdict,):
                old = RECORDS.c.sequence <= last, RECORDS.c.trigger_wall_ns + 0 < cutoff_ns, rule.fits(), *earlier
                if found := self._next(number, verdict, *old, last=last):
                    self._remove(found, f"retention: {rule.text()}")
                    return True
        self._looked_host_s = now_host_s
        return False

    def _is_time_to_look(self) -> bool:
        return bool(self._rules) and time.monotonic() - self._looked_host_s >= _LOOK_S

    def _now_wall_ns(self) -> int:
        """Return the wall time, at most a day after the newest record: a clock that runs years ahead ages nothing."""
        newest = select(func.coalesce(func.max(RECORDS.c.trigger_wall_ns), 0))
        with self._store.transaction() as connection:
            return min(time.time_ns(), int(connection.execute(newest).scalar_one()) + _DAY_NS)

    def _newest_before(self, wall_ns: int) -> int:
        at = RECORDS.c.trigger_wall_ns
        newest = select(RECORDS.c.sequence).where(at < wall_ns).order_by(at.desc(), RECORDS.c.sequence.desc()).limit(1)
        with self._store.transaction() as connection:
            return int(connection.execute(newest).scalar() or 0)

    def _next(
        self, rule: int, verdict: Verdict, *conditions: ColumnElement[bool], last: int | None = None
    ) -> list[_Image]:
        """Return the next images that nothing holds, the oldest first; each rule goes on where it ended before."""
        behind = self._behind.get((rule, verdict), 0)
        columns = (RECORDS.c.sequence, RECORDS.c.verdict, RECORDS.c.image_file, RECORDS.c.image_bytes)
        kept = self._kept(verdict, *columns).where(RECORDS.c.sequence > behind, not_(self._held), *conditions)
        with self._store.transaction() as connection:
            rows = connection.execute(kept.order_by(RECORDS.c.sequence).limit(_FILES_A_STEP)).all()
        found = [_Image(*row) for row in rows]
        self._behind[(rule, verdict)] = found[0].sequence - 1 if found else max(behind, self._newest(last))
        return found

    def _newest(self, last: int | None) -> int:
        return self._store.head.sequence if last is None else last

    def _kept(self, verdict: Verdict, *columns: Column[Any]) -> Select[Any]:
        """Return the query for the records of a verdict whose images are there."""
        return select(*columns).where(RECORDS.c.verdict == verdict.value, ~_IS_MARKED, text("image_bytes > 0"))

    def _remove(self, chosen: list[_Image], rule: str) -> None:
        now_wall_ns = time.time_ns()
        marks = [{"sequence": one.sequence, "verdict": one.verdict, "removed_wall_ns": now_wall_ns} for one in chosen]
        content = {
            "why": rule,
            "records": [one.sequence for one in chosen],
            "bytes": sum(one.size for one in chosen),
            "marks_before": self._store.removed_images,
        }
        self._store.append_removal(marks, Entry(EntryKind.REMOVAL, rule.split(":")[0], "", now_wall_ns, content))
        for one in chosen:
            (self._store.directory / one.file).unlink(missing_ok=True)
            self.used_bytes -= one.size
            self.removed += 1

    def _follow_holds(self) -> None:
        if self._hold_entries == self._store.hold_entries:
            return
        with self._store.transaction() as connection:
            try:
                self._held = held(stored_holds(connection).values())
            except ValueError as error:  # an entry that was damaged: what it held cannot be told, so nothing goes
                _log.warning("%s: holds cannot be read, no image is removed: %s", self._store.directory, error)
                self._held = true()
        self._hold_entries, self._behind = self._store.hold_entries, {}
        self._looked_host_s = -_ANEW_S

    def _take_stock(self) -> int:
        named, used = set(), 0
        with self._store.transaction() as connection:
            for verdict in Verdict:
                for name, size in connection.execute(self._kept(verdict, RECORDS.c.image_file, RECORDS.c.image_bytes)):
                    named.add(name)
                    used += size
        remove_orphans(self._store.directory, named)
        return used


def _enough(images: list[_Image], wanted: int) -> list[_Image]:
    """Return the first images that together have so many bytes."""
    chosen: list[_Image] = []
    for one in images:
        if sum(before.size for before in chosen) >= max(wanted, 1):
            break
        chosen.append(one)
    return chosen


def free_bytes(store: RecordStore) -> int:
    """Return the free space, for an ordinary user, on the store's disk. Raises OSError."""
    status = os.statvfs(store.directory)
    return status.f_bavail * status.f_frsize
