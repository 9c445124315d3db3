"""The disk budget of images: the oldest passed parts' go first, then the oldest rejected ones'; records stay."""

from __future__ import annotations

import os
import time

from inspection.part import Verdict
from inspection.records.images import remove_orphans
from inspection.records.options import BYTES_PER_MB, RecordsOptions
from inspection.records.record import StoredRecord
from inspection.records.store import RecordStore

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

        Raises sqlite3.Error and OSError when the disk refuses; then it may be called again.
        """
        for verdict in (Verdict.PASS, Verdict.REJECT):
            oldest = self._oldest(verdict)
            if oldest:
                self._remove(verdict, oldest)
                return True
        return False

    def _oldest(self, verdict: Verdict) -> list[tuple[int, str, int]]:
        missing_bytes = self._min_free_bytes - free_bytes(self._store)
        excess = max(self.used_bytes - self._limit_bytes, missing_bytes, 1)
        rows = self._store.connection.execute(
            "SELECT sequence, image_file, image_bytes FROM records "
            "WHERE verdict = ? AND sequence > ? AND image_bytes > 0 ORDER BY sequence LIMIT ?",
            (verdict.value, self._last_removed[verdict], _FILES_A_STEP),
        ).fetchall()
        chosen: list[tuple[int, str, int]] = []
        for row in rows:
            if sum(size for _, _, size in chosen) >= excess:
                break
            chosen.append(row)
        return chosen

    def _remove(self, verdict: Verdict, chosen: list[tuple[int, str, int]]) -> None:
        now_wall_ns = time.time_ns()
        with self._store.transaction():
            self._store.connection.executemany(
                "INSERT INTO removed_images (sequence, verdict, removed_wall_ns) VALUES (?, ?, ?)",
                [(sequence, verdict.value, now_wall_ns) for sequence, _, _ in chosen],
            )
        self._last_removed[verdict] = chosen[-1][0]
        for _, name, size in chosen:
            (self._store.directory / name).unlink(missing_ok=True)
            self.used_bytes -= size
            self.removed += 1

    def _newest_mark(self, verdict: Verdict) -> int:
        query = "SELECT coalesce(max(sequence), 0) FROM removed_images WHERE verdict = ?"
        return int(self._store.connection.execute(query, (verdict.value,)).fetchone()[0])

    def _take_stock(self) -> int:
        named, used = set(), 0
        for verdict, mark in self._last_removed.items():
            rows = self._store.connection.execute(
                "SELECT image_file, image_bytes FROM records WHERE verdict = ? AND sequence > ? AND image_bytes > 0",
                (verdict.value, mark),
            )
            for name, size in rows:
                named.add(name)
                used += size
        self.removed_orphans = remove_orphans(self._store.directory, named)
        return used


def free_bytes(store: RecordStore) -> int:
    """Return the free space, for an ordinary user, on the store's disk. Raises OSError."""
    status = os.statvfs(store.directory)
    return status.f_bavail * status.f_frsize
