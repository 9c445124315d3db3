"""Train, export, verify, interrupt and go on: the whole of `lineward train` on a few dozen rendered parts."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from datasets.location import Location
from datasets.synthetic import PartRenderer
from models.bundle import load_bundle
from models.checks import Parity
from models.verify import verify_bundle
from training.errors import ReleaseRefusedError
from training.evaluation import evaluate_bundle
from training.release import refuse_unless_same

pytestmark = pytest.mark.training

EPOCHS = 4


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good parts and parts in a wrong position, three photos a piece with the pieces named in groups.csv."""
    root = tmp_path_factory.mktemp("photos")
    line = PartRenderer(1, width=160, height=120)
    rows = ["file,group"]
    for kind in ("good", "wrong_position"):
        (root / kind).mkdir()
        for piece in range(12):
            pixels = line.render(piece, kind).pixels
            for exposure in range(3):
                name = f"{kind}/{piece}-{exposure}.png"
                cv2.imwrite(str(root / name), cv2.convertScaleAbs(pixels[:, :, ::-1], alpha=1 + 0.1 * exposure))
                rows.append(f"{name},{kind}{piece}")
    (root / "groups.csv").write_text("\n".join(rows) + "\n")
    return root


def command(photos: Path, out: Path, *more: str) -> list[str]:
    """The command line as a shell would run it."""
    main = "from inspection.cli.main import main; main()"
    options = [
        "--backbone",
        "compact",
        "--size",
        "64x48",
        "--epochs",
        str(EPOCHS),
        "--batch-size",
        "32",
        "--threads",
        "1",
    ]
    return [sys.executable, "-c", main, "train", "--data", str(photos), "--out", str(out), *options, *more]


def run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run to the end."""
    return subprocess.run(arguments, capture_output=True, text=True, timeout=200, check=False)


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """One uninterrupted run: its bundle and what it printed with --json."""
    out = tmp_path_factory.mktemp("whole") / "parts"
    done = run(command(photos, out, "--json"))
    assert done.returncode == 0, done.stderr
    assert "from scratch" in done.stderr
    assert re.search(r"about .* on 1 thread\(s\): 4 epoch\(s\)", done.stderr), done.stderr
    printed: dict[str, object] = json.loads(done.stdout)
    return out, printed


def test_training_gives_a_bundle_that_passes_every_check(whole: tuple[Path, dict[str, object]]) -> None:
    """Hashes, graph, golden vectors and batches hold; torch and ONNX agreed; the charts lie beside the bundle."""
    out, printed = whole
    assert all(check.passed for check in verify_bundle(out))
    card = load_bundle(out).card
    assert card.classes == ("good", "wrong_position")
    assert (card.input.width, card.input.height, card.input.channels) == (64, 48, 3)
    assert card.provenance.weights.startswith("from scratch")
    assert card.latency is not None
    assert "cannot support the target" in card.threshold.statement
    assert not card.threshold.target_met
    parity = printed["parity"]
    assert isinstance(parity, dict)
    assert parity["flips"] == 0
    assert parity["max_abs"] <= card.tolerance.score_abs
    assert parity["images"] == sum(card.data.counts["test"].values())
    for chart in ("curves.png", "confusion.png"):
        picture = cv2.imread(str(out.with_name("parts.run") / chart))
        assert picture is not None
        assert picture.std() > 5
    assert not (out.with_name("parts.run") / "checkpoint.pt").exists()


def test_evaluation_of_the_held_out_photos_gives_the_card_s_figures(
    photos: Path, whole: tuple[Path, dict[str, object]]
) -> None:
    """ONNX Runtime on the test split reads from the files what training stated, and names the misjudged ones."""
    out, _ = whole
    card = load_bundle(out).card
    result = evaluate_bundle(str(out), Location(photos), split="test")
    assert result.metrics.model_dump(exclude={"split"}) == card.metrics.model_dump(exclude={"split"})
    assert card.metrics.escape is not None
    assert card.metrics.overkill is not None
    assert len(result.missed) == card.metrics.escape.numerator
    assert len(result.false_alarms) == card.metrics.overkill.numerator
    everything_rejected = evaluate_bundle(str(out), Location(photos), threshold=0.0)
    assert everything_rejected.missed == ()
    assert len(everything_rejected.false_alarms) == 36
    assert all((photos / name).is_file() for name in everything_rejected.false_alarms)


def test_no_piece_is_in_two_parts_of_the_split(photos: Path, whole: tuple[Path, dict[str, object]]) -> None:
    """The three photos of a piece are on one side, so each side has a multiple of three of each class."""
    counts = load_bundle(whole[0]).card.data.counts
    assert sum(sum(part.values()) for part in counts.values()) == 72
    assert all(count % 3 == 0 for part in counts.values() for count in part.values())


def test_an_interrupted_run_goes_on_and_ends_with_the_same_weights(
    photos: Path, whole: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    """SIGINT after an epoch: 130, no bundle; other options are refused; the same command ends bit for bit alike."""
    out = tmp_path / "parts"
    with subprocess.Popen(
        command(photos, out), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("epoch 1/"):
                break
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130, said
    assert "the same command" in said
    assert "Traceback" not in said
    assert not out.exists()
    other = run(command(photos, out, "--seed", "9"))
    assert other.returncode == 2
    assert "seed: 0 then, 9 now" in other.stderr
    resumed = run(command(photos, out))
    assert resumed.returncode == 0, resumed.stderr
    assert re.search(r"going on after epoch [1-3] of 4", resumed.stderr)
    assert load_bundle(out).card.files["model.onnx"] == load_bundle(whole[0]).card.files["model.onnx"]


def test_a_finished_bundle_is_not_replaced_unasked(photos: Path, whole: tuple[Path, dict[str, object]]) -> None:
    """The same command again is refused before anything is read, and the bundle stays as it is."""
    before = load_bundle(whole[0]).digest
    again = run(command(photos, whole[0]))
    assert again.returncode == 2
    assert "--overwrite" in again.stderr
    assert load_bundle(whole[0]).digest == before


def test_what_is_no_bundle_is_left_alone(photos: Path, tmp_path: Path) -> None:
    """A folder with other files at --out is refused before the training, even with --overwrite."""
    (tmp_path / "notes.txt").write_text("mine")
    refused = run(command(photos, tmp_path, "--overwrite"))
    assert refused.returncode == 2
    assert "is no bundle, it is left alone" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_release_that_misses_parity_is_refused(whole: tuple[Path, dict[str, object]]) -> None:
    """Scores beyond the tolerance, one changed verdict or NaN refuse the release; agreement passes."""
    from models.session import open_session

    bundle = load_bundle(whole[0])
    session = open_session(bundle)
    refuse_unless_same(session, bundle.golden(), Parity(10, 1e-6, 0))
    for parity in (Parity(10, 0.5, 0), Parity(10, 1e-6, 1), Parity(10, float("nan"), 0)):
        with pytest.raises(ReleaseRefusedError, match="not the trained one"):
            refuse_unless_same(session, bundle.golden(), parity)
