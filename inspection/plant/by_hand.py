"""The copy as a command asks for it: how far it is, all that waits at once, and whether it is whole."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from inspection.config import StationConfig
from inspection.plant.books import Book, compare_books, is_begun
from inspection.plant.copy import open_database
from inspection.plant.database import PlantDatabase
from inspection.plant.errors import PlantAwayError, PlantSettingsError
from inspection.plant.forwarding import Forwarding
from inspection.plant.image_store import ImageStore, open_image_store
from inspection.plant.progress import IMAGES_FILE, RECORDS_FILE, read_progress
from inspection.plant.uploading import Uploading, image_key
from inspection.records.reader import RecordReader
from inspection.records.record import ImageState, StoredRecord
from inspection.records.schema import open_for_reading
from inspection.records.verify import VerifyReport, verify_copy

_ATTEMPTS = 3
_ROWS_AT_ONCE = 1000
_READ_AT_ONCE = 500
_VERIFYING_S = 86_400.0
_PROBLEMS_NAMED = 1000
_UNREAD_AT_MOST = 10


@dataclass(frozen=True, slots=True)
class CopyStatus:
    """How far one copy is. last_wall_ns: when the last was copied; 0: never. gone: rows that the plant had and lost.

    trouble: why the plant could not be asked: the rest is as the station last knew it.
    """

    place: str
    waiting: int
    last_wall_ns: int
    gone: int = 0
    trouble: str = ""


@dataclass(slots=True)
class ImageReport:
    """What a look at every image at the plant found. nowhere: the disk budget took them before they were copied.

    unread: could not be fetched, or were not tried any more when the plant did not answer.
    """

    images: int = 0
    waiting: int = 0
    nowhere: int = 0
    unread: int = 0
    problems: list[str] = field(default_factory=list)


def require_plant(config: StationConfig) -> None:
    """Raise PlantSettingsError where a configuration names no copy."""
    if config.plant.postgresql is None and config.plant.images is None:
        text = "the configuration names no copy: postgresql or images in [plant] — docs/plant-copy.md tells how"
        raise PlantSettingsError(text)


def status(config: StationConfig) -> dict[str, CopyStatus]:
    """Return how far each copy is; the plant's database is asked where it answers. Raises RecordStoreError."""
    found = {}
    for name, work in _works(config).items():
        kept = read_progress(config.records.dir / (RECORDS_FILE if name == "records" else IMAGES_FILE), work.place)
        last_wall_ns = kept.wall_ns if kept and any(kept.numbers.values()) else 0
        waiting = work.waiting().rows if isinstance(work, Forwarding) else work.waiting()
        found[name] = CopyStatus(work.place, waiting, last_wall_ns)
        work.close()
        if name == "records":
            found[name] = _asked(config, found[name])
    return found


def _asked(config: StationConfig, known: CopyStatus) -> CopyStatus:
    try:
        with _open_copy(config, config.plant.timeout_s) as database:
            books = _books(config, database)
    except PlantAwayError as error:
        return replace(known, trouble=str(error))
    return replace(known, waiting=sum(book.lacks for book in books), gone=sum(book.gone for book in books))


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


def check_records(config: StationConfig) -> tuple[VerifyReport, list[Book]]:
    """Check the copy of the records against itself, and its end against the store. Raises RecordStoreError,
    PlantAwayError.
    """
    with _open_copy(config, _VERIFYING_S) as database:
        books = _books(config, database)
        if not is_begun(database.engine):
            report = VerifyReport()
            report.add(None, f"nothing is copied to {database.place} yet — lineward records forward --once FILE copies")
        else:
            report = verify_copy(config.records.dir, database.engine)
    for book in books:
        if book.problem:
            report.add(None, book.problem)
    return report, books


@contextlib.contextmanager
def _open_copy(config: StationConfig, timeout_s: float) -> Iterator[PlantDatabase]:
    database = open_database(config.plant, config.station.name, timeout_s)
    try:
        with database.within(timeout_s):
            yield database
    except SQLAlchemyError as error:
        raise _away(database.place, error) from error
    finally:
        database.close()


def _books(config: StationConfig, database: PlantDatabase) -> list[Book]:
    """Compare the ends; what the station knows was copied is read first, and the store last, as both may grow."""
    kept = read_progress(config.records.dir / RECORDS_FILE, database.place)
    local = open_for_reading(config.records.dir)
    try:
        return compare_books(local, database.engine, kept.numbers if kept else {})
    finally:
        local.dispose()


def _away(place: str, error: Exception) -> PlantAwayError:
    reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    return PlantAwayError(f"{place}: {reason} — a plant that answers is needed — mend it, then repeat the command")


def check_images(config: StationConfig, progress: Callable[[int], None]) -> ImageReport:
    """Fetch every image from the plant and hold it against its record; what cannot be fetched is named and counted.

    Raises PlantAwayError when the store's key cannot be read, PlantSettingsError.
    """
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
    if report.unread >= _UNREAD_AT_MOST:
        report.unread += 1
        return
    try:
        data = store.get(image_key(record.station, record.image_file))
    except PlantAwayError as error:
        report.unread += 1
        more = "; no further one is tried" if report.unread == _UNREAD_AT_MOST else ""
        report.problems.append(
            f"record {record.sequence}: its image {record.image_file} cannot be fetched: {error}{more} — mend "
            "the store, or put the image back from its backup, then repeat the command"
        )
        return
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
                raise _away(work.place, error) from error
            time.sleep(attempt)
