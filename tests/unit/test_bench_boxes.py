"""`lineward bench training` of parts beside golden images: boxes of what was released, measured by type."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from board_pairs import SIDE, write_pairs
from typer.testing import CliRunner

from inspection.cli.main import app
from models.bundle import load_bundle
from models.session import open_session
from training.bench.boxes import FILE, box_figures, read_boxes
from training.forward import run_module
from training.template.boxes import Box
from training.template.measure import Seen
from training.template.rebuilt import rebuild

pytestmark = [pytest.mark.training, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A short run of a small set laid out as 'deeppcb' is: its folder, and what was printed."""
    root = tmp_path_factory.mktemp("boxes")
    boards = write_pairs(root / "data" / "deeppcb", boards=4, pairs=30)
    for name, numbers in (("trainval.txt", range(20)), ("test.txt", range(20, 30))):
        lines = [f"group1/1/{number:04d}.jpg group1/1_not/{number:04d}.txt" for number in numbers]
        (boards / name).write_text("\n".join(lines) + "\n")
    options = ["--data", str(root / "data"), "--out", str(root / "out"), "--backbone", "compact", "--threads", "1"]
    command = ["bench", "training", *options, "--size", str(SIDE), "--epochs", "3", "--only", "deeppcb"]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return root, done.stdout


def test_the_boxes_of_a_set_are_measured_type_by_type(run: tuple[Path, str]) -> None:
    """Each test board with its marks counts, both types have a figure, and they stand beside what others published."""
    root, printed = run
    seen = read_boxes(root / "out" / "deeppcb" / "fold-1")
    assert seen is not None
    assert len(seen.found) == len(seen.marked) == 10
    assert [len(boxes) for boxes in seen.marked] == [1] * 10
    assert {box.label for boxes in seen.marked for box in boxes} == {0, 1}
    assert {"photo", "repaired"} == set(seen.raw)
    lines = printed.splitlines()
    told = next(line for line in lines if line.startswith("deeppcb, template"))
    assert "map_of_types 0." in told or "map_of_types 1." in told
    assert "auroc_of_repaired" in told
    assert any(line.startswith("  boxes, overlap above 0.33: ") for line in lines)
    assert any("published: map_of_types 0.986" in line for line in lines)


def test_a_second_look_gives_the_same_and_trains_nothing(run: tuple[Path, str]) -> None:
    """The finished fold is taken up; its object has the mean with its interval, and by type."""
    root, _ = run
    options = ["--data", str(root / "data"), "--out", str(root / "out"), "--backbone", "compact", "--threads", "1"]
    command = ["bench", "training", *options, "--size", str(SIDE), "--epochs", "3", "--only", "deeppcb", "--json"]
    made = (root / "out" / "deeppcb" / "fold-1" / FILE).stat().st_mtime_ns
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout.splitlines()[-1])["sets"]["deeppcb"]["map_of_types"]
    assert found["low"] <= found["value"] <= found["high"]
    assert found["boxes_marked"] == 10
    assert np.mean(list(found["by_type"].values())) == pytest.approx(found["value"], abs=1e-3)
    assert (root / "out" / "deeppcb" / "fold-1" / FILE).stat().st_mtime_ns == made


def test_the_rebuilt_model_is_the_released_one(run: tuple[Path, str]) -> None:
    """Scores and maps of the model made from the graph are those of the graph in ONNX Runtime."""
    bundle = load_bundle(run[0] / "out" / "deeppcb" / "fold-1" / "bundle")
    pixels = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 1), np.uint8)
    pixels[:2] = bundle.golden().inputs[:2]
    scores, shown = open_session(bundle).run_with_map(pixels)
    again, places = run_module(rebuild(bundle), pixels, 3)
    np.testing.assert_allclose(again, scores, atol=1e-3)
    assert places is not None
    np.testing.assert_allclose(places, shown, atol=1e-3)


def test_folds_are_pooled_into_one_precision() -> None:
    """A sure wrong box in one fold costs the other, too; of a type that nobody marked nothing is claimed."""

    def seen(found: Box, marked: Box) -> Seen:
        raw = {kind: np.array([[0.0, score, -9.0]], np.float32) for kind, score in KINDS.items()}
        return Seen(((found,),), ((marked,),), raw, np.array([1]), ("a",))

    mark = Box(0, 0, 0, 10, 10)
    right, wrong = seen(Box(0, 0, 0, 10, 10, 0.6), mark), seen(Box(0, 50, 50, 60, 60, 0.9), mark)
    found = box_figures([right, wrong], ("good", "chip", "stain"))
    told = found["map_of_types"]
    assert isinstance(told, dict)
    assert told["value"] == pytest.approx(0.25)  # one of two marks, at a precision of a half
    assert told["by_type"] == {"chip": pytest.approx(0.25), "stain": None}
    area = found["auroc_of_repaired"]
    assert isinstance(area, dict)
    assert area["value"] == 1.0


KINDS = {"photo": 3.0, "repaired": -3.0}
