"""Bad input at the command line: one clear message, the right exit code, no traceback, nothing half-written."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_bundle import write_tiny_bundle

from inspection.ejector.simulated import SimulatedBoard

STATION = """
[camera]
backend = "simulated"
parts = 3
[model]
bundle = "{bundle}"
[geometry]
travel_time_s = 0.5
[ejector]
driver = "{driver}"
{port}
[records]
dir = "{records}"
[api]
address = "{api}"
[page]
enabled = {page}
port = {page_port}
"""


def lineward(*arguments: object, timeout_s: float = 120.0) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    command = [sys.executable, "-m", "inspection.cli.main", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, env=environment)
    assert "Traceback" not in done.stderr + done.stdout
    return done


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small real model."""
    return write_tiny_bundle(tmp_path_factory.mktemp("model") / "tiny")


def station(tmp_path: Path, bundle: Path, **changes: str) -> Path:
    """Write a station's configuration with some values changed."""
    values = {
        "bundle": str(bundle), "driver": "simulated", "port": "", "records": str(tmp_path / "records"),
        "api": "127.0.0.1:0", "page": "false", "page_port": "0", **changes,
    }  # fmt: skip
    file = tmp_path / "station.toml"
    file.write_text(STATION.format(**values))
    return file


def refused(done: subprocess.CompletedProcess[str], exit_code: int, *fragments: str) -> None:
    """Hold an outcome against what was to be said."""
    assert done.returncode == exit_code, done.stderr
    said = " ".join((done.stderr + done.stdout).split())
    for fragment in fragments:
        assert fragment in said, said


def test_a_station_that_is_sound_runs_to_its_end(tmp_path: Path, bundle: Path) -> None:
    """The configuration that the other tests break does work."""
    done = lineward("run", station(tmp_path, bundle), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["records"] == 3


def test_a_model_that_is_no_bundle(tmp_path: Path, bundle: Path) -> None:
    """A path that does not exist, an ONNX file's imitation, and a bundle with a changed model."""
    refused(lineward("run", station(tmp_path, tmp_path / "absent")), 2, "absent: no such bundle")
    fake = tmp_path / "model.onnx"
    fake.write_text("this is no model")
    refused(lineward("model", "verify", fake), 1, "model.onnx", "not a readable zip")
    changed = write_tiny_bundle(tmp_path / "changed")
    (changed / "model.onnx").write_bytes(b"not onnx")
    refused(lineward("run", station(tmp_path, changed)), 1, "model.onnx has sha256", "the card says")
    assert not (tmp_path / "records").exists()


def test_a_configuration_with_wrong_types(tmp_path: Path) -> None:
    """All problems in one message, exit code 2."""
    file = tmp_path / "station.toml"
    file.write_text('[camera]\nbackend = 5\n[geometry]\ntravel_time_s = "soon"\n[ejector]\ndriver = "laser"\n[extra]\n')
    done = lineward("config", "check", file)
    refused(
        done, 2, "4 problems", "camera.backend", "geometry.travel_time_s", "'laser' does not exist", "extra: unknown"
    )
    as_json = lineward("config", "check", file, "--json")
    assert as_json.returncode == 2
    assert json.loads(as_json.stdout)["ok"] is False


def test_a_configuration_that_names_what_is_not_there(tmp_path: Path, bundle: Path) -> None:
    """`config check` finds before the start what `run` would refuse on this machine."""
    file = station(tmp_path, tmp_path / "absent", driver="lcus", port='port = "/dev/ttyNOTHERE"')
    done = lineward("config", "check", file, "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert found["ok"] is False
    assert len(found["missing_here"]) == 2
    plain = tmp_path / "plain"
    plain.write_text("")
    file = station(tmp_path, bundle, driver="lcus", port=f'port = "{plain}"')
    file.write_text(file.read_text().replace(str(tmp_path / "records"), str(plain / "records")))
    missing = json.loads(lineward("config", "check", file, "--json").stdout)["missing_here"]
    assert [sentence.split(" — ")[0] for sentence in missing] == [
        f"ejector.port {plain}: is no serial port",
        f"records.dir {plain / 'records'}: {plain} is no folder",
    ]
    sound = lineward("config", "check", station(tmp_path, bundle), "--json")
    assert (sound.returncode, json.loads(sound.stdout)["missing_here"]) == (0, [])


def test_an_address_that_is_open_to_the_network(tmp_path: Path, bundle: Path) -> None:
    """That is wrong on every machine, so it is a problem of the file, told once."""
    done = lineward("config", "check", station(tmp_path, bundle, api="0.0.0.0:50051"))
    refused(done, 2, "1 problem: api.address '0.0.0.0:50051': is open to the network", "only loopback is allowed")


@pytest.mark.parametrize("name", ["", "   ", "kim\nPASSED", "x" * 65])
def test_an_operator_without_a_name(name: str) -> None:
    """The record keeps who laid the parts: no name, one with a line break and one too long are refused at once."""
    done = lineward("challenge", "--operator", name)
    refused(done, 2, "--operator", "a name of 1 to 64 printable characters is needed")


def test_a_failure_with_json_is_one_json_object(tmp_path: Path) -> None:
    """A script that reads stdout gets the error as an object, and the exit code."""
    done = lineward("records", "list", "--dir", tmp_path / "absent", "--json")
    assert done.returncode == 2
    failure = json.loads(done.stdout)
    assert failure["ok"] is False
    assert "absent" in failure["error"]


def test_a_serial_port_that_does_not_exist(tmp_path: Path, bundle: Path) -> None:
    """The port is named, and what to look at."""
    file = station(tmp_path, bundle, driver="lcus", port='port = "/dev/ttyNOTHERE"')
    refused(lineward("run", file), 1, "/dev/ttyNOTHERE")


def test_a_serial_port_that_is_taken(tmp_path: Path, bundle: Path) -> None:
    """Another program holds the port exclusively."""
    import serial

    board = SimulatedBoard("lcus", channels=2)
    try:
        with serial.Serial(board.port, exclusive=True):
            file = station(tmp_path, bundle, driver="lcus", port=f'port = "{board.port}"\nboard = {{ channels = 2 }}')
            refused(lineward("run", file), 1, board.port)
    finally:
        board.close()


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A TCP port that somebody else listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_port_in_use(tmp_path: Path, bundle: Path, taken_port: int) -> None:
    """The API's and the page's port: the number and the next step, exit code 1, and everything taken down again."""
    refused(lineward("run", station(tmp_path, bundle, api=f"127.0.0.1:{taken_port}")), 1, str(taken_port))
    file = station(tmp_path, bundle, page="true", page_port=str(taken_port))
    refused(lineward("run", file), 1, str(taken_port), "another number with [page] port")


def test_a_full_disk(tmp_path: Path, bundle: Path) -> None:
    """A records folder on a full disk: refused before a part is inspected; with room, the same command works."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], check=True)
    try:
        file = station(tmp_path, bundle, records=str(place / "records"))
        refused(lineward("run", file), 1, str(place), "the disk is full")
        subprocess.run(["mount", "-o", "remount,size=50m", str(place)], check=True)
        assert lineward("run", file).returncode == 0
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_folder_that_cannot_be_used(tmp_path: Path, bundle: Path) -> None:
    """A file where the records folder should be."""
    (tmp_path / "file").write_text("")
    refused(lineward("run", station(tmp_path, bundle, records=str(tmp_path / "file"))), 2, str(tmp_path / "file"))


def _huge_png(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    end = b"IEND"
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + end + struct.pack(">I", zlib.crc32(end))


def test_unreadable_images_are_listed_together(tmp_path: Path) -> None:
    """Truncated, empty, misnamed, far too large and far too small pictures: every name in one error, exit code 2."""
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.mkdir()
    bad.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    for number in range(3):
        cv2.imwrite(str(good / f"{number}.png"), pixels + number)
        cv2.imwrite(str(bad / f"{number}.png"), pixels - number)
    jpeg = cv2.imencode(".jpg", pixels)[1].tobytes()
    (good / "truncated.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (good / "empty.png").write_bytes(b"")
    (good / "text.png").write_text("no picture")
    (bad / "huge.png").write_bytes(_huge_png(20_000, 20_000))
    cv2.imwrite(str(bad / "dot.png"), pixels[:1, :1])
    done = lineward("dataset", "check", tmp_path)
    refused(done, 2, "truncated.jpg", "empty.png", "text.png", "huge.png", "dot.png")


def test_unusual_but_sound_images_are_read(tmp_path: Path) -> None:
    """16-bit, transparent and grey PNGs are pictures like any other."""
    rng = np.random.default_rng(0)
    for kind in ("good", "bad"):
        (tmp_path / kind).mkdir()
        cv2.imwrite(str(tmp_path / kind / "deep.png"), rng.integers(0, 65_535, (32, 32), np.uint16))
        cv2.imwrite(str(tmp_path / kind / "clear.png"), rng.integers(0, 255, (32, 32, 4), np.uint8))
        cv2.imwrite(str(tmp_path / kind / "grey.png"), rng.integers(0, 255, (32, 32), np.uint8))
    done = lineward("dataset", "check", tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "exit_code", "fragment"),
    [
        (("records", "list", "--dir", "/nonexistent"), 2, "/nonexistent"),
        (("run", "/nonexistent.toml"), 2, "no such file"),
        (("dataset", "check", "/nonexistent"), 2, "/nonexistent"),
        (("evaluate", "/nonexistent", "--data", "/nonexistent"), 2, "/nonexistent"),
        (("train", "--data", "/nonexistent", "--out", "x"), 2, "/nonexistent"),
        (("demo", "--parts", "0"), 2, "parts"),
        (("nonsense",), 2, "nonsense"),
    ],
)
def test_usage_errors_end_with_two(arguments: tuple[str, ...], exit_code: int, fragment: str) -> None:
    """A wrong path or option is the user's to mend: exit code 2 and the value."""
    refused(lineward(*arguments), exit_code, fragment)
