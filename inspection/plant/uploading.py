"""Copying kept images to the plant's object store: in the order of their records, each held against its hash."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import func, select, text

from inspection.part import Verdict
from inspection.plant.errors import PlantConflictError
from inspection.plant.image_store import ImageStore
from inspection.plant.never_copied import forget_never_copied, note_never_copied
from inspection.plant.progress import IMAGES_FILE, read_progress, save_progress
from inspection.records.replica import Replica
from inspection.records.schema import open_for_reading
from inspection.records.tables import RECORDS, REMOVED_IMAGES, RUNS

IMAGES_AT_ONCE = 16
_R = RECORDS.c
_REMOVED = select(REMOVED_IMAGES.c.sequence).where(REMOVED_IMAGES.c.sequence == _R.sequence).exists()
_HAS_FILE = text("image_bytes > 0")  # as the index of kept images says it
_KEPT = (
    select(_R.sequence, RUNS.c.station, _R.image_file, _R.image_sha256, _R.image_bytes, _REMOVED.label("is_removed"))
    .join(RUNS, RUNS.c.run_id == _R.run_id)
    .where(_HAS_FILE)
    .order_by(_R.sequence)
)


class KeptFile(NamedTuple):
    """One image that a record names."""

    sequence: int
    station: str
    file: str
    sha256: str
    size_bytes: int
    is_removed: bool

    @property
    def key(self) -> str:
        """Return its place in the plant's store: below its station's name."""
        return image_key(self.station, self.file)


def image_key(station: str, file: str) -> str:
    """Return where the image of a station's record lies in the plant's store."""
    return f"{station}/{file}"


class Uploading:
    """The work of one uploader, step by step; used by one thread. The store and a small file beside it are its queue.

    An image is written once and never over another: where one of the same name and size lies, its content is compared.
    `done_to` may be read from any thread: the record up to which every image is at the plant, or gone.
    """

    name = "images"

    def __init__(self, directory: Path, place: str, open_store: Callable[[], ImageStore]) -> None:
        """Go on where the file beside the store says. place: which store it is. Raises RecordStoreError."""
        self._local = open_for_reading(directory)
        self._directory, self.place, self._open_store = directory, place, open_store
        self._file = directory / IMAGES_FILE
        kept = read_progress(self._file, place)
        self.done_to = kept.numbers.get(RECORDS.name, 0) if kept else 0
        self._last_wall_ns = kept.wall_ns if kept else 0
        self._store: ImageStore | None = None
        self.copied = 0
        self.lost = 0  # the disk budget, or somebody, took them before they were copied, or they were changed
        newest = Replica(self._local).newest(RECORDS)
        self._had = 0 if kept else newest  # what was removed before anybody wanted copies is not lost
        self._is_put_back = self.done_to > newest  # from an older copy: what is there is compared, not written
        if self._is_put_back:
            self.done_to = 0

    def waiting(self) -> int:
        """Return how many images are to be copied still. Raises SQLAlchemyError when the store cannot be read."""
        by_verdict = _R.verdict.in_([verdict.value for verdict in Verdict])  # so that the index of kept images serves
        query = select(func.count()).where(by_verdict, _R.sequence > self.done_to, _HAS_FILE, ~_REMOVED)
        with self._local.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def step(self) -> bool:
        """Copy some images; True when more may be waiting.

        Raises PlantAwayError when it cannot be done now, and PlantConflictError when another image has our name.
        """
        if self._is_put_back:
            forget_never_copied(self._directory)
            self._is_put_back = False
        newest = Replica(self._local).newest(RECORDS)
        with self._local.connect() as connection:
            rows = connection.execute(_KEPT.where(_R.sequence > self.done_to).limit(IMAGES_AT_ONCE)).all()
        before, gone = self.done_to, list[int]()
        try:
            for row in rows:
                if not self._copy(image := KeptFile(*row)):
                    gone.append(image.sequence)
                self.done_to = image.sequence
            if len(rows) < IMAGES_AT_ONCE:
                self.done_to = max(self.done_to, newest)
        finally:
            self._keep(before, gone, is_worth_it=bool(rows))
        return len(rows) == IMAGES_AT_ONCE

    def _keep(self, before: int, gone: list[int], *, is_worth_it: bool) -> None:
        """Write down what went uncopied, and only then how far this is: no check may take it for copied."""
        if gone:
            try:
                note_never_copied(self._directory, self.place, gone)
            except OSError:
                self.done_to = before
                raise
            self.lost += sum(sequence > self._had for sequence in gone)
        if self.done_to != before and (is_worth_it or self.done_to > before + 1000):
            save_progress(self._file, self.place, {RECORDS.name: self.done_to}, self._last_wall_ns)

    def hurry(self) -> None:
        """Leave nothing for later: nothing ever is."""

    def let_go(self) -> None:
        """Open the store anew the next time, with the key that holds then."""
        self._store = None

    def close(self) -> None:
        """Close everything; safe to repeat."""
        self.let_go()
        self._local.dispose()

    def _copy(self, image: KeptFile) -> bool:
        """Copy one; False when it is gone, or is not what its record names."""
        data = None if image.is_removed else self._read(image)
        if data is None:
            return False
        if self._store is None:
            self._store = self._open_store()
        there = self._store.size(image.key)
        if there is None:
            self._store.put(image.key, data)
        elif there != len(data) or self._store.get(image.key) != data:
            raise PlantConflictError(
                f"{image.key} is there already with another content — an image is never written over another — give "
                "each station a name or an address of its own"
            )
        self.copied += 1
        self._last_wall_ns = time.time_ns()
        return True

    def _read(self, image: KeptFile) -> bytes | None:
        """Return a file as its record knows it; None when it is gone or was changed: `records verify` tells which."""
        try:
            data = (self._directory / image.file).read_bytes()
        except FileNotFoundError:
            return None
        return data if hashlib.sha256(data).hexdigest() == image.sha256 else None
