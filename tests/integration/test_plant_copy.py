"""A real `lineward run` whose plant goes away, hangs and comes back, and that is killed in the middle of copying."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bright_belt import belt
from postgres import Postgres, postgres
from real_run import (
    REPOSITORY,
    RealRun,
    crossings_missed,
    promises_broken,
    read_records,
    relay_board,
    station_values,
    unjudged_passes,
)
from s3_server import BUCKET, KEY, SECRET, S3Server, s3_server
from tiny_bundle import write_tiny_bundle

from inspection.ejector.simulated import SimulatedBoard
from inspection.records.postgresql import connect_postgresql
from inspection.records.reader import RecordReader
from inspection.records.verify import verify_copy

RATE_HZ = 20.0
ALARMS = {"RECORDS_NOT_FORWARDED", "IMAGES_NOT_FORWARDED"}


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as running:
        yield running


def values_of(
    folder: Path, board: SimulatedBoard, server: Postgres, objects: S3Server, schema: str, **records: Any
) -> dict[str, Any]:
    """A station on that board, with its copy in that database and that bucket."""
    (folder / "secret").write_text(f"{KEY}\n{SECRET}\n")
    plant = {
        "postgresql": server.url, "schema": schema, "images": f"s3://{BUCKET}/{schema}", "endpoint": objects.endpoint,
        "secret_file": folder / "secret", "timeout_s": 2, "alarm_after_s": 1,
    }  # fmt: skip
    return station_values(
        folder, write_tiny_bundle(folder / "tiny"), board, plant=plant, records=records,
        camera={"backend": "replay", "path": belt(folder / "parts"), "truth_from_folder": True, "rate_hz": RATE_HZ,
                "loop": True},
    )  # fmt: skip


def drained(status: dict[str, Any]) -> bool:
    counted = status["counters"]
    return counted.get("plant_records_waiting", 9999) < 60 and counted.get("plant_images_waiting", 9999) < 60


def copied_by_hand(folder: Path) -> None:
    """Copy what came last, with the command for it."""
    command = [sys.executable, "-m", "inspection.cli.main", "records"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    for arguments in (["forward", "--once"], ["verify-copy", "--images"]):
        program = [*command, *arguments, str(folder / "station.toml"), "--json"]
        run = subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, run.stdout + run.stderr
    assert json.loads(run.stdout)["records"]["problem_count"] == 0
    assert json.loads(run.stdout)["images"]["images"] > 50


def whole(folder: Path, server: Postgres, objects: S3Server, schema: str) -> None:
    """Hold both copies against the station's own store."""
    database = connect_postgresql(server.url, schema)
    assert verify_copy(folder, database).problems == []
    here, there = RecordReader(folder), RecordReader(folder, database)
    records = here.after(0, 100_000)
    assert there.after(0, 100_000) == records
    for reader in (here, there):
        reader.close()
    expected = {
        f"{schema}/{one.station}/{one.image_file}": (folder / one.image_file).read_bytes()
        for one in records
        if one.image_file
    }
    assert len(expected) > 50
    assert {key: data for key, data in objects.objects().items() if key.startswith(f"{schema}/")} == expected


def test_fault_plant_away(tmp_path: Path, server: Postgres, objects: S3Server) -> None:
    """Database and S3 go while parts flow: the line goes on, somebody is told, and everything follows in order."""
    with relay_board() as board:
        values = values_of(tmp_path, board, server, objects, "away")
        with RealRun(tmp_path, values) as station:
            station.wait_more("records", 40)
            station.wait(drained)
            server.stop()
            objects.kill()
            told = station.wait(lambda status: set(status["alarms"]) >= ALARMS)
            assert told["state"] == "CONTINUOUS_EXECUTION"
            station.wait_more("passed", 40)
            server.start()
            objects.start()
            back = station.wait(lambda status: not ALARMS & set(status["alarms"]) and drained(status), 120.0)
            assert back["counters"]["plant_records_failures"] > 0
            assert back["counters"]["plant_images_lost"] == 0
            assert station.end() == 0
        records = read_records(tmp_path / "records")
        assert crossings_missed(records, RATE_HZ) == []
        assert unjudged_passes(records) == []
        assert promises_broken(len(records), records, board) == []
    copied_by_hand(tmp_path)
    whole(tmp_path / "records", server, objects, "away")


def test_a_station_killed_while_it_copies_goes_on_where_the_copy_ends(
    tmp_path: Path, server: Postgres, objects: S3Server
) -> None:
    """Five times with kill -9, each with a backlog in the middle of its way: no row twice, none left out."""
    with relay_board() as board:
        values = values_of(tmp_path, board, server, objects, "killed")
        server.stop()
        for number in range(5):
            with RealRun(tmp_path, values) as station:
                station.wait_more("records", 40)
                if number == 0:
                    server.start()
                copied = station.wait_counter("plant_records_copied", 1)["counters"]["plant_records_copied"]
                assert copied > 0
                station.send(signal.SIGKILL)
                station.process.wait(10.0)
        with RealRun(tmp_path, values) as station:
            station.wait_more("records", 5)
            station.wait(drained)
            assert station.end() == 0
        assert read_records(tmp_path / "records")
    copied_by_hand(tmp_path)
    whole(tmp_path / "records", server, objects, "killed")
