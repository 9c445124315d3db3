"""A run among troubles and helpers: a full disk, photos that go, a sweep that is killed, several processes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_runs import Command

from models.bundle import load_bundle

pytestmark = pytest.mark.training

SUPPORT = Path(__file__).resolve().parents[1] / "support"
REPOSITORY = SUPPORT.parents[1]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grey noise, and grey noise with a bright spot."""
    root = tmp_path_factory.mktemp("photos")
    noise = np.random.default_rng(0)
    for label in ("good", "spot"):
        (root / label).mkdir()
        for index in range(16):
            picture = noise.integers(60, 120, (40, 40), dtype=np.uint8)
            if label == "spot":
                cv2.circle(picture, tuple(int(at) for at in noise.integers(8, 32, 2)), 5, 250, -1)
            assert cv2.imwrite(str(root / label / f"{index}.png"), picture)
    return root


def command(photos: Path, out: Path, *more: str) -> list[str]:
    """A small run: four steps an epoch."""
    options = ["--backbone", "compact", "--size", "32", "--epochs", "2", "--batch-size", "64", "--threads", "1"]
    options += ["--lr", "0.002", "--no-find-groups", "--no-tensorboard", "--task", "classify"]
    return ["train", "--data", str(photos), "--out", str(out), *options, *more]


def weights_of(out: Path) -> str:
    """The sha256 of the released graph."""
    return load_bundle(out).card.files["model.onnx"]


@pytest.fixture(scope="module")
def undisturbed(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a run that nothing disturbs releases."""
    folder = tmp_path_factory.mktemp("undisturbed")
    done = Command(command(photos, folder / "m"), folder).end()
    assert done.returncode == 0, done.stderr
    return weights_of(folder / "m")


@pytest.fixture
def little_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 30 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=30m", "none", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small file system needs the rights to mount one: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_fills_up_within_an_epoch_costs_a_step(
    photos: Path, undisturbed: str, little_disk: Path, tmp_path: Path
) -> None:
    """The run says what did not fit and what is kept, nothing is released by half; with room again it ends alike."""
    out, filler = little_disk / "m", little_disk / "filler"
    going = Command(command(photos, out, "--checkpoint-seconds", "0"), tmp_path)
    state = out.with_name("m.run") / "checkpoint.pt"
    assert going.wait_until(state.exists)
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 16)):
                pass
        except OSError:
            pass
    told = going.end()
    assert told.returncode == 1
    assert re.search(r"No space left on device; it takes 3\.\d MB.*the state before is kept.*same command", told.stderr)
    assert "Traceback" not in told.stderr
    assert not out.exists()
    assert sorted(path.name for path in little_disk.iterdir()) == ["filler", "m.run"]
    filler.unlink()
    again = Command(command(photos, out), tmp_path).end()
    assert again.returncode == 0, again.stderr
    assert "going on after epoch" in again.stderr
    assert weights_of(out) == undisturbed


def test_photos_are_needed_only_until_they_are_loaded(photos: Path, undisturbed: str, tmp_path: Path) -> None:
    """Photos that go while the model learns change nothing; an unfinished run goes on with no others."""
    own = tmp_path / "photos"
    for file in photos.rglob("*.png"):
        (own / file.parent.name).mkdir(parents=True, exist_ok=True)
        (own / file.parent.name / file.name).write_bytes(file.read_bytes())
    out = tmp_path / "m"
    arguments = command(own, out, "--checkpoint-seconds", "0")
    state = out.with_name("m.run") / "checkpoint.pt"
    going = Command(arguments, tmp_path)
    assert going.wait_until(state.exists)
    going.process.kill()
    going.end()
    lost = own / "good" / "3.png"
    content = lost.read_bytes()
    lost.unlink()
    refused = Command(arguments, tmp_path).end()
    assert refused.returncode == 2
    told = r"unfinished run of something else \(images: \w+ then, \w+ now; photos: (\d+) then, (\d+) now\)"
    counts = re.search(told, refused.stderr)
    assert counts is not None
    assert int(counts[1]) == int(counts[2]) + 1
    lost.write_bytes(content)
    going = Command(arguments, tmp_path)
    assert going.wait_until(lambda: "going on after" in going.said)
    for file in own.rglob("*.png"):
        file.unlink()
    done = going.end()
    assert done.returncode == 0, done.stderr
    assert weights_of(out) == undisturbed


def test_a_state_that_was_damaged_costs_what_came_after_the_one_before(
    photos: Path, undisturbed: str, tmp_path: Path
) -> None:
    """The newest state is damaged: told of, and the end is the same from the one before; both are: refused."""
    out = tmp_path / "m"
    arguments = command(photos, out, "--checkpoint-seconds", "0")
    states = [out.with_name("m.run") / name for name in ("checkpoint.pt", "checkpoint.before.pt")]
    going = Command(arguments, tmp_path)
    assert going.wait_until(lambda: all(state.exists() for state in states))
    going.process.kill()
    going.end()
    newest = states[0] if states[0].exists() else states[1]
    newest.write_bytes(newest.read_bytes()[:-1000])
    whole = states[1].read_bytes()
    states[1].write_bytes(b"")
    refused = Command(arguments, tmp_path).end()
    assert refused.returncode == 2
    assert "cannot be read" in refused.stderr
    states[1].write_bytes(whole)
    done = Command(arguments, tmp_path).end()
    assert done.returncode == 0, done.stderr
    assert "is damaged" in done.stderr
    assert weights_of(out) == undisturbed


def test_a_sweep_that_was_killed_goes_on_as_it_would_have(photos: Path, tmp_path: Path) -> None:
    """The same trials with the same losses, the same model; the best is released; the test images had no say."""
    sweep = ("--sweep", "4", "--sweep-over", "lr,epochs,flips,size")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    done = Command(command(photos, whole, *sweep), tmp_path).end()
    assert done.returncode == 0, done.stderr
    trials = json.loads((tmp_path / "whole.run" / "sweep.json").read_text())
    assert len(trials) == 4
    assert trials[0]["values"] == {"lr": 0.002, "epochs": 2, "flips": True, "size": "32x32"}
    best = min((row for row in trials if row["state"] == "complete"), key=lambda row: row["validation_loss"])
    settings = load_bundle(whole).card.provenance.settings
    assert (settings["lr"], settings["epochs"], settings["flips"]) == tuple(
        best["values"][name] for name in ("lr", "epochs", "flips")
    )
    assert "Trials: validation loss" in done.stderr
    assert not (tmp_path / "whole.run" / "sweep.db").exists()
    assert not (tmp_path / "whole.run" / "trials").exists()
    for number in (2, 3):
        going = Command(command(photos, cut, *sweep, "--checkpoint-seconds", "0"), tmp_path)
        inner = tmp_path / "cut.run" / "trials"
        begun = f"trial {number} of 4"
        assert going.wait_until(lambda: begun in going.said), going.said  # noqa: B023  (asked within the loop)
        kept = {path: path.stat().st_ino for path in inner.glob("*.run/checkpoint.pt")}
        assert going.wait_until(
            lambda: {path: path.stat().st_ino for path in inner.glob("*.run/checkpoint.pt")} != kept  # noqa: B023
        )
        going.process.kill()
        assert going.end().returncode == -signal.SIGKILL
    again = Command(command(photos, cut, *sweep), tmp_path).end()
    assert again.returncode == 0, again.stderr
    repeated = json.loads((tmp_path / "cut.run" / "sweep.json").read_text())
    for row in (*trials, *repeated):
        del row["seconds"]
    assert repeated == trials
    assert weights_of(cut) == weights_of(whole)


def test_two_processes_fit_one_model(photos: Path, tmp_path: Path) -> None:
    """torchrun, gloo: both end with the same weights although they began with others; one bundle, one voice."""
    out = tmp_path / "m"
    arguments = ["--standalone", "--nproc-per-node", "2", str(SUPPORT / "team_run.py"), str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *arguments, *command(photos, out, "--json")],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{REPOSITORY}:{SUPPORT}", "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    told = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)]
    assert told[0] == told[1]
    assert json.loads(done.stdout)["parity"]["flips"] == 0, "the result is printed once"
    assert done.stderr.count("epoch 2/2") == 1
    origin = load_bundle(out).card.provenance
    assert origin.settings["processes"] == 2
    assert "Traceback" not in done.stderr
