"""The copy as a command asks for it: how far it is, all that waits at once, and whether it is whole."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from inspection.config import StationConfig
from inspection.plant.copy import open_database
from inspection.plant.errors import PlantAwayError, PlantSettingsError
from inspection.plant.forwarding import Forwarding
from inspection.plant.image_store import ImageStore, open_image_store
from inspection.plant.progress import IMAGES_FILE, RECORDS_FILE, read_progress
from inspection.plant.uploading import Uploading, image_key
from inspection.records.reader import RecordReader
from inspection.records.record import ImageState, StoredRecord
from inspection.records.verify import VerifyReport, verify_copy

_ATTEMPTS = 3
_ROWS_AT_ONCE = 1000
_READ_AT_ONCE = 500
_VERIFYING_S = 86_400.0
_PROBLEMS_NAMED = 1000


@dataclass(frozen=True, slots=True)
class CopyStatus:
    """How far one copy is, from the station's side. last_wall_ns: when it was last known to be so far; 0: never."""

    place: str
    waiting: int
    last_wall_ns: int


@dataclass(slots=True)
class ImageReport:
    """What a look at every image at the plant found. nowhere: the disk budget took them before they were copied."""

    images: int = 0
    waiting: int = 0
    nowhere: int = 0
    problems: list[str] = field(default_factory=list)


def require_plant(config: StationConfig) -> None:
    """Raise PlantSettingsError where a configuration names no copy."""
    if config.plant.postgresql is None and config.plant.images is None:
        text = "the configuration names no copy: postgresql or images in [plant] — docs/plant-copy.md tells how"
        raise PlantSettingsError(text)


def status(config: StationConfig) -> dict[str, CopyStatus]:
    """Return how far each copy is, without asking the plant. Raises RecordStoreError when there is no store."""
    found = {}
    for name, work in _works(config).items():
        kept = read_progress(config.records.dir / (RECORDS_FILE if name == "records" else IMAGES_FILE), work.place)
        waiting = work.waiting().rows if isinstance(work, Forwarding) else work.waiting()
        found[name] = CopyStatus(work.place, waiting, kept.wall_ns if kept else 0)
        work.close()
    return found


def copy_now(config: StationConfig, say: Callable[[str, int], None]) -> dict[str, int]:
    """Copy all that waits, beside a running station or without one, and return how much that was.

    say: gets what is copied, and how much of it so far. Raises PlantAwayError when it cannot be done now.
    """
    copied = {}
    for name, work in _works(config).items():
        try:
            _drain(work, partial(say, name))
        finally:
            work.close()
        copied[name] = work.copied
    return copied


def check_records(config: StationConfig) -> VerifyReport:
    """Check the copy of the records against itself. Raises RecordStoreError, PlantAwayError."""
    database = open_database(config.plant, config.station.name, _VERIFYING_S)
    try:
        return verify_copy(config.records.dir, database.engine)
    finally:
        database.close()


def check_images(config: StationConfig, progress: Callable[[int], None]) -> ImageReport:
    """Fetch every image from the plant and hold it against its record. Raises PlantAwayError."""
    store, report, at = open_image_store(config.plant), ImageReport(), 0
    kept = read_progress(config.records.dir / IMAGES_FILE, str(config.plant.images))
    done_to = kept.numbers.get("records", 0) if kept else 0
    reader = RecordReader(config.records.dir)
    try:
        while records := reader.after(at, _READ_AT_ONCE):
            for record in records:
                if record.image_state is ImageState.KEPT:
                    _check_image(store, record, done_to, report)
            at = records[-1].sequence
            progress(at)
    finally:
        reader.close()
    return report


def _check_image(store: ImageStore, record: StoredRecord, done_to: int, report: ImageReport) -> None:
    data = store.get(image_key(record.station, record.image_file))
    if data is not None and hashlib.sha256(data).hexdigest() == record.image_sha256:
        report.images += 1
    elif data is None and record.sequence > done_to:
        report.waiting += 1
    elif data is None and record.image_removed:
        report.nowhere += 1
    elif len(report.problems) < _PROBLEMS_NAMED:
        what = "is missing at the plant" if data is None else "was changed at the plant"
        report.problems.append(f"record {record.sequence}: its image {record.image_file} {what}")


def _works(config: StationConfig) -> dict[str, Forwarding | Uploading]:
    require_plant(config)
    options, folder = config.plant, config.records.dir
    works: dict[str, Forwarding | Uploading] = {}
    if options.postgresql is not None:
        works["records"] = Forwarding(folder, open_database(options, config.station.name), _ROWS_AT_ONCE)
    if options.images is not None:
        works["images"] = Uploading(folder, options.images, partial(open_image_store, options))
    return works


def _drain(work: Forwarding | Uploading, say: Callable[[int], None]) -> None:
    """Copy until nothing waits; what a running station copied meanwhile is no reason to give up."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            while work.step():
                say(work.copied)
            return
        except SQLAlchemyError as error:
            work.let_go()
            if attempt == _ATTEMPTS:
                reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
                text = f"{work.place}: {reason} — a plant that answers is needed — mend it, then repeat the command"
                raise PlantAwayError(text) from error
            time.sleep(attempt)
