"""The task anomaly end to end on small rendered parts: with defects, without any, interrupted, killed, and refused."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from datasets.location import Location
from datasets.synthetic import PartRenderer
from models.bundle import load_bundle
from models.card import Card
from models.session import open_session
from models.verify import verify_bundle
from training.command import run_training
from training.comparison import compare_bundles
from training.errors import SettingsError, TrainingDataError, WeightsError
from training.evaluation import evaluate_bundle
from training.job import Job
from training.settings import Method, TrainSettings
from training.table import release_json

pytestmark = pytest.mark.training

GOOD = 22
SMALL = ["--backbone", "compact", "--size", "64x48", "--threads", "1", "--no-find-groups"]


def settings(method: Method | None = None, **more: object) -> TrainSettings:
    """A network without weights at a size that takes no time."""
    values = {"backbone": "compact", "width": 64, "height": 48, "threads": 1, "find_groups": False, **more}
    return TrainSettings.model_validate({"task": "anomaly", "method": method, **values})


@pytest.fixture(scope="module")
def good_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of good parts and nothing else."""
    root = tmp_path_factory.mktemp("good-only")
    (root / "good").mkdir()
    line = PartRenderer(1, width=128, height=96)
    for piece in range(GOOD):
        cv2.imwrite(str(root / "good" / f"{piece:02}.png"), line.render(piece, "good").pixels[:, :, ::-1])
    return root


@pytest.fixture(scope="module")
def with_defects(good_only: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same good parts, and ten with a white patch painted over."""
    root = tmp_path_factory.mktemp("with-defects")
    shutil.copytree(good_only / "good", root / "good")
    (root / "spoiled").mkdir()
    line = PartRenderer(1, width=128, height=96)
    for piece in range(10):
        pixels = line.render(100 + piece, "good").pixels.copy()
        pixels[20 + 4 * piece : 44 + 4 * piece, 30:60] = 255
        cv2.imwrite(str(root / "spoiled" / f"{piece}.png"), pixels[:, :, ::-1])
    return root


@pytest.fixture(scope="module")
def bundle_of_good(good_only: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made from good parts alone, without asking for a task."""
    out = tmp_path_factory.mktemp("of-good") / "parts"
    run_training(Job(Location(good_only), settings(overkill_target=0.2), out))
    return out


def card_of(out: Path) -> Card:
    """The card of a bundle that passes every check."""
    assert all(check.passed for check in verify_bundle(out))
    return load_bundle(out).card


def test_good_parts_alone_give_a_bundle_with_a_bound_of_overkill(bundle_of_good: Path) -> None:
    """The task is found, the threshold comes from ranks of good parts, and what needs defects is None, not a number."""
    card = card_of(bundle_of_good)
    assert card.task == "anomaly"
    assert card.classes == ("good", "anomaly")
    assert card.map is not None
    assert (card.map.width, card.map.height) == (8, 6)
    assert card.threshold.rule == "good parts alone"
    assert card.threshold.target_overkill == 0.2
    assert card.threshold.validation_escape is None
    assert card.threshold.overkill_limit is not None
    assert "nothing is known about escapes" in card.threshold.statement
    assert 0 < card.threshold.value < 1
    assert card.metrics.auroc is None
    assert card.metrics.average_precision is None
    assert card.metrics.escape is None
    assert card.metrics.overkill is not None
    assert card.provenance.network == "compact, memory"
    assert "anomaly" not in card.data.counts["train"]


def test_report_and_comparison_work_without_any_defect(bundle_of_good: Path, good_only: Path) -> None:
    """The page says that nothing is known of bad parts; evaluation and comparison count the good ones."""
    page = bundle_of_good.with_name("parts.run") / "report.html"
    told = page.read_text(encoding="utf-8")
    assert "nothing is known about what would pass" in told
    assert "where the model sees a defect" in told
    result = evaluate_bundle(str(bundle_of_good), Location(good_only))
    assert result.metrics.auroc is None
    assert result.images == GOOD
    same = compare_bundles(str(bundle_of_good), str(bundle_of_good), Location(good_only))
    assert same.escape is None
    assert same.area is None
    assert same.differing == ()


@pytest.mark.parametrize("method", ["memory", "gaussian"])
def test_spoiled_parts_are_found_by_what_good_ones_look_like(
    method: Method, with_defects: Path, tmp_path: Path
) -> None:
    """No defect is learned from; each spoiled part scores above each good one, and the threshold is the escape's."""
    out = tmp_path / "parts"
    released = run_training(Job(Location(with_defects), settings(method), out, task="anomaly"))
    card = card_of(out)
    assert set(card.data.counts["train"]) == {"good"}
    assert card.data.counts["test"]["anomaly"] >= 4
    assert card.threshold.rule == "escape"
    assert card.metrics.auroc is not None
    assert card.metrics.auroc.value > 0.95
    assert released.parity.max_abs < 1e-3
    assert card.provenance.network == f"compact, {method}"
    assert card.calibration is not None
    evaluated = evaluate_bundle(str(out), Location(with_defects), split="test")
    assert evaluated.metrics.model_dump() == card.metrics.model_dump()


def test_the_same_images_give_the_same_graph(bundle_of_good: Path, good_only: Path, tmp_path: Path) -> None:
    """Trained twice, the models are the same, bit for bit."""
    again = tmp_path / "parts"
    run_training(Job(Location(good_only), settings(overkill_target=0.2), again))
    assert load_bundle(again).card.files["model.onnx"] == load_bundle(bundle_of_good).card.files["model.onnx"]


def test_score_and_map_do_not_depend_on_the_batch(bundle_of_good: Path) -> None:
    """Thirteen images at once and one by one give the same scores and maps."""
    bundle = load_bundle(bundle_of_good)
    session = open_session(bundle)
    pixels = np.random.default_rng(0).integers(0, 256, (13, 48, 64, 3), dtype=np.uint8)
    scores, shown = session.run_with_map(pixels)
    for row in range(13):
        alone = session.run_with_map(pixels[row : row + 1])
        assert np.allclose(alone[0][0], scores[row], atol=1e-4)
        assert np.allclose(alone[1][0], shown[row], atol=1e-4)
    assert shown.min() >= 0.0
    assert shown.max() <= 1.0


def started(photos: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    """`lineward train` as a shell starts it, on images that are large enough to be caught at work."""
    code = "from inspection.cli.main import main; main()"
    options = ["--task", "anomaly", "--data", str(photos), "--out", str(out), *SMALL, *more]
    return subprocess.Popen(
        [sys.executable, "-c", code, "train", *options], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def wait_for(process: subprocess.Popen[str], words: str) -> str:
    """Read stderr up to a line with these words."""
    assert process.stderr is not None
    read = []
    for line in process.stderr:
        read.append(line)
        if words in line:
            break
    return "".join(read)


@pytest.mark.timeout(900)
def test_killed_or_interrupted_the_same_command_ends_with_a_bundle(good_only: Path, tmp_path: Path) -> None:
    """SIGKILL and SIGINT while good parts are learned leave no bundle; the same run then gives one."""
    out = tmp_path / "parts"
    for sent, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)):
        with started(good_only, out) as process:
            said = wait_for(process, "on 1 thread(s)")
            process.send_signal(sent)
            said += process.communicate(timeout=400)[1]
        assert process.returncode == code, said
        assert "Traceback" not in said
        assert "random and tell coarse differences only" in said
        assert not out.exists()
    assert "the same command" in said
    released = run_training(Job(Location(good_only), settings(), out, task="anomaly", name="parts"))
    printed = json.loads(json.dumps(release_json(released.bundle, released.parity)))
    assert printed["metrics"]["auroc"] is None
    assert printed["threshold"]["rule"] == "good parts alone"


def photos_of(root: Path, pixels: list[np.ndarray]) -> Path:
    """A folder of good parts."""
    (root / "good").mkdir(parents=True)
    for number, image in enumerate(pixels):
        cv2.imwrite(str(root / "good" / f"{number}.png"), image)
    return root


def noise(count: int) -> list[np.ndarray]:
    """Images that differ."""
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(count)]


def test_too_few_good_parts_are_refused_with_numbers(tmp_path: Path) -> None:
    """One image, or six of which three are kept for validation and test: what is there and what is needed is said."""
    with pytest.raises(TrainingDataError, match="would get no image"):
        run_training(Job(Location(photos_of(tmp_path / "one", noise(1))), settings(), tmp_path / "a"))
    with pytest.raises(TrainingDataError, match=r"3 good piece\(s\) \(3 image\(s\)\) .* 'memory' needs at least 4"):
        run_training(Job(Location(photos_of(tmp_path / "five", noise(5))), settings(), tmp_path / "b"))
    with pytest.raises(TrainingDataError, match=r"'gaussian' needs at least 8"):
        run_training(Job(Location(tmp_path / "five"), settings("gaussian"), tmp_path / "c"))


def test_a_folder_of_defects_alone_is_refused(tmp_path: Path) -> None:
    """No class passes: the classes are listed."""
    root = photos_of(tmp_path / "photos", noise(6))
    (root / "good").rename(root / "scratch")
    with pytest.raises(Exception, match=r"no class looks like the good one .* scratch"):
        run_training(Job(Location(root), settings(), tmp_path / "a", task="anomaly"))


def test_images_all_alike_are_refused_with_their_number(tmp_path: Path) -> None:
    """Copies of one picture tell nothing of how good parts differ."""
    root = photos_of(tmp_path / "copies", noise(1) * 12)
    with pytest.raises(TrainingDataError, match=r"all 7 good images .* are the same picture"):
        run_training(Job(Location(root), settings(), tmp_path / "a"))


def test_what_does_not_fit_is_refused_before_anything_is_learned(
    good_only: Path, with_defects: Path, tmp_path: Path
) -> None:
    """An input with too few places, a method of another task, weights that are none or of another network."""
    with pytest.raises(SettingsError, match=r"--size 64x32: gives 8×4 places"):
        run_training(Job(Location(good_only), settings(height=32), tmp_path / "a"))
    with pytest.raises(SettingsError, match=r"--method gaussian: .* the task is classify"):
        run_training(Job(Location(with_defects), settings("gaussian"), tmp_path / "b", task="classify"))
    corrupt = tmp_path / "weights.pt"
    corrupt.write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="is no state dict"):
        run_training(Job(Location(good_only), settings(weights=corrupt), tmp_path / "c"))
    assert not any((tmp_path / name).exists() for name in "abc")
