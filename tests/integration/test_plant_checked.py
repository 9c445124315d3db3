"""The copy of the records as a plant's engineer checks it: cut, emptied, behind, or never begun; each is said."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from postgres import Postgres, postgres
from searched_store import a_part, fill_searched
from sqlalchemy import Engine, text
from station_runs import wait_until
from typer.testing import CliRunner

from inspection.cli.main import app
from inspection.config import StationConfig, load_config
from inspection.plant.by_hand import check_records, copy_now, status
from inspection.plant.copy import PlantCopy
from inspection.plant.database import PlantDatabase
from inspection.plant.forwarding import Forwarding
from inspection.plant.loop import CopyLoop
from inspection.records.images import keep_image
from inspection.records.postgresql import connect_postgresql
from inspection.records.reader import RecordReader
from inspection.records.record import Run
from inspection.records.store import RecordStore, make_row
from inspection.records.tables import REMOVED_IMAGES
from inspection.records.verify import verify_copy

ROWS = 905
STATION = """
[camera]
backend = "simulated"
[geometry]
travel_time_s = 1.0
[ejector]
driver = "simulated"
[records]
dir = "{folder}"
[plant]
postgresql = "{url}"
schema = "{schema}"
timeout_s = 2
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture
def file(tmp_path: Path, server: Postgres) -> Path:
    """A station's file whose store has 450 records, and a schema of its own."""
    fill_searched(tmp_path / "records")
    file = tmp_path / "station.toml"
    schema = f"s_{uuid.uuid4().hex}"
    file.write_text(STATION.format(folder=tmp_path / "records", url=server.url, schema=schema))
    return file


@pytest.fixture
def config(file: Path) -> StationConfig:
    return load_config(file)


@pytest.fixture
def there(config: StationConfig) -> Iterator[Engine]:
    """The schema as its administrator reaches it."""
    assert config.plant.postgresql is not None
    engine = connect_postgresql(config.plant.postgresql, config.plant.schema_of(config.station.name))
    yield engine
    engine.dispose()


def commanded(*arguments: str) -> tuple[int, str]:
    run = CliRunner().invoke(app, list(arguments))
    return run.exit_code, run.output


def cut(there: Engine, **behind: int) -> None:
    """Delete the newest rows of some books, as one who may switch the triggers off."""
    with there.begin() as connection:
        for table, number in behind.items():
            connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
            connection.execute(text(f"DELETE FROM {table} WHERE sequence > {number}"))
            connection.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))


def forwarding(config: StationConfig) -> Forwarding:
    assert config.plant.postgresql is not None
    schema = config.plant.schema_of(config.station.name)
    return Forwarding(config.records.dir, PlantDatabase(config.plant.postgresql, schema, lambda: None, 2.0))


def test_a_copy_that_was_cut_at_its_end_is_no_intact_one(file: Path, config: StationConfig, there: Engine) -> None:
    """Both commands say how many rows are gone, and one command makes it whole."""
    copy_now(config, lambda *_: None)
    assert commanded("records", "verify-copy", str(file))[0] == 0
    cut(there, entries=428, removed_images=412, challenges=0, records=412)
    exit_code, told = commanded("records", "verify-copy", str(file))
    assert exit_code == 1
    assert "the copy lacks 38 records (0 wait to be copied): 38 it had are gone" in told
    assert "the copy lacks 23 entries (0 wait to be copied): 23 it had are gone" in told
    assert "intact" not in told
    found = status(config)["records"]
    assert found.gone >= 38 + 23
    assert found.waiting >= found.gone
    assert "are gone at the plant" in commanded("records", "forward", str(file))[1]
    exit_code, told = commanded("records", "forward", "--once", str(file))
    assert exit_code == 0
    assert f"{found.gone} rows that were copied before had vanished" in told
    assert f"{found.gone} copied now, 0 wait" in told
    assert commanded("records", "verify-copy", str(file))[0] == 0
    assert status(config)["records"].gone == 0


def test_rows_that_only_wait_are_counted_and_are_no_fault(file: Path, config: StationConfig, there: Engine) -> None:
    """The copy is behind, as it was never further."""
    work = forwarding(config)
    work._rows_at_once = 100
    work.step()
    work.close()
    exit_code, told = commanded("records", "verify-copy", str(file))
    assert exit_code == 0
    assert "the copy lacks 350 records (350 wait to be copied)" in told
    assert "intact as far as it goes" in told


def test_a_running_forwarder_notices_what_vanished(
    config: StationConfig, there: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no new part to copy: it counts the rows, tells of them, and copies them again; also a dropped schema."""
    monkeypatch.setattr("inspection.plant.forwarding._LOOK_S", 0.0)
    told: list[tuple[str, str]] = []
    reader = RecordReader(config.records.dir)
    copy = PlantCopy(config.plant, "s", config.records.dir, reader, lambda *one: told.append(one))
    try:
        wait_until(lambda: copy.counters()["plant_records_copied"] == ROWS)
        cut(there, entries=400, challenges=0)
        gone = 451 - 400 + 1
        wait_until(lambda: copy.counters()["plant_records_vanished"] == gone)
        alarm = ("RECORDS_NOT_FORWARDED", f"{gone} rows that were copied vanished at the plant: they are copied again")
        wait_until(lambda: alarm in told)
        wait_until(lambda: copy.counters()["plant_records_copied"] == ROWS + gone)
        with there.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {config.plant.db_schema} CASCADE"))
        wait_until(lambda: copy.counters()["plant_records_vanished"] == gone + ROWS, 30.0)
        wait_until(lambda: copy.counters()["plant_records_copied"] == 2 * ROWS + gone, 30.0)
    finally:
        copy.close()
        reader.close()
    assert verify_copy(config.records.dir, there).problems == []
    assert check_records(config)[0].ok


def test_nothing_copied_yet_is_a_sentence_and_never_has_a_time(file: Path, config: StationConfig) -> None:
    """Before the first copy, and after attempts that failed: 'never copied', and the command that copies."""
    exit_code, told = commanded("records", "verify-copy", str(file))
    assert exit_code == 1
    assert "nothing is copied" in told
    assert "lineward records forward --once FILE" in told
    assert "relation" not in told
    away = file.with_name("away.toml")
    away.write_text(file.read_text().replace("postgresql://postgres@", "postgresql://nobody@"))
    assert away.read_text() != file.read_text()
    assert commanded("records", "forward", "--once", str(away))[0] == 1
    exit_code, told = commanded("records", "forward", str(away), "--json")
    assert (exit_code, json.loads(told)["records"]["last_wall_ns"]) == (0, 0)
    assert "never copied" in commanded("records", "forward", str(away))[1]


def test_marks_of_removed_images_go_along_when_the_station_ends(config: StationConfig, there: Engine) -> None:
    """However long ago the last look at them was; and one that did not is known from the station's own store."""
    work = forwarding(config)
    loop = CopyLoop(work)
    wait_until(lambda: work.waiting().rows == 0)
    wait_until(lambda: work._marks >= 0)
    work._marks_at_host_s = float("inf")
    mark(config, 300)
    loop.close()
    with there.connect() as connection:
        assert 300 in set(connection.execute(text("SELECT sequence FROM removed_images")).scalars())


def test_an_image_that_the_budget_took_is_not_missing_before_its_mark_is_copied(
    config: StationConfig, there: Engine
) -> None:
    """The store beside the images knows; one that went without a mark is named."""
    store = RecordStore(config.records.dir)
    run = store.begin_run(Run("late", "s", "m", "", "", 1, 0))
    image = keep_image(config.records.dir, "late", 1, np.zeros((8, 8), np.uint8), "png")
    assert image is not None
    store.append([make_row(a_part(0, 1, random.Random(1)), run, image)])
    store.close()
    copy_now(config, lambda *_: None)
    (config.records.dir / image.file).unlink()
    assert ["is missing" in one.text for one in check_records(config)[0].problems] == [True]
    mark(config, 451)
    report, books = check_records(config)
    assert report.ok
    assert books[-1].lacks == 1


def mark(config: StationConfig, sequence: int) -> None:
    store = RecordStore(config.records.dir)
    with store.transaction() as connection:
        connection.execute(REMOVED_IMAGES.insert(), [{"sequence": sequence, "verdict": "PASS", "removed_wall_ns": 5}])
    store.close()


@pytest.mark.parametrize("command", ["forward", "verify-copy"])
def test_help_names_the_table(command: str) -> None:
    """Brackets and all."""
    assert "[plant]" in commanded("records", command, "--help")[1]
