"""Whether every image is at the plant as its record names it; what cannot be there is told apart from what is lost."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from inspection.config import StationConfig
from inspection.plant.errors import PlantAwayError
from inspection.plant.image_store import ImageStore, open_image_store
from inspection.plant.never_copied import read_never_copied
from inspection.plant.progress import IMAGES_FILE, read_progress
from inspection.plant.uploading import image_key
from inspection.records.reader import RecordReader
from inspection.records.record import ImageState, StoredRecord

_READ_AT_ONCE = 500
_PROBLEMS_NAMED = 1000
_UNREAD_AT_MOST = 10


@dataclass(slots=True)
class ImageReport:
    """What a look at every image at the plant found. nowhere: the station's rules took them before they were copied.

    unread: could not be fetched, or were not tried any more when the plant did not answer.
    """

    images: int = 0
    waiting: int = 0
    nowhere: int = 0
    unread: int = 0
    problem_count: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        """Count a problem, and keep its text while there are not too many."""
        self.problem_count += 1
        if len(self.problems) < _PROBLEMS_NAMED:
            self.problems.append(text)


def check_images(config: StationConfig, progress: Callable[[int], None]) -> ImageReport:
    """Fetch every image from the plant and hold it against its record; what cannot be fetched is named and counted.

    Raises PlantAwayError when the store's key cannot be read, PlantSettingsError, RecordsError.
    """
    place, folder = str(config.plant.images), config.records.dir
    store, at = open_image_store(config.plant), 0
    kept = read_progress(folder / IMAGES_FILE, place)  # before the rest, which a running station may go on with
    check = _Check(store, kept.numbers.get("records", 0) if kept else 0, read_never_copied(folder, place))
    reader = RecordReader(folder)
    try:
        while records := reader.after(at, _READ_AT_ONCE):
            for record in records:
                if record.image_state is ImageState.KEPT:
                    check.look_at(record)
            at = records[-1].sequence
            progress(at)
    finally:
        reader.close()
    return check.report


class _Check:
    """One look at all images; `report` is what it found so far."""

    def __init__(self, store: ImageStore, done_to: int, never_copied: frozenset[int]) -> None:
        self._store, self._done_to, self._never_copied = store, done_to, never_copied
        self.report = ImageReport()

    def look_at(self, record: StoredRecord) -> None:
        """Fetch one image and judge it."""
        report, key = self.report, image_key(record.station, record.image_file)
        if report.unread >= _UNREAD_AT_MOST:
            report.unread += 1
            return
        try:
            data = self._store.get(key)
        except PlantAwayError as error:
            self._cannot_fetch(record, error)
            return
        if data is None:
            self._judge_missing(record, key)
        elif hashlib.sha256(data).hexdigest() == record.image_sha256:
            report.images += 1
        else:
            report.add(f"record {record.sequence}: its image {record.image_file} was changed at the plant ({key})")

    def _judge_missing(self, record: StoredRecord, key: str) -> None:
        """Tell what waits, what went before its turn came, and what was there once."""
        is_done = record.sequence <= self._done_to
        if record.image_removed and (not is_done or record.sequence in self._never_copied):
            self.report.nowhere += 1
        elif not is_done:
            self.report.waiting += 1
        elif record.image_removed:
            self.report.add(
                f"record {record.sequence}: its image {record.image_file} was copied and is missing at the plant "
                f"({key}), and the station's disk budget took its own since — it is in an older version or a backup of "
                "the plant's store, if anywhere — find out who removed it"
            )
        else:
            self.report.add(f"record {record.sequence}: its image {record.image_file} is missing at the plant ({key})")

    def _cannot_fetch(self, record: StoredRecord, error: PlantAwayError) -> None:
        self.report.unread += 1
        more = "; no further one is tried" if self.report.unread == _UNREAD_AT_MOST else ""
        self.report.add(
            f"record {record.sequence}: its image {record.image_file} cannot be fetched: {error}{more} — mend "
            "the store, or put the image back from its backup, then repeat the command"
        )
