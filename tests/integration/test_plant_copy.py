"""A real `lineward run` whose plant goes away, hangs and comes back, and that is killed in the middle of copying."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
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
    toml,
    unjudged_passes,
)
from s3_server import BUCKET, KEY, SECRET, S3Server, s3_server
from sqlalchemy import inspect
from tiny_bundle import write_tiny_bundle

from inspection.api.errors import CallError
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
    """Copy what came last, with the command for it, and have all of it checked."""
    file = str(folder / "station.toml")
    commanded(folder, "records", "forward", "--once", file, "--json", expected=0)
    told = commanded(folder, "records", "verify-copy", "--images", file, "--json", expected=0)
    assert told["records"]["problem_count"] == 0
    assert told["images"]["images"] > 50


def commanded(folder: Path, *arguments: str, expected: int) -> dict[str, Any]:
    """Run a command of ours there to its end, and return what it printed."""
    program = [sys.executable, "-m", "inspection.cli.main", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    run = subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    assert run.returncode == expected, run.stdout + run.stderr
    told: dict[str, Any] = json.loads(run.stdout)
    return told


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


def test_a_client_gets_an_image_that_only_the_plant_has(tmp_path: Path, server: Postgres, objects: S3Server) -> None:
    """Gone from the station's disk, it comes from S3 as it was; while S3 is away the client is told so."""
    with relay_board() as board, RealRun(tmp_path, values_of(tmp_path, board, server, objects, "fetched")) as station:
        station.wait_more("records", 10)
        station.wait_counter("plant_images_copied", 3)
        with station.client() as client:
            reader = RecordReader(tmp_path / "records")
            first = next(one for one in reader.after(0, 100) if one.has_image)
            reader.close()
            before = client.image(first.sequence)
            (tmp_path / "records" / first.image_file).unlink()
            assert client.image(first.sequence) == before
            objects.kill()
            with pytest.raises(CallError) as refused:
                client.image(first.sequence)
            assert (refused.value.code, refused.value.reason) == (grpc.StatusCode.UNAVAILABLE, "PLANT_AWAY")
            objects.start()
        assert station.end() == 0


def test_check_and_doctor_say_what_keeps_the_copy_from_working(
    tmp_path: Path, server: Postgres, objects: S3Server
) -> None:
    """With the sentence of the server, without a secret; it keeps no station from running, and changes nothing."""
    with relay_board() as board:
        values = values_of(tmp_path, board, server, objects, "looked_at")
        file = tmp_path / "station.toml"
        file.write_text(toml(values))
        found = commanded(tmp_path, "doctor", "plant", str(file), "--json", expected=0)
        assert [one["level"] for one in found["findings"]] == ["ok", "ok"]
        assert objects.objects().get("looked_at/lineward-doctor") is None
        for images, said in (("s3://nobucket/x", "NoSuchBucket"), (f"file://{tmp_path}/share", "mount the share")):
            elsewhere = {**values, "plant": {**values["plant"], "images": images}}
            file.write_text(toml(elsewhere))
            found = commanded(tmp_path, "doctor", "plant", str(file), "--json", expected=1)
            assert [one["level"] for one in found["findings"]] == ["ok", "problem"]
            assert said in found["findings"][1]["found"]
        values["plant"]["password_env"] = "NO_SUCH_VARIABLE"
        (tmp_path / "secret").write_text(f"{KEY}\nwrong-{SECRET}\n")
        file.write_text(toml(values))
        found = commanded(tmp_path, "doctor", "plant", str(file), "--json", expected=1)
        assert [one["level"] for one in found["findings"]] == ["problem", "problem"]
        assert "NO_SUCH_VARIABLE" in found["findings"][0]["found"]
        assert SECRET not in json.dumps(found)
        checked = commanded(tmp_path, "config", "check", str(file), "--json", expected=0)
        assert len([note for note in checked["advice"] if note.startswith("plant's")]) == 2
    database = connect_postgresql(server.url, "looked_at")
    with database.connect() as connection:
        assert not inspect(connection).has_schema("looked_at")
    database.dispose()


def test_a_password_in_the_file_is_refused_and_one_beside_it_is_in_no_bundle(
    tmp_path: Path, server: Postgres, objects: S3Server
) -> None:
    """By the key's name, without the password; what is packed for support has neither file nor secret."""
    with relay_board() as board:
        values = values_of(tmp_path, board, server, objects, "bundled")
        (tmp_path / "password").write_text("pa55word-of-the-database\n")
        values["plant"]["password_file"] = tmp_path / "password"
        file = tmp_path / "station.toml"
        file.write_text(toml(values))
        commanded(tmp_path, "support-bundle", str(file), "--out", "b.zip", "--json", expected=0)
        with zipfile.ZipFile(tmp_path / "b.zip") as bundle:
            packed = b"".join(bundle.read(name) for name in bundle.namelist())
        assert b"bundled" in packed
        assert b"pa55word" not in packed
        assert SECRET.encode() not in packed
        values["plant"]["postgresql"] = "postgresql://kim:pa55word@db.example/lineward"
        file.write_text(toml(values))
        refused = commanded(tmp_path, "config", "check", str(file), "--json", expected=2)
        assert "plant.postgresql" in refused["error"]
        assert "pa55word" not in json.dumps(refused)
