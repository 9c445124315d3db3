"""Labels that are probably wrong: found where somebody swapped them, in nobody's own group, and by the command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from datasets.cli import app
from datasets.reader import read_dataset
from training.errors import TrainingDataError, WeightsError
from training.network import Start, build_network
from training.suspects import find_suspects, out_of_fold, suspect_rows

Rng = np.random.Generator


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest network with fixed random weights: enough to tell bright from dark."""
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("weights") / "compact.pt"
    torch.save(build_network("compact", 2, Start(None, "random")).state_dict(), file)
    return file


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twenty dark and twenty bright images, and one bright one among the dark."""
    rng = np.random.default_rng(0)
    for label, level in (("good", 60), ("stain", 190)):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(20):
            pixels = np.clip(rng.normal(level, 12, (64, 64)), 0, 255).astype(np.uint8)
            cv2.imwrite(str(tmp_path / "photos" / label / f"{number:02d}.png"), pixels)
    odd = np.clip(rng.normal(190, 12, (64, 64)), 0, 255).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "photos" / "good" / "odd.png"), odd)
    return tmp_path / "photos"


def clouds(rng: Rng, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Features of three classes, as many-sided as those of a backbone, and their labels."""
    truth = np.repeat(np.arange(3), number)
    centres = rng.normal(0, 1.0, (3, 128))
    return (centres[truth] + rng.normal(0, 1.0, (len(truth), 128))).astype(np.float32), truth


@pytest.mark.parametrize("seed", range(4))
def test_swapped_labels_are_found_and_few_others(seed: int) -> None:
    """Of one label in twenty swapped, at least eight in ten are named; of the right ones, at most one in fifty."""
    rng = np.random.default_rng(seed)
    features, truth = clouds(rng, 100)
    swapped = rng.choice(len(truth), 15, replace=False)
    labels = truth.copy()
    labels[swapped] = (truth[swapped] + rng.integers(1, 3, len(swapped))) % 3
    probabilities, folds = out_of_fold(features, labels, [str(k) for k in range(len(truth))], seed)
    found = set(suspect_rows(labels, probabilities))
    assert folds == 5
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert len(found & set(swapped.tolist())) >= 12
    assert len(found - set(swapped.tolist())) <= 5


def test_copies_do_not_vouch_for_each_other() -> None:
    """Twelve copies of one image with the same wrong label vouch for each other, unless they are known as one group."""
    rng = np.random.default_rng(1)
    features, truth = clouds(rng, 40)
    features = np.concatenate([features, np.repeat(features[:1], 12, axis=0)])
    labels = np.concatenate([truth, np.full(12, 1)])
    apart = [str(k) for k in range(len(labels))]
    together = [*apart[:120], *["piece"] * 12]
    believed = [out_of_fold(features, labels, groups, 0)[0][120:, 1].mean() for groups in (apart, together)]
    assert believed[1] < believed[0] / 2


def test_the_command_names_label_and_suggestion(photos: Path, weights: Path) -> None:
    """The odd one is the only suspect; --json tells how sure the classifier is, and of which images it was asked."""
    arguments = ["check", str(photos), "--weights", str(weights), "--backbone", "compact", "--threads", "1"]
    done = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    suspects = json.loads(done.stdout)["suspects"]
    assert [(one["file"], one["given"], one["suggested"]) for one in suspects["found"]] == [
        ("good/odd.png", "good", "stain")
    ]
    assert suspects["found"][0]["suggested_probability"] > 0.5 > suspects["found"][0]["given_probability"]
    assert (suspects["images"], suspects["left_out"]) == (41, {})
    assert suspects["agreement"] == pytest.approx(40 / 41, abs=1e-4)
    table = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert "1 labels are probably wrong" in table.stdout


def test_without_weights_it_says_what_is_missing(photos: Path) -> None:
    """Nothing is looked for, and the report says so."""
    done = CliRunner().invoke(app, ["check", str(photos)], catch_exceptions=False)
    assert "not looked for; a pretrained network is needed: --weights FILE" in " ".join(done.stdout.split())
    done = CliRunner().invoke(app, ["check", str(photos), "--json"], catch_exceptions=False)
    assert json.loads(done.stdout)["suspects"] is None


def test_weights_of_another_network_are_refused(photos: Path, weights: Path) -> None:
    """One message with both names; so is a network that there is none of."""
    with pytest.raises(WeightsError, match="do not fit resnet18"):
        find_suspects(read_dataset(photos), backbone="resnet18", weights=str(weights))
    with pytest.raises(WeightsError, match="no such network"):
        find_suspects(read_dataset(photos), backbone="alexnet", weights=str(weights))


def test_one_class_cannot_be_doubted(photos: Path, weights: Path) -> None:
    """Labels are doubted by comparing classes; a class of one image is left out, and with it the comparison."""
    for image in sorted((photos / "stain").iterdir())[1:]:
        image.unlink()
    with pytest.raises(TrainingDataError, match=r"1 class\(es\) have images of two pieces"):
        find_suspects(read_dataset(photos), backbone="compact", weights=str(weights))


def test_checking_without_weights_loads_no_training_stack(photos: Path) -> None:
    """A panel PC checks a data set without torch."""
    code = (
        "import sys; from typer.testing import CliRunner; from datasets.cli import app; "
        f"CliRunner().invoke(app, ['check', {str(photos)!r}], catch_exceptions=False); "
        "assert not {'torch', 'cleanlab', 'sklearn', 'training'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.realdata
@pytest.mark.training
def test_swapped_labels_of_real_photographs_are_found(shared_data: Path, shared_weights: Path, tmp_path: Path) -> None:
    """Steel strip, twelve images of each of seven classes and 7 of 84 labels swapped: most are found, few others."""
    source = shared_data / "x_sdd"
    classes = sorted(path for path in source.iterdir() if path.is_dir())
    swapped = set()
    for place, folder in enumerate(classes):
        images = sorted(path for path in folder.iterdir() if path.suffix == ".jpg")
        for number, image in enumerate(images[:: max(1, len(images) // 12)][:12]):
            wrong = number == 5
            target = classes[(place + 3) % len(classes)] if wrong else folder
            copy = tmp_path / target.name / f"{folder.name}-{image.name}"
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(image.read_bytes())
            swapped |= {f"{target.name}/{copy.name}"} if wrong else set()
    dataset = read_dataset(tmp_path, require_good=False)
    outcome = find_suspects(dataset, backbone="mobilenet_v2", weights=str(shared_weights))
    found = {one.file for one in outcome.found}
    assert len(swapped) == 7
    assert len(found & swapped) >= 5, outcome
    assert len(found - swapped) <= 8, outcome
