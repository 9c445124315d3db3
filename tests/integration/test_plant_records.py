"""Records on their way to a real PostgreSQL that stops, hangs, refuses, or holds something else: none is lost."""

from __future__ import annotations

import contextlib
import random
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres import Postgres, postgres
from searched_store import a_part, fill_searched
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError
from station_runs import wait_until

from inspection.plant.copy import PlantCopy, open_database
from inspection.plant.database import PlantDatabase
from inspection.plant.errors import PlantAwayError
from inspection.plant.forwarding import Forwarding, Waiting
from inspection.plant.loop import CopyLoop
from inspection.plant.options import PlantOptions
from inspection.plant.progress import RECORDS_FILE, read_progress
from inspection.records.entries import Entry, EntryKind
from inspection.records.errors import RecordLostError, RecordStoreError
from inspection.records.postgresql import connect_postgresql
from inspection.records.reader import RecordReader
from inspection.records.record import Run
from inspection.records.replica import Replica
from inspection.records.store import RecordStore, make_row
from inspection.records.tables import RECORDS, REMOVED_IMAGES
from inspection.records.verify import verify_copy

TIMEOUT_S = 2.0


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture
def schema() -> str:
    return f"s_{uuid.uuid4().hex}"


@pytest.fixture
def database(server: Postgres, schema: str) -> Iterator[PlantDatabase]:
    database = PlantDatabase(server.url, schema, lambda: None, TIMEOUT_S)
    yield database
    database.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fill_searched(tmp_path / "records")
    return tmp_path / "records"


def drain(work: Forwarding) -> None:
    while work.step():
        pass


class Line:
    """A station that records all the time, on a thread of its own: parts, and an entry to each tenth."""

    def __init__(self, folder: Path, run: str = "live") -> None:
        self.parts = 0
        self._store = RecordStore(folder)
        self._run = self._store.begin_run(Run(run, "s", "m", "", "", 1, 0))
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._record)
        self._thread.start()

    def _record(self) -> None:
        chance = random.Random(1)
        while not self._over.wait(0.002):
            self.parts += 1
            self._store.append([make_row(a_part(9, self.parts, chance), self._run)])
            if self.parts % 10 == 0:
                self._store.append_note(Entry(EntryKind.REVIEW, str(self.parts), "kim", self.parts))

    def more(self, parts: int) -> None:
        """Wait until so many more are recorded."""
        wanted = self.parts + parts
        wait_until(lambda: self.parts >= wanted, 60.0)

    def stop(self) -> None:
        self._over.set()
        self._thread.join()
        self._store.close()


def same_in_both(folder: Path, engine: Engine) -> None:
    """Hold the copy against the store: its own proof, and row by row."""
    assert verify_copy(folder, engine).problems == []
    here, there = RecordReader(folder), RecordReader(folder, engine)
    assert there.after(0, 100_000) == here.after(0, 100_000)
    assert there.entries(limit=100_000) == here.entries(limit=100_000)
    here.close()
    there.close()


def active(server: Postgres) -> int:
    """Return how many of a station's statements the server works on, or has waiting for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'lineward' AND state = 'active'"
    with connect_postgresql(server.url, "public").connect() as connection:
        return int(connection.execute(text(query)).scalar_one())


@pytest.mark.parametrize("way", ["shut down", "killed", "hanging"])
def test_a_database_that_is_away_gets_everything_in_order_afterwards(
    way: str, folder: Path, server: Postgres, database: PlantDatabase
) -> None:
    """Twice, while parts flow: what waits grows on the disk alone, and is gone after the server is back."""
    line, work = Line(folder), Forwarding(folder, database)
    loop = CopyLoop(work, backoff_last_s=1.0)
    try:
        for _ in range(2):
            line.more(300)
            wait_until(lambda: not loop.state.trouble and work.waiting().rows < 200, 30.0)
            copied, failures = work.copied, loop.failures
            with contextlib.ExitStack() as away:
                if way == "hanging":
                    away.enter_context(server.frozen())
                else:
                    (server.stop if way == "shut down" else server.kill)()
                    away.callback(server.restart)
                wait_until(lambda failed=failures: loop.failures >= failed + 2, 30.0)
                line.more(300)
                assert loop.state.trouble
                assert work.waiting().records > 300 - 256
                assert work.copied < copied + 512
    finally:
        line.stop()
    wait_until(lambda: work.waiting().rows == 0 and not loop.state.trouble, 60.0)
    loop.close()
    with database.within(60.0) as engine:
        same_in_both(folder, engine)
        assert Replica(engine).newest(RECORDS) == 450 + line.parts
    database.close()


def test_no_call_takes_longer_than_allowed_whatever_hangs(
    folder: Path, server: Postgres, database: PlantDatabase
) -> None:
    """A server that hangs in the middle of a connection, and one that hangs before it; a row that somebody locks."""
    work = Forwarding(folder, database)
    work.step()
    with server.frozen():
        for _ in range(2):
            began_s = time.monotonic()
            with pytest.raises(OperationalError):
                work.step()
            assert time.monotonic() - began_s < 3 * TIMEOUT_S
    work.let_go()
    drain(work)
    Line(folder).stop()
    with connect_postgresql(server.url, "public").connect() as other:
        other.execute(text(f"LOCK TABLE {database.place.split()[-1]}.runs IN ACCESS EXCLUSIVE MODE"))
        for _ in range(3):
            with pytest.raises(OperationalError, match=r"statement timeout|terminat|closed|SSL|lost"):
                work.step()
            work.let_go()
        wait_until(lambda: active(server) == 0, 2 * TIMEOUT_S)
        other.rollback()
    drain(work)
    work.close()
    same_in_both(folder, database.engine)


def test_a_wrong_password_is_said_and_a_new_one_taken_without_a_restart(
    folder: Path, server: Postgres, schema: str, tmp_path: Path
) -> None:
    """The password comes from a file at each connection, and is in no error's text."""
    with connect_postgresql(server.url, "public").begin() as connection:
        connection.execute(text(f"CREATE USER {schema} PASSWORD 'right one'"))
        connection.execute(text(f"GRANT CREATE ON DATABASE postgres TO {schema}"))
    with server.asking_for_passwords():
        password = tmp_path / "password"
        url = server.url.replace("postgres@", f"{schema}@")
        options = PlantOptions(postgresql=url, schema=schema, password_file=password, timeout_s=TIMEOUT_S)
        work = Forwarding(folder, database := open_database(options, "s"))
        with pytest.raises(PlantAwayError, match="cannot be read"):
            work.step()
        password.write_text("wrong one\n")
        with pytest.raises(OperationalError, match="password authentication failed") as refused:
            work.step()
        assert "wrong one" not in str(refused.value)
        password.write_text("right one\n")
        drain(work)
        same_in_both(folder, database.engine)
        work.close()


def test_a_schema_that_is_there_needs_no_right_to_make_one(folder: Path, server: Postgres, schema: str) -> None:
    """What an administrator gives who gives little: a schema of its own, and nothing else."""
    with connect_postgresql(server.url, "public").begin() as connection:
        connection.execute(text(f"CREATE USER {schema}"))
        connection.execute(text(f"CREATE SCHEMA {schema} AUTHORIZATION {schema}"))
    database = PlantDatabase(server.url.replace("postgres@", f"{schema}@"), schema, lambda: None, TIMEOUT_S)
    work = Forwarding(folder, database)
    drain(work)
    same_in_both(folder, database.engine)
    work.close()


def test_a_schema_that_is_somebody_elses_is_left_as_it_is(
    folder: Path, server: Postgres, schema: str, database: PlantDatabase
) -> None:
    """A table of another program with the name of ours: refused, by name, and untouched."""
    with connect_postgresql(server.url, "public").begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
        connection.execute(text(f"CREATE TABLE {schema}.records (vinyl text)"))
    work = Forwarding(folder, database)
    with pytest.raises(RecordStoreError, match=schema):
        work.step()
    work.close()
    with connect_postgresql(server.url, schema).connect() as connection:
        names = connection.execute(text(f"SELECT tablename FROM pg_tables WHERE schemaname = '{schema}'")).scalars()
        assert list(names) == ["records"]


@pytest.mark.parametrize("parts", [3, 2000])
def test_another_stations_copy_is_never_written_to(
    parts: int, folder: Path, tmp_path: Path, database: PlantDatabase
) -> None:
    """Shorter or longer than this store: what is there stays as it is, in each book."""
    other = tmp_path / "other"
    line = Line(other)
    line.more(parts)
    line.stop()
    first = Forwarding(other, database)
    drain(first)
    first.close()
    work = Forwarding(folder, database)
    for _ in range(2):
        with pytest.raises(RecordLostError, match="name another schema"):
            work.step()
        work.let_go()
    work.close()
    same_in_both(other, database.engine)


def test_a_copy_put_back_from_a_backup_is_filled_up_again(
    folder: Path, server: Postgres, schema: str, database: PlantDatabase
) -> None:
    """The plant's database lost its newest rows: the next attempt goes on from what is there."""
    work = Forwarding(folder, database)
    drain(work)
    with database.engine.begin() as connection:
        for table, key in (("removed_images", "sequence"), ("entries", "sequence"), ("records", "sequence")):
            connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
            connection.execute(text(f"DELETE FROM {table} WHERE {key} > 100"))
            connection.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))
    Line(folder).stop()
    line = Line(folder)
    line.more(5)
    line.stop()
    with pytest.raises(RecordLostError, match="ends at 100"):
        drain(work)
    work.let_go()
    drain(work)
    same_in_both(folder, database.engine)
    work.close()


def test_marks_of_removed_images_follow_in_any_order(
    folder: Path, database: PlantDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those of records far behind the newest, and only those whose record is there."""
    monkeypatch.setattr("inspection.plant.forwarding._MARKS_S", 0.0)
    work = Forwarding(folder, database)
    drain(work)
    for marked in ((7, 300), (2,), (450,)):
        store = RecordStore(folder)
        with store.transaction() as connection:
            rows = [{"sequence": one, "verdict": "PASS", "removed_wall_ns": 5} for one in marked]
            connection.execute(REMOVED_IMAGES.insert(), rows)
        store.close()
        wait_until(lambda now=set(marked): not work.step() and _marks(database.engine) >= now)
    assert _marks(database.engine) == {2, 7, 9, 300, 450}
    work.close()


def _marks(engine: Engine) -> set[int]:
    with engine.connect() as connection:
        return set(connection.execute(text("SELECT sequence FROM removed_images")).scalars())


def test_what_waits_is_known_before_the_plant_answers(folder: Path, server: Postgres, schema: str) -> None:
    """After a restart while the plant is away, by what was kept beside the store; for another place nothing counts."""
    database = PlantDatabase(server.url, schema, lambda: None, TIMEOUT_S)
    work = Forwarding(folder, database)
    assert work.waiting() == Waiting(records=450, challenges=1, entries=451, runs=3)
    drain(work)
    work.close()
    assert Forwarding(folder, database).waiting().rows == 0
    assert read_progress(folder / RECORDS_FILE) is not None
    elsewhere = PlantDatabase(server.url, "elsewhere", lambda: None, TIMEOUT_S)
    assert Forwarding(folder, elsewhere).waiting().rows == 905


def test_somebody_is_told_after_a_while_and_no_longer(folder: Path, server: Postgres, schema: str) -> None:
    """The alarm says how many wait, since when and why; the figures say so at once."""
    told: list[tuple[str, str]] = []
    options = PlantOptions(postgresql=server.url, schema=schema, timeout_s=1, alarm_after_s=0)
    reader = RecordReader(folder)
    server.stop()
    copy = PlantCopy(options, "s", folder, reader, lambda name, detail: told.append((name, detail)))
    try:
        wait_until(lambda: bool(told))
        name, detail = told[0]
        assert name == "RECORDS_NOT_FORWARDED"
        assert detail.startswith("905 wait, since 20")
        assert "connect" in detail
        assert copy.counters()["plant_records_connected"] == 0
        server.start()
        wait_until(lambda: told[-1] == (name, ""), 60.0)
        wait_until(lambda: copy.counters()["plant_records_waiting"] == 0)
        assert copy.counters()["plant_records_copied"] == 905
    finally:
        copy.close()
        reader.close()


def test_what_came_last_is_copied_when_the_station_ends(folder: Path, database: PlantDatabase) -> None:
    """A station that is shut down leaves nothing behind, where the plant answers."""
    work = Forwarding(folder, database)
    loop = CopyLoop(work)
    wait_until(lambda: work.waiting().rows == 0)
    line = Line(folder)
    line.more(3)
    line.stop()
    loop.close()
    assert work.waiting().rows == 0
