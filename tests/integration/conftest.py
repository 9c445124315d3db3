"""Models that are trained once per test session on real photographs, for every test that runs them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, slots=True)
class TrainedBundle:
    """A bundle trained in this session, the folder it was trained on, and the test images with their labels."""

    bundle: Path
    data: Path
    held_out: list[tuple[Path, str]]


def train_quickly(data: Path, out: Path, weights: Path, *, side: int, epochs: int) -> TrainedBundle:
    """Train with few epochs on small images; the test images are those that the split held out."""
    from training.command import run_training
    from training.images import open_source
    from training.settings import TrainSettings

    settings = TrainSettings(weights=weights, height=side, width=side, epochs=epochs)
    run_training(data, settings, out)
    source = open_source(data, good=None, groups=None, find_groups=settings.find_groups, seed=settings.seed)
    return TrainedBundle(out, data, [(sample.path, sample.label) for sample in source.split.test])


@pytest.fixture(scope="session")
def magnetic_tile_bundle(
    shared_data: Path, shared_weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> TrainedBundle:
    """Grey tiles in six classes, photographed six times each, split by piece."""
    out = tmp_path_factory.mktemp("magnetic_tile") / "tiles"
    return train_quickly(shared_data / "magnetic_tile", out, shared_weights, side=128, epochs=4)


@pytest.fixture(scope="session")
def cookies_bundle(shared_data: Path, shared_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedBundle:
    """Colour biscuits, normal or not; the source's own test images are the test images."""
    root = tmp_path_factory.mktemp("cookies")
    for folder, split in (("training-images", "train"), ("test-images", "test")):
        for photo in sorted((shared_data / "cookies" / folder).glob("*.jpg")):
            label = "normal" if "normal" in photo.name else "anomaly"
            place = root / "photos" / split / label
            place.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(photo, place / photo.name)
    return train_quickly(root / "photos", root / "biscuits", shared_weights, side=160, epochs=6)
