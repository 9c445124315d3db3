"""`lineward train` on outlined parts: the bundle, its map and its figures, and a run that is killed goes on alike."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_runs import Command
from outlined_parts import KINDS, part, write_outlined

from datasets.location import Location
from models.bundle import load_bundle
from models.session import open_session
from models.verify import verify_bundle
from training.evaluation import evaluate_bundle

pytestmark = [pytest.mark.training, pytest.mark.timeout(900)]

EPOCHS, SIDE = 6, 48
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Parts with outlined dots and bars; one bar lost its mask."""
    root = write_outlined(tmp_path_factory.mktemp("outlined") / "parts", 12)
    (root / "bar" / "bar0.png").unlink()
    return root


def command(parts: Path, out: Path, *more: str) -> list[str]:
    """The command line as a shell would run it; the task is chosen by the labels."""
    main = "from inspection.cli.main import main; main()"
    options = f"--backbone compact --size {SIDE} --epochs {EPOCHS} --batch-size 32 --threads 1 --no-find-groups"
    return [sys.executable, "-c", main, "train", "--data", str(parts), "--out", str(out), *options.split(), *more]


@pytest.fixture(scope="module")
def whole(parts: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object], str]:
    """One uninterrupted run: its bundle, what it printed with --json, and what it said."""
    out = tmp_path_factory.mktemp("whole") / "model"
    done = subprocess.run(command(parts, out, "--json"), capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr
    printed: dict[str, object] = json.loads(done.stdout)
    return out, printed, done.stderr


def test_the_bundle_has_a_map_and_recall_by_size(whole: tuple[Path, dict[str, object], str]) -> None:
    """Every check holds; the labels chose the task; card and output tell sizes; the unmarked image is told of."""
    out, printed, said = whole
    assert all(check.passed for check in verify_bundle(out))
    card = load_bundle(out).card
    assert (card.task, card.classes) == ("segment", ("good", "bar", "dot"))
    assert card.map is not None
    assert (card.map.height, card.map.width) == (SIDE // 4, SIDE // 4)
    assert "task segment: most defects are outlined" in said
    assert re.search(r"on 1 \(bar/bar0.bmp\) nothing is marked: only the class counts", said), said
    assert card.smallest_defect_px is not None
    assert 2 < card.smallest_defect_px < 40
    assert printed["smallest_defect_px"] == card.smallest_defect_px
    marked = sum(card.data.counts["test"].get(kind, 0) for kind in ("bar", "dot"))
    assert marked - 1 <= sum(found.shown.denominator for found in card.metrics.recall_by_size) <= marked
    assert card.metrics.auroc is not None
    assert card.metrics.auroc.value > 0.7
    page = (out.with_name("model.run") / "report.html").read_text()
    assert "Which sizes of defects are found" in page
    assert not (out.with_name("model.run") / "masks.npy").exists()


def test_evaluation_counts_the_same_sizes(parts: Path, whole: tuple[Path, dict[str, object], str]) -> None:
    """`lineward evaluate` on the held-out photos reads the masks itself and comes to the card's figures."""
    out, _, _ = whole
    result = evaluate_bundle(str(out), Location(parts), split="test")
    assert result.metrics.model_dump() == load_bundle(out).card.metrics.model_dump()


def test_the_map_is_hot_where_the_defect_is(whole: tuple[Path, dict[str, object], str]) -> None:
    """On parts that nobody trained with, the hottest cell lies on the defect in most of them."""
    session = open_session(load_bundle(whole[0]))
    hits = []
    for kind in KINDS[1:]:
        for seed in range(1000, 1015):
            pixels, mask = part(kind, seed, SIDE)
            places = session.run_with_map(pixels[np.newaxis, :, :, np.newaxis])[1][0]
            row, column = np.unravel_index(int(places.argmax()), places.shape)
            around = mask[max(0, 4 * row - 4) : 4 * row + 8, max(0, 4 * column - 4) : 4 * column + 8]
            hits.append(bool(around.any()))
    assert np.mean(hits) > 0.6


def test_a_killed_run_goes_on_to_the_same_weights(
    parts: Path, whole: tuple[Path, dict[str, object], str], tmp_path: Path
) -> None:
    """kill -9 within an epoch, the same command again: bit for bit the graph of the run that nobody killed."""
    out = tmp_path / "model"
    going = Command([*command(parts, out)[3:], "--checkpoint-seconds", "0"], tmp_path)
    assert going.wait_until(lambda: "epoch 2/" in going.said), going.said
    states = tmp_path / "model.run"
    kept = [path.read_bytes() for path in states.glob("checkpoint.pt")]
    # While one state takes the place of another there is none: what is left then is that of the epoch's end.
    assert going.wait_until(lambda: [path.read_bytes() for path in states.glob("checkpoint.pt")] not in ([], kept))
    going.process.kill()
    assert going.end().returncode == -signal.SIGKILL
    assert not out.exists()
    again = subprocess.run(command(parts, out), capture_output=True, text=True, timeout=400, check=False)
    assert again.returncode == 0, again.stderr
    assert re.search(r"going on after epoch [2-5] of 6 and \d+ step", again.stderr), again.stderr
    assert load_bundle(out).card.files["model.onnx"] == load_bundle(whole[0]).card.files["model.onnx"]
    assert "By size of the defect" in again.stdout


def test_two_processes_fit_one_segmenting_model(parts: Path, tmp_path: Path) -> None:
    """torchrun, gloo: each learns from half of every batch; one bundle, whose scores are those that were measured."""
    out = tmp_path / "model"
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*start, "-m", "inspection.cli.main", *command(parts, out, "--json")[3:]],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["parity"]["flips"] == 0
    assert done.stderr.count("epoch 2/6") == 1
    card = load_bundle(out).card
    assert card.provenance.settings["processes"] == 2
    assert card.metrics.auroc is not None
    assert card.metrics.auroc.value > 0.8


def test_a_sweep_and_mixed_precision_of_a_segmenting_model(parts: Path, tmp_path: Path) -> None:
    """Two trials in bfloat16, of which the better one is released without being learned again."""
    out = tmp_path / "model"
    more = ("--sweep", "2", "--sweep-over", "lr", "--amp", "on", "--epochs", "2", "--json")
    done = Command(command(parts, out, *more)[3:], tmp_path).end()
    assert done.returncode == 0, done.stderr
    trials = json.loads((tmp_path / "model.run" / "sweep.json").read_text())
    best = min((row for row in trials if row["state"] == "complete"), key=lambda row: row["validation_loss"])
    assert load_bundle(out).card.provenance.settings["lr"] == best["values"]["lr"]
    assert load_bundle(out).card.map is not None
