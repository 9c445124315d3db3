"""Training and evaluating along a split that a file states."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import cv2
import pytest

from datasets.errors import DatasetError
from datasets.location import Location
from datasets.reader import read_dataset
from datasets.splitfile import read_split, split_digest, write_split
from datasets.splits import split_dataset
from datasets.synthetic import PartRenderer
from models.bundle import load_bundle
from training.command import run_training
from training.errors import EvaluationError, TrainingDataError
from training.evaluation import evaluate_bundle
from training.images import open_source
from training.job import Job
from training.settings import make_settings

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good parts and parts in a wrong position."""
    root = tmp_path_factory.mktemp("photos")
    line = PartRenderer(1, width=160, height=120)
    for kind in ("good", "wrong_position"):
        (root / kind).mkdir()
        for piece in range(15):
            cv2.imwrite(str(root / kind / f"{piece}.png"), line.render(piece, kind).pixels[:, :, ::-1])
    return root


@pytest.fixture(scope="module")
def files(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The split that is trained along, and another one."""
    folder = tmp_path_factory.mktemp("splits")
    dataset = read_dataset(photos)
    write_split(folder / "own.csv", dataset, split_dataset(dataset, seed=11, fractions=(0.4, 0.3, 0.3)))
    write_split(folder / "other.csv", dataset, split_dataset(dataset, seed=12, fractions=(0.4, 0.3, 0.3)))
    return folder / "own.csv", folder / "other.csv"


@pytest.fixture(scope="module")
def bundle(photos: Path, files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that was trained along the first file."""
    out = tmp_path_factory.mktemp("out") / "parts"
    settings = make_settings(
        backbone="compact", epochs=1, height=48, width=64, batch_size=8, lr=1e-3, threads=1, find_groups=False
    )
    run_training(Job(Location(photos), settings, out, split_file=files[0]))
    return out


def test_the_card_tells_the_split(photos: Path, files: tuple[Path, Path], bundle: Path) -> None:
    """Its counts are those of the file, and the file's digest stands where else the seed does."""
    dataset = read_dataset(photos)
    split = read_split(files[0], dataset)
    data = load_bundle(bundle).card.data
    assert data.counts["train"] == Counter(sample.label for sample in split.train)
    assert data.counts["test"] == Counter(sample.label for sample in split.test)
    assert (data.split_seed, data.split_sha256) == (None, split_digest(dataset, split))


def test_the_test_part_is_measured_as_the_card_says(photos: Path, files: tuple[Path, Path], bundle: Path) -> None:
    """Evaluating along the same file gives the card's own figures."""
    measured = evaluate_bundle(str(bundle), Location(photos), split="test", split_file=files[0], threads=1)
    card = load_bundle(bundle).card
    assert measured.images == sum(card.data.counts["test"].values())
    assert measured.metrics.confusion == card.metrics.confusion
    assert (measured.metrics.escape, measured.metrics.overkill) == (card.metrics.escape, card.metrics.overkill)


def test_another_split_is_refused(photos: Path, files: tuple[Path, Path], bundle: Path) -> None:
    """Its test images may have been trained on; and without the file nobody knows which were."""
    with pytest.raises(EvaluationError, match="is not the split that 'parts' was trained along"):
        evaluate_bundle(str(bundle), Location(photos), split="test", split_file=files[1])
    with pytest.raises(EvaluationError, match="give it with --split-file"):
        evaluate_bundle(str(bundle), Location(photos), split="test")
    with pytest.raises(EvaluationError, match="of no use with --split all"):
        evaluate_bundle(str(bundle), Location(photos), split_file=files[0])


def test_new_images_are_measured_along_any_file(photos: Path, bundle: Path, tmp_path: Path) -> None:
    """Images that were never trained on may be divided as anybody likes."""
    line = PartRenderer(2, width=160, height=120)
    for kind in ("good", "wrong_position"):
        (tmp_path / "new" / kind).mkdir(parents=True)
        for piece in range(5):
            cv2.imwrite(str(tmp_path / "new" / kind / f"{piece}.png"), line.render(piece, kind).pixels[:, :, ::-1])
    dataset = read_dataset(tmp_path / "new")
    split = split_dataset(dataset, seed=1)
    write_split(tmp_path / "split.csv", dataset, split)
    measured = evaluate_bundle(
        str(bundle), Location(tmp_path / "new"), split="test", split_file=tmp_path / "split.csv", threads=1
    )
    assert measured.images == len(split.test)


def test_a_split_that_cannot_be_trained_on_is_told(photos: Path, tmp_path: Path) -> None:
    """No test image, or a file about other images."""
    names = [path.relative_to(photos).as_posix() for path in sorted(photos.glob("*/*.png"))]
    rows = [f"{name},{'validation' if number % 3 else 'train'}" for number, name in enumerate(names)]
    (tmp_path / "split.csv").write_text("\n".join(["file,split", *rows]) + "\n")
    with pytest.raises(TrainingDataError, match="test would get no image"):
        open_source(Location(photos), find_groups=False, seed=0, split_file=tmp_path / "split.csv")
    (tmp_path / "split.csv").write_text("file,split\nelse/1.png,train\n")
    with pytest.raises(DatasetError, match=r"no line for good/0\.png"):
        open_source(Location(photos), find_groups=False, seed=0, split_file=tmp_path / "split.csv")
