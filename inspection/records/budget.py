"""The disk budget of images: the oldest passed parts' go first, then the oldest rejected ones'; records stay."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Column, Select, func, select, text

from inspection.part import Verdict
from inspection.records.images import remove_orphans
from inspection.records.options import BYTES_PER_MB, RecordsOptions
from inspection.records.record import StoredRecord
from inspection.records.store import RecordStore
from inspection.records.tables import RECORDS, REMOVED_IMAGES

_FILES_A_STEP = 64


class ImageBudget:
    """Keeps the image files within their budget and the disk's free space above its minimum.

    Owned by the `RecordWriter`, used on its store thread only. A file is marked as removed, durably, before it is
    unlinked: a file that is missing without its mark was taken by someone else, and `verify` says so.
    """

    def __init__(self, store: RecordStore, options: RecordsOptions) -> None:
        """Take stock of what is kept; remove files that no record names, and marked ones that a crash left."""
        self._store = store
        self._limit_bytes = options.image_budget_mb * BYTES_PER_MB
        self._min_free_bytes = options.min_free_mb * BYTES_PER_MB
        self._last_removed = {verdict: self._newest_mark(verdict) for verdict in Verdict}
        self.removed = 0
        self.done_to: Callable[[], int | None] = lambda: None
        """The record up to which images have their copy: they go before those that wait for one."""
        self.removed_orphans = 0
        self.used_bytes = self._take_stock()

    def add(self, records: list[StoredRecord]) -> None:
        """Count the images of records that were just stored."""
        self.used_bytes += sum(record.image_bytes for record in records)

    def exceeded(self) -> bool:
        """Return whether images must go: over the budget, or too little free disk space."""
        return self.used_bytes > self._limit_bytes or self.short_of_space()

    def short_of_space(self) -> bool:
        """Return whether the disk has less free space than images must leave."""
        return free_bytes(self._store) < self._min_free_bytes

    def step(self) -> bool:
        """Remove one batch of the oldest images; False when there is none left to remove.

        Raises SQLAlchemyError and OSError when the disk refuses; then it may be called again.
        """
        done_to = self.done_to()
        for until in (None,) if done_to is None else (done_to, None):
            for verdict in (Verdict.PASS, Verdict.REJECT):
                oldest = self._oldest(verdict, until)
                if oldest:
                    self._remove(verdict, oldest)
                    return True
        return False

    def _oldest(self, verdict: Verdict, until: int | None) -> list[tuple[int, str, int]]:
        missing_bytes = self._min_free_bytes - free_bytes(self._store)
        excess = max(self.used_bytes - self._limit_bytes, missing_bytes, 1)
        kept = self._kept(verdict, RECORDS.c.sequence, RECORDS.c.image_file, RECORDS.c.image_bytes)
        if until is not None:
            kept = kept.where(RECORDS.c.sequence <= until)
        with self._store.transaction() as connection:
            rows = connection.execute(kept.order_by(RECORDS.c.sequence).limit(_FILES_A_STEP)).all()
        chosen: list[tuple[int, str, int]] = []
        for sequence, name, size in rows:
            if sum(size for _, _, size in chosen) >= excess:
                break
            chosen.append((sequence, name, size))
        return chosen

    def _kept(self, verdict: Verdict, *columns: Column[Any]) -> Select[Any]:
        """Return the query for the records of a verdict whose images are there."""
        after = RECORDS.c.sequence > self._last_removed[verdict]
        return select(*columns).where(RECORDS.c.verdict == verdict.value, after, text("image_bytes > 0"))

    def _remove(self, verdict: Verdict, chosen: list[tuple[int, str, int]]) -> None:
        now_wall_ns = time.time_ns()
        mark = {"verdict": verdict.value, "removed_wall_ns": now_wall_ns}
        marks = [{"sequence": sequence, **mark} for sequence, _, _ in chosen]
        with self._store.transaction() as connection:
            connection.execute(REMOVED_IMAGES.insert(), marks)
        self._last_removed[verdict] = chosen[-1][0]
        for _, name, size in chosen:
            (self._store.directory / name).unlink(missing_ok=True)
            self.used_bytes -= size
            self.removed += 1

    def _newest_mark(self, verdict: Verdict) -> int:
        newest = select(func.coalesce(func.max(REMOVED_IMAGES.c.sequence), 0))
        with self._store.transaction() as connection:
            return int(connection.execute(newest.where(REMOVED_IMAGES.c.verdict == verdict.value)).scalar_one())

    def _take_stock(self) -> int:
        named, used = set(), 0
        with self._store.transaction() as connection:
            for verdict in self._last_removed:
                for name, size in connection.execute(self._kept(verdict, RECORDS.c.image_file, RECORDS.c.image_bytes)):
                    named.add(name)
                    used += size
        self.removed_orphans = remove_orphans(self._store.directory, named)
        return used


def free_bytes(store: RecordStore) -> int:
    """Return the free space, for an ordinary user, on the store's disk. Raises OSError."""
    status = os.statvfs(store.directory)
    return status.f_bavail * status.f_frsize
