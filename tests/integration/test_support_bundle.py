"""`lineward support-bundle` as a command: beside a running station, a dead one, a broken file; never a secret in it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from bright_belt import belt
from hypothesis import given, settings
from hypothesis import strategies as st
from real_run import REPOSITORY, RealRun, relay_board, station_values, toml
from scrape import metrics_url
from station_runs import wait_until
from tiny_bundle import write_tiny_bundle

from inspection.support.bundle import pack
from inspection.support.gather import gather
from inspection.support.secrets import Scrubber, environment_secrets, secret_values, without_secrets

SECRETS = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp", "Zs")), min_size=4, max_size=20).map(
    lambda text: f"Zq{text}"
)
"""With a beginning that stands nowhere else, so that a hit is a leak."""


def run_command(folder: Path, *arguments: str, **environment: str) -> dict[str, Any]:
    """Run the command and return what it says."""
    ended = subprocess.run(
        [sys.executable, "-m", "inspection.cli.main", "support-bundle", *arguments, "--json"],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    said: dict[str, Any] = json.loads(ended.stdout)
    return said


def unpacked(file: Path) -> dict[str, bytes]:
    """Every file of a bundle."""
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_beside_a_running_station_and_after_its_death(tmp_path: Path) -> None:
    """While it runs the bundle has its status and metrics; killed, it has all the rest; each within seconds."""
    with relay_board() as board:
        observed = station_values(
            tmp_path,
            write_tiny_bundle(tmp_path / "tiny"),
            board,
            camera={"backend": "replay", "path": belt(tmp_path / "parts"), "rate_hz": 20.0, "loop": True},
            metrics={"enabled": True, "address": "127.0.0.1:0"},
            log={"format": "json", "file": tmp_path / "log" / "station.log"},
        )
        with RealRun(tmp_path, observed) as run:
            url = metrics_url(run)
            api = run.client()
            wait_until(lambda: bool(run.statuses) and run.statuses[-1]["records"] > 40, 60.0)
            running = {
                **observed,
                "metrics": {"enabled": True, "address": url.removeprefix("http://").removesuffix("/metrics")},
                "api": {"address": api.address},
            }
            api.close()
            (tmp_path / "running.toml").write_text(toml(running))
            living = run_command(tmp_path, "running.toml", "--out", "living.zip", "--images", "3")
            run.process.kill()
            run.process.wait(30)
        dead = run_command(tmp_path, "running.toml", "--out", "dead.zip")
    assert living["missing"] == {}
    assert set(dead["missing"]) == {"status.json", "metrics.txt"}
    files, left = unpacked(tmp_path / "living.zip"), unpacked(tmp_path / "dead.zip")
    assert {name: len(content) for name, content in files.items() if name != "contents.json"} == living["contents"]
    assert living["bytes"] == (tmp_path / "living.zip").stat().st_size
    assert stat.S_IMODE((tmp_path / "living.zip").stat().st_mode) == 0o600
    assert b"lineward_parts_total" in files["metrics.txt"]
    assert json.loads(files["status.json"])["state"] == "STATE_CONTINUOUS_EXECUTION"
    pictures = [name for name in files if name.startswith("images/")]
    assert len(pictures) == 3
    assert all("-MODEL." in name for name in pictures)
    assert not [name for name in left if name.startswith("images/")]
    for content in (files, left):
        records = json.loads(content["records.json"])
        assert records["newest"][0]["sequence"] == records["last_sequence"] > 40
        assert any(b"CONTINUOUS_EXECUTION" in line for line in content["log.txt"].splitlines())
        assert json.loads(content["versions.json"])["packages"]["numpy"]
        assert "model.onnx" in "".join(json.loads(content["model.json"]))
        assert sum(json.loads(content["disk.json"])["bytes"].values()) > 10_000
        assert {"what", "level", "found", "next_step"} == set(json.loads(content["doctor.json"])[0])
        assert json.loads(content["configuration.json"])["settings"]["ejector"]["driver"] == "lcus"


@pytest.mark.parametrize("text", [None, "this is [no TOML\npassword = Zq-secret", '[camera]\nbackend = "nonsense"\n'])
def test_whatever_is_broken_there_is_a_bundle(tmp_path: Path, text: str | None) -> None:
    """Without a file, with one that is no TOML and with one that is no station the rest is packed all the same."""
    arguments = [] if text is None else ["broken.toml"]
    (tmp_path / "broken.toml").write_text(text or "")
    said = run_command(tmp_path, *arguments, "--out", "some.zip")
    files = unpacked(tmp_path / "some.zip")
    assert {"versions.json", "doctor.json", "disk.json"} <= set(files)
    assert "records.json" in said["missing"]
    assert not [name for name, content in files.items() if b"Zq-secret" in content]


def test_a_file_that_is_there_is_not_touched(tmp_path: Path) -> None:
    """A second bundle of the same name is refused, and the first stays as it is."""
    (tmp_path / "some.zip").write_bytes(b"first")
    ended = subprocess.run(
        [sys.executable, "-m", "inspection.cli.main", "support-bundle", "--out", "some.zip"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert ended.returncode == 1
    assert "some.zip: is there already" in ended.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["some.zip"]
    assert (tmp_path / "some.zip").read_bytes() == b"first"


def test_what_hangs_or_fails_is_left_out() -> None:
    """One question that never ends and one that breaks cost their own answers, and no more than the time allowed."""
    began_s = time.monotonic()
    answers = gather(
        {"good": lambda: "text", "hangs": lambda: time.sleep(30) or "", "breaks": lambda: str(1 // 0)}, timeout_s=0.5
    )
    assert time.monotonic() - began_s < 5
    good, hangs, breaks = answers
    assert (good.content, good.trouble) == (b"text", "")
    assert hangs.trouble == "no answer within 0.5 s"
    assert "ZeroDivisionError" in breaks.trouble


# --------------------------------------------------------------------------------------------------------- secrets


@settings(max_examples=25, deadline=None)
@given(
    secrets=st.lists(SECRETS, min_size=6, max_size=6, unique=True),
    key=st.sampled_from(["password", "api_token", "tls_key", "secret", "dsn", "auth", "Passwd", "private_key", "pin"]),
)
def test_no_secret_is_in_a_bundle(secrets: list[str], key: str) -> None:
    """Wherever a secret is set – in a table, a list, an address, the environment – no file of the bundle has it.

    The log has each of them, in each way in which programs write text; it must not bring them back.
    """
    plain, listed, raw, quoted, inherited, named = secrets
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "station.log"
        forms = [form for one in secrets for form in (one, json.dumps(one), repr(one), quote(one), quote(one, safe=""))]
        log.write_text("\n".join(f"line with {form} inside: alarm " for form in forms), "utf-8", "backslashreplace")
        text = [
            "[camera]", 'backend = "rtsp"', "url = " + _toml("rtsp://user:" + quote(quoted, safe="") + "@host/live"),
            'password_env = "OF_THE_CAMERA"', f"[unknown.inner]\n{key} = {_toml(plain)}",
            f"[[list]]\n{key} = [{_toml(listed)}]", f"[other]\nplace = {_toml(f'http://user:{raw}@host:1/x')}",
            f"[log]\nfile = {_toml(str(log))}", f"[records]\ndir = {_toml(str(folder / 'none'))}",
        ]  # fmt: skip
        (folder / "station.toml").write_text("\n".join(text), "utf-8")
        environment = {"OF_THE_CAMERA": named, "MES_TOKEN": inherited}
        pack(folder / "station.toml", folder / "out.zip", 0, environment)
        files = unpacked(folder / "out.zip")
    assert "log.txt" in files
    assert "configuration.json" in files
    leaks = [(name, form) for name, content in files.items() for form in forms if form.encode() in content]
    assert not leaks
    assert not [name for name, content in files.items() if b"Zq" in content]


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def test_what_is_no_secret_stays() -> None:
    """Counters, paths, ports and switches are left alone: a bundle without them helps nobody."""
    values = {
        "geometry": {"encoder_counts_per_mm": 20.0, "closest_ms": 60},
        "ejector": {"port": "/dev/serial/by-id/usb-1", "driver": "lcus"},
        "camera": [{"path": "photos/", "url": "rtsp://192.168.1.20/stream"}],
        "api": {"address": "127.0.0.1:50051", "enabled": True},
    }
    assert without_secrets(values) == values
    assert not list(secret_values(values, {}))
    assert not list(environment_secrets({"PWD": "/srv/line", "OLDPWD": "/home/op", "PATH": "/usr/bin"}))
    line = '{"passed": 340, "message": "camera top: rtsp://host/live gives no picture", "score": 0.5}'
    assert Scrubber(set()).text(line) == line


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("dsn postgresql://u:p@db/x", "dsn postgresql://(removed)@db/x"),
        ("GET http://h/x?token=abc&y=1 200", "GET http://h/x?(removed) 200"),
        ("Authorization: Bearer abc.def", "Authorization: (removed)"),
        ('{"password": "a b", "n": 1}', '{"password": "(removed)", "n": 1}'),
        ("host=db password=abc user=x", "host=db password=(removed) user=x"),
    ],
)
def test_texts_lose_what_tells_by_itself_that_it_is_secret(text: str, clean: str) -> None:
    """Credentials in addresses and beside telling names go even where nobody knew their values."""
    assert Scrubber(set()).text(text) == clean
