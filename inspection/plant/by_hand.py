"""The copy as a command asks for it: how far it is, all that waits at once, and whether it is whole."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from inspection.config import StationConfig
from inspection.plant.books import Book, compare_books, is_begun
from inspection.plant.copy import open_database
from inspection.plant.database import PlantDatabase
from inspection.plant.errors import PlantAwayError, PlantError, PlantSettingsError
from inspection.plant.forwarding import Forwarding
from inspection.plant.image_store import ask, open_image_store
from inspection.plant.progress import IMAGES_FILE, RECORDS_FILE, read_progress
from inspection.plant.uploading import Uploading
from inspection.records.errors import RecordsError
from inspection.records.schema import open_for_reading
from inspection.records.verify import VerifyReport, verify_copy

_ATTEMPTS = 3
_ROWS_AT_ONCE = 1000
_VERIFYING_S = 86_400.0


@dataclass(frozen=True, slots=True)
class CopyStatus:
    """How far one copy is. last_wall_ns: when something was last copied; 0: never, or (is_begun) nobody knows when.

    gone: rows that the plant had and lost. asked_wall_ns: when the plant was asked; trouble: what it said where it
    could not be used then: the rest is as the station last knew it.
    """

    place: str
    waiting: int
    last_wall_ns: int
    is_begun: bool
    asked_wall_ns: int
    gone: int = 0
    trouble: str = ""


def require_plant(config: StationConfig) -> None:
    """Raise PlantSettingsError where a configuration names no copy."""
    if config.plant.postgresql is None and config.plant.images is None:
        text = "the configuration names no copy: postgresql or images in [plant] — docs/plant-copy.md tells how"
        raise PlantSettingsError(text)


def status(config: StationConfig) -> dict[str, CopyStatus]:
    """Return how far each copy is; the plant's servers are asked where they answer. Raises RecordStoreError."""
    found = {}
    for name, work in _works(config).items():
        is_records = isinstance(work, Forwarding)
        kept = read_progress(config.records.dir / (RECORDS_FILE if is_records else IMAGES_FILE), work.place)
        last_wall_ns = kept.wall_ns if kept and any(kept.numbers.values()) else 0
        waiting = work.waiting().rows if isinstance(work, Forwarding) else work.waiting()
        work.close()
        known = CopyStatus(work.place, waiting, last_wall_ns, bool(last_wall_ns), time.time_ns())
        try:
            found[name] = _with_rows(config, known) if is_records else _with_images(config, known)
        except PlantError as error:
            found[name] = replace(known, trouble=str(error))
    return found


def _with_rows(config: StationConfig, known: CopyStatus) -> CopyStatus:
    with _open_copy(config, config.plant.timeout_s) as database:
        books = _books(config, database)
    lacks, gone = (sum(getattr(book, what) for book in books) for what in ("lacks", "gone"))
    return replace(known, waiting=lacks, gone=gone, is_begun=known.is_begun or any(book.there for book in books))


def _with_images(config: StationConfig, known: CopyStatus) -> CopyStatus:
    ask(open_image_store(config.plant))
    return known


def copy_now(config: StationConfig, say: Callable[[str, int], None]) -> dict[str, int]:
    """Copy all that waits, beside a running station or without one, and return how much that was.

    say: gets what is copied, and how much of it so far. Each copy is tried, whatever became of the one before it; then
    PlantError or RecordsError is raised when one cannot be done now.
    """
    copied, troubles = dict[str, int](), list[PlantError | RecordsError]()
    for name, work in _works(config).items():
        try:
            _drain(work, partial(say, name))
        except (PlantError, RecordsError) as error:
            troubles.append(error)
        finally:
            work.close()
        copied[name] = work.copied
    if len(troubles) > 1:
        raise PlantAwayError("; ".join(map(str, troubles)))
    if troubles:
        raise troubles[0]
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
            say(work.copied)
            return
        except SQLAlchemyError as error:
            work.let_go()
            if attempt == _ATTEMPTS:
                raise _away(work.place, error) from error
            time.sleep(attempt)
