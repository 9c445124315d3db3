"""What an auditor gets of a real station: signatures whatever the clock does, and backups while it runs, each whole."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from challenged import a_result
from real_run import TIMEOUT_S, RealRun, relay_board, station_values
from station_runs import wait_until
from stepped_clock import SteppedClock
from tiny_bundle import write_tiny_bundle
from typer.testing import CliRunner

from inspection.cli.main import app
from inspection.recipes.changes import REQUEST_FOLDER
from inspection.records.backup import MANIFEST_FILE
from inspection.records.entries import EntryKind
from inspection.records.errors import HoldError
from inspection.records.images import keep_image
from inspection.records.reader import RecordReader
from inspection.records.record import Run
from inspection.records.requests import ask
from inspection.records.schema import DATABASE_FILE
from inspection.records.signing import KEY_FILE, PUBLIC_KEY_FILE, SigningKey
from inspection.records.store import RecordStore, make_row
from inspection.records.verify import verify

EVERY_SECOND_H = 1 / 3600


def said(*words: str) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(app, ["records", *words, "--json"])
    return result.exit_code, json.loads(result.stdout) if result.stdout.strip() else {"error": str(result.exception)}


def signatures(folder: Path) -> list[dict[str, Any]]:
    reader = RecordReader(folder)
    try:
        return [dict(one.entry.content) for one in reader.entries(kind=EntryKind.SIGNATURE, limit=10_000)]
    finally:
        reader.close()


@pytest.fixture
def values(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A station on a simulated belt that keeps every image and signs every second."""
    bundle = write_tiny_bundle(tmp_path / "tiny")
    with relay_board() as board:
        yield station_values(
            tmp_path,
            bundle,
            board,
            camera={"backend": "simulated", "speed_mm_s": 600.0, "pitch_mm": 60.0},
            records={"sign_every_hours": EVERY_SECOND_H, "ok_sample": 1},
        )


def test_a_running_station_signs_whatever_its_clock_does_and_signs_its_end(
    tmp_path: Path, values: Mapping[str, Any]
) -> None:
    """Signatures come every second although the clock is set back an hour; after an orderly end nothing is unsigned,
    and after a kill the next start signs what was left.
    """
    clock = SteppedClock(tmp_path)
    folder = Path(values["records"]["dir"])
    with RealRun(tmp_path, values, environment=clock.environment) as station:
        station.wait_more("records", 5)
        wait_until(lambda: len(signatures(folder)) >= 2, TIMEOUT_S)
        before = len(signatures(folder))
        clock.step(-3600)
        wait_until(lambda: len(signatures(folder)) >= before + 3, TIMEOUT_S)
        assert station.end() == 0
    times = [one["wall_ns"] for one in signatures(folder)]
    assert min(b - a for a, b in pairwise(times)) < -3500 * 10**9
    code, told = said("verify", "--dir", str(folder), "--public-key", str(folder / PUBLIC_KEY_FILE))
    assert (code, told["problems"]) == (0, [])
    assert told["signed"]["records"] == told["records"] > 0
    assert told["signed"]["entries"] == told["entries"] - 1
    with RealRun(tmp_path, {**values, "records": {**values["records"], "sign_every_hours": 24}}) as station:
        station.wait_more("records", 5)
        station.send(signal.SIGKILL)
        station.process.wait(TIMEOUT_S)
    left = verify(folder)
    assert left.ok
    assert left.signed.records < left.records
    with RealRun(tmp_path, values, start=False):
        wait_until(lambda: verify(folder).signed.records >= left.records, TIMEOUT_S)


def test_fault_records_unsigned(tmp_path: Path, values: Mapping[str, Any]) -> None:
    """Another program holds the database of a standing line: an alarm tells that the records are not signed, with the
    file and what to do; released, they are signed and it is gone.
    """
    folder = Path(values["records"]["dir"])
    with RealRun(tmp_path, values) as station:
        station.wait_more("records", 3)
        with closing(sqlite3.connect(folder / DATABASE_FILE, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            alarms = station.wait_alarm("RECORDS_UNSIGNED")["alarms"]
            assert "RECORDS_UNSIGNED" in alarms
            with station.client() as client:
                [alarm] = [one for one in client.status().alarms if one.name == "RECORDS_UNSIGNED"]
            assert f"{folder / DATABASE_FILE}: database is locked — another program holds the database" in str(alarm)
            other.execute("ROLLBACK")
        station.wait(lambda status: "RECORDS_UNSIGNED" not in status["alarms"])
        assert station.end() == 0
    report = verify(folder)
    assert report.ok
    assert report.signed.records == report.records


def test_a_backup_of_a_running_station_is_restored_whole(tmp_path: Path, values: Mapping[str, Any]) -> None:
    """Taken twice while parts are recorded and old images removed: each is whole, is one moment of the records, and a
    restored folder is a store that a station goes on with. The private key is in none.
    """
    folder = Path(values["records"]["dir"])
    values = {**values, "records": {**values["records"], "image_budget_mb": 1, "image_format": "png"}}
    with RealRun(tmp_path, values) as station:
        station.wait_counter("images_removed", 1)
        taken = []
        for number in range(2):
            place = tmp_path / f"backup-{number}"
            code, told = said("backup", str(place), "--dir", str(folder), "--station", str(tmp_path / "station.toml"))
            assert (code, told.get("problems")) == (0, []), told
            taken.append(told["heads"]["records"][0])
            station.wait_more("records", 5)
        assert 0 < taken[0] < taken[1]
        assert said("backup", str(tmp_path / "backup-0"), "--dir", str(folder))[0] == 1
        assert station.end() == 0
    live = verify(folder)
    assert live.ok
    place = tmp_path / "backup-1"
    assert not (place / KEY_FILE).exists()
    assert (place / "station.toml").read_text() == (tmp_path / "station.toml").read_text()
    restored = tmp_path / "restored"
    key = str(folder / PUBLIC_KEY_FILE)
    code, told = said("restore", str(place), "--dir", str(restored), "--public-key", key)
    assert (code, told.get("problems")) == (0, []), told
    assert (told["records"], told["images"] > 0) == (taken[1], True)
    assert told["compared"] == [f"public key {one} of {key}" for one in told["signed"]["keys"]]
    assert said("restore", str(place), "--dir", str(restored))[0] == 1
    RecordStore(restored).close()
    assert verify(restored).ok
    assert sorted(path.name for path in tmp_path.glob(".*")) == []


def test_a_hold_on_a_running_station_stands_before_the_command_returns(
    tmp_path: Path, values: Mapping[str, Any]
) -> None:
    """The station writes it down for the command; held images outlive a budget that takes all others, and what cannot
    be done is refused in its words.
    """
    folder = Path(values["records"]["dir"])
    values = {**values, "records": {**values["records"], "image_budget_mb": 50, "image_format": "png"}}
    with RealRun(tmp_path, values) as station:
        station.wait_counter("images_kept", 3)
        reader = RecordReader(folder)
        held = reader.last_sequence() - 1  # the newest two: no removal is quicker than the command
        words = ("--reason", "complaint", "--record", str(held), "--record", str(held + 1), "--dir", str(folder))
        code, told = said("hold", "add", "case 7", *words)
        assert (code, told["ok"], told["now"]) == (0, True, {"records": 2, "images": 2, "removed": 0})
        assert [one["name"] for one in said("hold", "list", "--dir", str(folder))[1]["holds"]] == ["case 7"]
        assert said("hold", "release", "case 8", "--reason", "x", "--dir", str(folder))[0] == 1
        wait_until(lambda: any(one.image_removed for one in reader.after(held + 1, 10_000)), TIMEOUT_S)
        assert [reader.get(number).has_image for number in (held, held + 1)] == [True, True]
        assert said("hold", "release", "case 7", "--reason", "settled", "--dir", str(folder))[0] == 0
        wait_until(lambda: not reader.get(held).has_image, TIMEOUT_S)
        reader.close()
        assert station.end() == 0
    assert verify(folder).problems == []
    assert list((folder / "hold-requests").iterdir()) == []


def test_a_recipe_that_a_command_changes_beside_a_running_station_is_in_its_book(
    tmp_path: Path, values: Mapping[str, Any]
) -> None:
    """The station writes down who added and removed it and what was the newest before and after; what a request claims
    and is not so is refused.
    """
    folder, text = Path(values["records"]["dir"]), tmp_path / "bottle.toml"
    with RealRun(tmp_path, values) as station:

        def recipes(*words: str) -> dict[str, Any]:
            result = CliRunner().invoke(
                app, ["recipes", words[0], str(tmp_path / "station.toml"), *words[1:], "--json"]
            )
            assert result.exit_code == 0, result.exception
            return dict(json.loads(result.stdout))

        hashes = []
        for limit in (0.3, 0.4):
            text.write_text(f"[model]\nthreshold = {limit}\n")
            hashes.append(recipes("add", "bottle", str(text), "--who", "Kim")["sha256"])
        recipes("remove", "bottle", "--version", "2", "--who", "Lee")
        asked = {"change": "REMOVED", "name": "bottle", "version": 1, "who": "Mallory", "caller": ""}
        with pytest.raises(HoldError, match="is not removed"):
            ask(folder / REQUEST_FOLDER, asked, "recipe", HoldError, TIMEOUT_S, lambda: threading.Event().wait(0.1))
        station.wait_more("records", 3)
        assert station.end() == 0
    reader = RecordReader(folder)
    found = [one.entry for one in reader.entries(kind=EntryKind.RECIPE, subject="bottle")]
    reader.close()
    one, two = ({"version": number, "sha256": digest} for number, digest in enumerate(hashes, 1))
    told = [(entry.who, *(entry.content[name] for name in ("change", "before", "after"))) for entry in found]
    assert told == [("Kim", "ADDED", None, one), ("Kim", "ADDED", one, two), ("Lee", "REMOVED", two, one)]
    assert all(entry.content["caller"].startswith("command line of ") for entry in found)
    assert verify(folder).problems == []
    assert list((folder / REQUEST_FOLDER).iterdir()) == []


def test_what_was_changed_in_a_backup_is_not_restored(tmp_path: Path) -> None:
    """A changed image, database or manifest, and a file that is gone: each is named, and nothing is left behind."""
    source = tmp_path / "source"
    fill(source, 20)
    assert said("backup", str(tmp_path / "good"), "--dir", str(source))[0] == 0
    image = next((tmp_path / "good" / "images").rglob("*.png")).relative_to(tmp_path / "good")
    meddling = {
        "image": lambda at: (at / image).write_bytes(b"another"),
        "gone": lambda at: (at / image).unlink(),
        "database": lambda at: (at / DATABASE_FILE).write_bytes((at / DATABASE_FILE).read_bytes()[:-1] + b"x"),
        "manifest": lambda at: (at / MANIFEST_FILE).write_text("{}"),
        "none": lambda at: (at / MANIFEST_FILE).unlink(),
        "outside": lambda at: (at / MANIFEST_FILE).write_text(
            (at / MANIFEST_FILE).read_text().replace('"signing-key.pub"', '"../station.toml"')
        ),
    }
    (tmp_path / "station.toml").write_text("")
    for name, meddle in meddling.items():
        at = tmp_path / name
        shutil.copytree(tmp_path / "good", at)
        meddle(at)
        code, told = said("restore", str(at), "--dir", str(tmp_path / "restored"))
        assert (code, bool(told)) == (1, True), name
        assert not (tmp_path / "restored").exists()
    assert said("restore", str(tmp_path / "good"), "--dir", str(tmp_path / "restored"))[0] == 0
    assert list(tmp_path.glob(".*")) == []


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_kill_in_the_middle_leaves_nothing_that_looks_whole(tmp_path: Path, command: str) -> None:
    """SIGKILL at several moments: its place has no name, and the next one clears up and ends."""
    source, good = tmp_path / "source", tmp_path / "good"
    fill(source, 300)
    assert said("backup", str(good), "--dir", str(source))[0] == 0
    place = tmp_path / "place"
    words = (
        ["backup", str(place), "--dir", str(source)]
        if command == "backup"
        else ["restore", str(good), "--dir", str(place)]
    )
    unfinished = tmp_path / ".place.unfinished"
    cut = 0
    for files in (1, 50, 200, 299):
        process = subprocess.Popen(
            [sys.executable, "-m", "inspection.cli.main", "records", *words, "--json"],
            stdout=subprocess.DEVNULL,
            env={**os.environ},
        )
        wait_until(partial(_is_so_far, process, place, files), TIMEOUT_S)
        process.kill()
        process.wait(TIMEOUT_S)
        if place.exists():
            break
        cut += 1
        assert _files(unfinished) > 0
    assert cut >= 2
    if not place.exists():
        assert said(*words)[0] == 0
    assert not unfinished.exists()
    if command == "backup":
        assert said("restore", str(place), "--dir", str(tmp_path / "again"))[0] == 0
    else:
        assert verify(place).ok


def _is_so_far(process: subprocess.Popen[bytes], place: Path, files: int) -> bool:
    return place.exists() or process.poll() is not None or _files(place.with_name(f".{place.name}.unfinished")) >= files


def _files(folder: Path) -> int:
    return sum(len(names) for _, _, names in os.walk(folder))


def fill(folder: Path, count: int) -> None:
    """A store of `count` records with an image each, signed."""
    store = RecordStore(folder)
    begun = store.begin_run(Run("r", "s", "m", "b" * 64, "", 0, 0))
    chance = np.random.default_rng(3)
    for n in range(1, count + 1):
        pixels = chance.integers(0, 255, (64, 64), dtype=np.uint8)
        store.append([make_row(a_result(n, run="r"), begun, keep_image(folder, "r", n, pixels, "png"))])
    store.sign(SigningKey.in_folder(folder), 1)
    store.close()
