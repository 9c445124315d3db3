"""How long each kind of search takes among many records, and by which way the database finds them."""

from __future__ import annotations

import gc
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.dialects import sqlite

from inspection.bench.record_rows import SECOND_NS, parts
from inspection.part import Evaluation, Reason, Verdict
from inspection.records.entries import Entry, EntryKind
from inspection.records.paced_search import PAGE_S
from inspection.records.reader import FoundPage, RecordReader
from inspection.records.record import Run
from inspection.records.schema import DATABASE_FILE, open_for_reading
from inspection.records.search import Page, Search, statement
from inspection.records.store import RecordStore, make_row

_AT_ONCE = 2000
_RUNS = 20
_REVIEWED = 100  # one of so many
_PAGE = 100
_PER_S = 8.0
_REVIEWERS = ("kim", "lee", "park")


def run(*, rows: int, folder: Path | None, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Fill a store, or take the one in `folder` that an earlier call filled, and time each search: first and again.

    As the API searches: the newest first, until 100 are found, in as many calls as that takes, and how long the worst
    of these took. The first time the store was just opened, and the system was asked to forget what it holds of the
    file, so that it comes from the disk.
    """
    if folder is not None:
        return _searches(_filled(folder, rows, say), rows)
    with tempfile.TemporaryDirectory(prefix="lineward-bench-") as name:
        return _searches(_filled(Path(name) / "records", rows, say), rows)


def _filled(folder: Path, rows: int, say: Callable[[str], None]) -> Path:
    if (folder / DATABASE_FILE).exists():
        return folder
    store, a_run = RecordStore(folder), max(1, rows // _RUNS)
    began_s = time.perf_counter()
    for number, first in enumerate(range(1, rows + 1, a_run)):
        started_wall_ns = round(first / _PER_S * SECOND_NS)
        begun = store.begin_run(Run(f"r{number}", "bench", "m", "", "", started_wall_ns, started_wall_ns))
        for start in range(first, min(first + a_run, rows + 1), _AT_ONCE):
            count = min(_AT_ONCE, first + a_run - start, rows + 1 - start)
            store.append([make_row(one, begun) for one in parts(begun.run.run, count, start, _PER_S)])
        say(f"{min(first + a_run - 1, rows)} of {rows} records after {time.perf_counter() - began_s:.0f} s")
    for number, subject in enumerate(range(1, rows + 1, _REVIEWED)):
        review = Entry(EntryKind.REVIEW, str(subject), _REVIEWERS[number % len(_REVIEWERS)], number)
        store.append_note(review)
    store.close()
    return folder


def _kinds(rows: int) -> dict[str, Search]:
    middle_ns = round(rows / 2 / _PER_S * SECOND_NS)
    return {
        "newest": Search(),
        "lot": Search(lot=f"L-{rows // 40_000:05d}"),
        "serial number": Search(serial=f"r{_RUNS // 2}-{rows // 2 + 1:09d}"),
        "an hour in the middle": Search(since_wall_ns=middle_ns, until_wall_ns=middle_ns + 3600 * SECOND_NS),
        "reason": Search(reason=Reason.MODEL),
        "rejected": Search(verdict=Verdict.REJECT),
        "type of defect": Search(defect_class="dent", verdict=Verdict.REJECT),
        "score from 0.9": Search(min_score=0.9),
        "score 0.2 to 0.5": Search(min_score=0.2, max_score=0.5),
        "reviewer": Search(reviewer=_REVIEWERS[0]),
        "reason in an old run": Search(reason=Reason.MODEL, run="r1"),
        "reviewer in an old run": Search(reviewer=_REVIEWERS[0], run="r1"),
        "reviewer's rejected": Search(reviewer=_REVIEWERS[0], verdict=Verdict.REJECT),
        "a thin band of scores": Search(min_score=0.01, max_score=0.010001),
        "not decidable, which none is": Search(evaluation=Evaluation.NOT_DECIDABLE),
        "passed, but not OK, which none is": Search(verdict=Verdict.PASS, evaluation=Evaluation.NOT_OK),
    }


def _searches(folder: Path, rows: int) -> list[dict[str, Any]]:
    found = []
    for name, search in _kinds(rows).items():
        gc.collect()  # what making the one before left is no part of this search
        _forget(folder / DATABASE_FILE)
        reader = RecordReader(folder)
        _, first_ms = _call(reader, search, _PAGE, None)
        page, again_ms = _call(reader, search, _PAGE, None)
        hits, taken_ms = len(page.records), [again_ms]
        while page.behind is not None and hits < _PAGE:
            page, took_ms = _call(reader, search, _PAGE - hits, page.behind)
            hits += len(page.records)
            taken_ms.append(took_ms)
        reader.close()
        database = open_for_reading(folder)
        plan = _plan(database, search)
        database.dispose()
        times = {"first_ms": first_ms, "again_ms": again_ms, "calls": len(taken_ms), "worst_ms": max(taken_ms)}
        found.append({"search": name, "hits": hits, **times, "plan": plan})
    return found


def _call(reader: RecordReader, search: Search, limit: int, behind: int | None) -> tuple[FoundPage, float]:
    """Ask once, as the API does, and return what was found, and the milliseconds that it took."""
    began_s = time.perf_counter()
    page = reader.search_for(search, within_s=PAGE_S, limit=limit, before_sequence=behind)
    return page, round((time.perf_counter() - began_s) * 1e3, 1)


def _forget(file: Path) -> None:
    """Ask the system to drop what it holds of a file in memory; where it cannot, the first time is a later one."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def _plan(database: Engine, search: Search) -> str:
    """Return SQLite's own words about the way, each step once."""
    options = {"literal_binds": True}
    query = str(statement(search, Page(_PAGE)).compile(dialect=sqlite.dialect(), compile_kwargs=options))
    with database.connect() as connection:
        steps = [str(row[-1]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")]
    return "; ".join(dict.fromkeys(steps))
