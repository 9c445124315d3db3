"""Images that show several types: what is learned from them, how they are drawn, and where they are counted."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from datasets.location import Location
from datasets.reader import read_dataset
from datasets.sample import Sample
from models.score import defect_probability
from training.arrange import refuse_untrainable, types_of
from training.classify.lesson import ClassLesson
from training.classify.temperature import fit_temperature
from training.deployed import Deployed
from training.draws import draw_shares
from training.fitting import Fitting
from training.forward import score_pixels
from training.images import open_source
from training.material import Material, Part, load_material
from training.metrics import Scored, class_accuracy, measure
from training.network import Start, build_network
from training.runfolder import RunFolder
from training.settings import TrainSettings

CLASSES = ("good", "chip", "stain")


def sample(*types: str) -> Sample:
    """An image of these types."""
    return Sample(Path("/a") / f"{'-'.join(types)}.png", types[0], "g", None, None, types if len(types) > 1 else ())


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Good parts, and parts with a dark stain on the right and a bright chip or a grey dent on the left.

    Stain is the commonest type and always comes with a rarer one, so that no image is filed under it.
    """
    rng = np.random.default_rng(0)
    lines = ["file,label"]
    for number in range(96):
        kind = ("", "chip;stain", "", "dent;stain")[number % 4]
        pixels = rng.normal(110, 8, (32, 32))
        row = int(rng.integers(4, 20))
        if "chip" in kind:
            pixels[row : row + 8, 3:11] = 240
        if "dent" in kind:
            pixels[row : row + 8, 3:11] = 170
        if "stain" in kind:
            pixels[row : row + 8, 20:28] = 15
        cv2.imwrite(str(tmp_path / f"{number:02d}.png"), pixels.clip(0, 255).astype(np.uint8))
        lines.append(f"{number:02d}.png,{kind}")
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_types_share_what_is_learned_and_the_good_class_gets_nothing() -> None:
    """A defective image's targets add up to 1 without the good class; images of one type stay plain classes."""
    samples = [sample("good"), sample("chip"), sample("stain", "chip")]
    shown = types_of(samples, CLASSES)
    assert shown is not None
    part = Part(np.zeros((3, 1, 1, 1), np.uint8), np.array([0, 1, 2]), ("a", "b", "c"), types=shown)
    assert part.target.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0.5, 0.5]]
    assert types_of(samples[:2], CLASSES) is None
    assert Part(part.pixels, part.truth, part.groups).target is part.truth


def test_an_anomaly_model_takes_any_type_for_an_anomaly() -> None:
    """Types that the model does not tell apart are one."""
    shown = types_of([sample("good"), sample("stain", "chip")], ("good", "anomaly"))
    assert shown is not None
    assert shown.tolist() == [[True, False], [False, True]]


def test_an_image_is_drawn_as_often_as_its_rarest_type() -> None:
    """One image of a common and a rare type comes as often as an image of the rare type alone."""
    target = np.array([[1, 0, 0]] * 16 + [[0, 1, 0]] * 8 + [[0, 0.5, 0.5], [0, 0, 1]], np.float32)
    shares = draw_shares(target)
    assert shares.sum() == pytest.approx(1.0)
    assert shares[-1] == pytest.approx(shares[-2])
    assert shares[-1] / shares[0] == pytest.approx(np.sqrt(16 / 2))
    assert shares[16] / shares[0] == pytest.approx(np.sqrt(16 / 9))


def test_an_image_counts_under_each_of_its_types() -> None:
    """Escape and accuracy count images once, the figures by class under each type; any of its types is right."""
    raw = np.array([[5, 0, 0], [0, 0, 5], [0, 5, 0], [5, 0, 0]], np.float32)
    types = np.array([[1, 0, 0], [0, 1, 1], [0, 0, 1], [0, 1, 1]], bool)
    scored = Scored(raw, np.array([0, 1, 2, 1]), ("a", "b", "c", "d"), 0, types)
    found = measure(scored, 0.5, CLASSES, "test")
    assert found.escape is not None
    assert (found.escape.numerator, found.escape.denominator) == (1, 3)
    assert {name: (rate.numerator, rate.denominator) for name, rate in found.per_class.items()} == {
        "good": (1, 1),
        "chip": (1, 2),
        "stain": (2, 3),
    }
    assert found.confusion == ((1, 0, 0), (1, 0, 0), (0, 1, 1))
    rate = class_accuracy(found.confusion)
    assert rate is not None
    assert (rate.numerator, rate.denominator) == (2, 4)


def test_a_type_that_is_never_the_first_can_be_trained(photos: Path) -> None:
    """What counts is that the training images show it, not under which of their types they are filed."""
    dataset = read_dataset(photos)
    assert {one.label for one in dataset.samples} == {"good", "chip", "dent"}
    source = open_source(Location(photos), find_groups=False, seed=0, task="classify")
    refuse_untrainable("classify", dataset, source.split, "here", "add some")
    assert source.classes == ("good", "chip", "dent", "stain")


def test_both_types_of_an_image_are_found_and_its_defect_probability_is_whole(photos: Path, tmp_path: Path) -> None:
    """After a short fitting an image of two types is surely defective, and both types score above the good class."""
    source = open_source(Location(photos), find_groups=False, seed=0, task="classify")
    settings = TrainSettings(
        backbone="compact", height=32, width=32, epochs=6, lr=3e-3, batch_size=32, threads=1, flips=False
    )
    folder = RunFolder(tmp_path / "out" / "bundle")
    folder.path.mkdir(parents=True)
    material: Material = load_material(source, settings, folder, lambda: None)
    torch.manual_seed(0)
    model = Deployed(build_network("compact", 4, Start(None, "")))
    train, validation = ((part.pixels, part.target) for part in (material.train, material.validation))
    fitting = Fitting(ClassLesson(model, settings, train, validation, pretrained=False, good_index=0), settings)
    for _ in range(settings.epochs):
        loss = fitting.run_epoch(lambda: None)
        epoch = fitting.close_epoch(loss)
    assert epoch.validation_auroc == 1.0
    raw = score_pixels(model, material.test.pixels, 16)
    types = material.test.types
    assert types is not None
    bad = ~types[:, 0]
    assert types[bad].sum(axis=1).tolist() == [2] * int(bad.sum())
    probability = defect_probability(raw / fit_temperature(raw, material.test.target), 0)
    assert probability[bad].min() > 0.5 > probability[~bad].max()
    assert (raw[bad][types[bad]].reshape(-1, 2) > raw[bad][:, :1]).all()
    scored = material.test.scored(raw, 0)
    assert scored.types is types
