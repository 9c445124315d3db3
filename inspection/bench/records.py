"""How many records a second a station stores and a plant's PostgreSQL takes, beside bare loops of the same rows."""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine

from inspection.bench.cluster import cluster, server_programs
from inspection.bench.record_rows import parts
from inspection.plant.database import PlantDatabase
from inspection.plant.forwarding import ROWS_AT_ONCE, Forwarding
from inspection.plant.loop import CopyLoop
from inspection.records.options import RecordsOptions
from inspection.records.record import Run, StoredRecord
from inspection.records.replica import rows_after
from inspection.records.schema import open_for_reading
from inspection.records.store import RecordStore, make_row
from inspection.records.tables import RECORDS
from inspection.records.writer import RecordWriter

Say = Callable[[str], None]
_RUN = Run("bench", "bench", "model", "", "", 1, 0)
_LINE_PER_S = 1000.0
_BULK = 1000
_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Rate:
    """One round. core_us: processor time of this process for each row. per_group: rows that shared a commit."""

    per_s: float
    core_us: float
    per_group: float


class _Watch:
    """Takes both times of one round."""

    def __init__(self) -> None:
        self._began_s, self._core_s = time.perf_counter(), time.process_time()

    def rate(self, rows: int, per_group: float) -> Rate:
        taken_s, core_s = time.perf_counter() - self._began_s, time.process_time() - self._core_s
        return Rate(rows / taken_s, core_s / rows * 1e6, per_group)


def run(*, rows: int, rounds: int, postgresql: str, say: Say) -> dict[str, Any]:
    """Measure the store, then the copy, `rounds` times each between bare loops of the same rows; all with fsync.

    postgresql: the address of a server that may be written to; '' makes one of the machine's own programs. Ratios are
    medians over the rounds of our rate to the mean of the bare loop just before and just after it; `_core` ratios
    compare this process's time on a processor instead, which a neighbour on the machine hardly touches.
    """
    with tempfile.TemporaryDirectory(prefix="lineward-bench-") as name:
        folder = Path(name)
        result: dict[str, Any] = {"rows": rows, "sqlite": _sqlite(folder, rows, rounds, say)}
        programs = server_programs()
        if postgresql:
            result["postgresql"] = _postgresql(folder, postgresql, rows, rounds, say)
        elif programs is None:
            result["postgresql"] = "not run: no server here; give --postgresql, or apt-get install postgresql"
        else:
            with cluster(programs) as server:
                result["postgresql"] = _postgresql(folder, server.url, rows, rounds, say)
    return result


def _sqlite(folder: Path, rows: int, rounds: int, say: Say) -> dict[str, Any]:
    stored = [store_rows(folder / "store-0", rows)]  # the first warms up, and gives the rows of the bare loop
    cells = _cells(folder / "store-0", rows)
    group = max(1, round(stored[0].per_group))
    bare, stored = [bare_sqlite(folder / "bare-0", cells, group)], []
    for number in range(1, rounds + 1):
        stored.append(store_rows(folder / f"store-{number}", rows))
        bare.append(bare_sqlite(folder / f"bare-{number}", cells, group))
        say(f"SQLite {number}: station {stored[-1].per_s:.0f} records/s, bare loop {bare[-1].per_s:.0f}")
    return {"records_a_commit": group, **_beside(stored, bare)}


def _postgresql(folder: Path, url: str, rows: int, rounds: int, say: Say) -> dict[str, Any]:
    cells = _cells(folder / "store-0", rows)
    found: dict[str, Any] = {}
    for at_once in (ROWS_AT_ONCE, _BULK):
        bare, copied = [bare_postgresql(url, cells, at_once)], []
        for number in range(1, rounds + 1):
            copied.append(copy_rows(folder / "store-0", url, at_once))
            bare.append(bare_postgresql(url, cells, at_once))
            beside = f"copy {copied[-1].per_s:.0f} records/s, bare loop {bare[-1].per_s:.0f}"
            say(f"PostgreSQL {number}, {at_once} a commit: {beside}")
        found[f"{at_once}_a_commit"] = _beside(copied, bare)
    found["beside_the_line"] = _beside_the_line(folder, url, rows, say)
    return found


def _beside(ours: Sequence[Rate], bare: Sequence[Rate]) -> dict[str, Any]:
    around = list(pairwise(bare))
    ratios = [one.per_s / statistics.mean(two.per_s for two in pair) for one, pair in zip(ours, around, strict=True)]
    cores = [statistics.mean(two.core_us for two in pair) / one.core_us for one, pair in zip(ours, around, strict=True)]
    return {
        "records_per_s": round(statistics.median(one.per_s for one in ours)),
        "bare_per_s": round(statistics.median(one.per_s for one in bare)),
        "core_us": round(statistics.median(one.core_us for one in ours), 1),
        "bare_core_us": round(statistics.median(one.core_us for one in bare), 1),
        "to_bare": round(statistics.median(ratios), 3),
        "to_bare_rounds": [round(one, 3) for one in ratios],
        "to_bare_core": round(statistics.median(cores), 3),
    }


def store_rows(folder: Path, rows: int) -> Rate:
    """Hand results to a station's writer as fast as it takes them, and wait until the last one is durable."""
    writer = RecordWriter(RecordStore(folder), RecordsOptions(dir=folder, ok_sample=0, min_free_mb=0))
    writer.begin_run(_RUN)
    results = list(parts(_RUN.run, rows))
    watch = _Watch()
    for result in results:
        while not writer.submit(result):
            time.sleep(0.001)
    if not writer.flush(_TIMEOUT_S):
        raise TimeoutError(f"{folder}: {rows} records are not durable after {_TIMEOUT_S:g} s — use a quicker disk")
    rate = watch.rate(rows, rows / writer.counters()["record_commits"])
    writer.close(_TIMEOUT_S)
    return rate


def bare_sqlite(file: Path, cells: Sequence[tuple[Any, ...]], group: int) -> Rate:
    """Insert the same rows into one table without an index, with the same settings, and return rows a second."""
    database = sqlite3.connect(file, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    names = RECORDS.c.keys()
    database.execute(f"CREATE TABLE bare ({names[0]} INTEGER PRIMARY KEY, {', '.join(names[1:])})")
    insert = f"INSERT INTO bare VALUES ({', '.join('?' * len(names))})"
    watch = _Watch()
    for start in range(0, len(cells), group):
        database.execute("BEGIN IMMEDIATE")
        database.executemany(insert, cells[start : start + group])
        database.execute("COMMIT")
    rate = watch.rate(len(cells), group)
    database.close()
    return rate


def copy_rows(folder: Path, url: str, at_once: int) -> Rate:
    """Copy a store into an empty schema, as the forwarder does without its rests, and return rows a second."""
    database = PlantDatabase(url, "lineward_bench", lambda: None, _TIMEOUT_S)
    _drop(database.engine)
    work = Forwarding(folder, database, at_once)
    database.prepare()
    watch = _Watch()
    while work.step():
        pass
    rate = watch.rate(work.copied, at_once)
    work.close()
    _drop(database.engine)
    database.close()
    return rate


def bare_postgresql(url: str, cells: Sequence[tuple[Any, ...]], group: int) -> Rate:
    """Insert the same rows with bare psycopg into one table without an index, and return rows a second."""
    import psycopg

    kinds = ", ".join(f"{column.name} {_kind(column.type)}" for column in RECORDS.c)
    insert = f"INSERT INTO bare VALUES ({', '.join(['%s'] * len(RECORDS.c))})"
    with psycopg.connect(url) as database:
        database.execute("DROP TABLE IF EXISTS bare")
        database.execute(f"CREATE TABLE bare ({kinds}, PRIMARY KEY (sequence))")
        database.commit()
        watch = _Watch()
        for start in range(0, len(cells), group):
            with database.cursor() as cursor:
                cursor.executemany(insert, cells[start : start + group])
            database.commit()
        rate = watch.rate(len(cells), group)
        database.execute("DROP TABLE bare")
    return rate


def _beside_the_line(folder: Path, url: str, rows: int, say: Say) -> dict[str, Any]:
    """Store 1,000 parts a second while the forwarder drains a backlog, and without: from hand-over to durable."""
    alone = _latency_ms(folder / "alone", None, rows)
    database = PlantDatabase(url, "lineward_bench", lambda: None, _TIMEOUT_S)
    _drop(database.engine)
    with RecordStoreOf(folder / "beside") as store:
        begun = store.begin_run(_RUN)
        for start in range(0, 2 * rows, _BULK):
            store.append([make_row(one, begun) for one in parts(_RUN.run, _BULK, rows + 1 + start)])
    work = Forwarding(folder / "beside", database)
    beside = _latency_ms(folder / "beside", work, rows)
    say(f"beside {_LINE_PER_S:.0f} parts/s: {work.copied} rows were copied meanwhile")
    _drop(database.engine)
    database.close()
    return {
        "line_per_s": round(_LINE_PER_S),
        "alone": alone,
        "with_copying": beside,
        "copied_meanwhile": work.copied,
    }


class RecordStoreOf:
    """An open store for the length of a block."""

    def __init__(self, folder: Path) -> None:
        self._store = RecordStore(folder)

    def __enter__(self) -> RecordStore:
        return self._store

    def __exit__(self, *_: object) -> None:
        self._store.close()


def _latency_ms(folder: Path, work: Forwarding | None, rows: int) -> dict[str, float]:
    """Return how long a record takes from being handed in to being durable; `work` copies meanwhile and is closed."""
    writer = RecordWriter(RecordStore(folder), RecordsOptions(dir=folder, ok_sample=0, min_free_mb=0))
    handed_ns: dict[int, int] = {}
    taken_ns: list[int] = []
    over = threading.Event()

    def durable(records: list[StoredRecord]) -> None:
        now_ns = time.perf_counter_ns()
        taken_ns.extend(now_ns - handed_ns[record.part] for record in records)
        if len(taken_ns) >= rows:
            over.set()

    writer.on_durable(durable)
    writer.begin_run(_RUN)
    loop = None if work is None else CopyLoop(work)
    began_s = time.perf_counter()
    for number, result in enumerate(parts(_RUN.run, rows)):
        time.sleep(max(began_s + number / _LINE_PER_S - time.perf_counter(), 0.0))
        handed_ns[result.part] = time.perf_counter_ns()
        writer.submit(result)
    over.wait(_TIMEOUT_S)
    if loop is not None:
        loop.close()
    writer.close(_TIMEOUT_S)
    taken_ms = np.array(taken_ns) * 1e-6
    return {f"p{percent}_ms": round(float(np.percentile(taken_ms, percent)), 1) for percent in (50, 99)}


def _cells(folder: Path, rows: int) -> list[tuple[Any, ...]]:
    database = open_for_reading(folder)
    try:
        return list(rows_after(database, RECORDS, 0, rows))
    finally:
        database.dispose()


def _kind(kind: Any) -> str:
    names = {"BIGINT": "bigint", "TEXT": "text", "BLOB": "bytea"}
    return names.get(str(kind).upper(), "double precision")


def _drop(database: Engine) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA IF EXISTS lineward_bench CASCADE")
