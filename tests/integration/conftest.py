"""Models that are trained once per run of the tests on real photographs, for every test that runs them."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, slots=True)
class TrainedBundle:
    """A bundle trained in this run, the folder it was trained on, and the test images with their labels."""

    bundle: Path
    data: Path
    held_out: list[tuple[Path, str]]


def train_quickly(
    data: Path, out: Path, weights: Path, *, epochs: int, side: int = 224, task: str = "classify", **values: object
) -> TrainedBundle:
    """Train with few epochs on small images, unless it is done; the test images are those that the split held out."""
    from datasets.location import Location
    from datasets.parts import gather_parts, has_places
    from training.command import run_training
    from training.images import open_source
    from training.job import Job
    from training.settings import TrainSettings

    settings = TrainSettings(weights=weights, height=side, width=side, epochs=epochs).model_copy(update=values)
    if not out.exists():
        run_training(
            Job(Location(data), settings, out, task=task, picture_limits=False, novelty_limit=False)
        )  # every picture must be judged
    source = open_source(Location(data), find_groups=settings.find_groups, seed=settings.seed, task=task)
    held_out = source.split.test
    parts = gather_parts(held_out, source.dataset.good).samples if has_places(held_out) else held_out
    return TrainedBundle(out, data, [(sample.path, sample.label) for sample in parts])


@contextmanager
def common(name: str, factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a folder that the processes of a run share, to one of them at a time."""
    root = factory.getbasetemp()
    folder = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / name
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


@pytest.fixture(scope="session")
def magnetic_tile_bundle(
    shared_data: Path, shared_weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> TrainedBundle:
    """Grey tiles in six classes, photographed six times each, split by piece."""
    with common("magnetic_tile", tmp_path_factory) as folder:
        return train_quickly(shared_data / "magnetic_tile", folder / "tiles", shared_weights, side=128, epochs=4)


@pytest.fixture(scope="session")
def cookies_bundle(shared_data: Path, shared_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedBundle:
    """Colour biscuits, normal or not; the source's own test images are the test images."""
    with common("cookies", tmp_path_factory) as root:
        photos = lay_out_cookies(shared_data, root / "photos")
        return train_quickly(photos, root / "biscuits", shared_weights, side=160, epochs=6)


@pytest.fixture(scope="session")
def cookies_anomaly_bundle(
    shared_data: Path, shared_weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> TrainedBundle:
    """The same biscuits, by what normal ones look like, with the defaults of the command."""
    with common("cookies_anomaly", tmp_path_factory) as root:
        photos = lay_out_cookies(shared_data, root / "photos")
        return train_quickly(photos, root / "biscuits", shared_weights, side=224, epochs=8, task="anomaly")


def lay_out_cookies(shared_data: Path, photos: Path) -> Path:
    """Copy the biscuits into folders of a split and a class, unless it is done."""
    for folder, split in (("training-images", "train"), ("test-images", "test")):
        for photo in sorted((shared_data / "cookies" / folder).glob("*.jpg")):
            label = "normal" if "normal" in photo.name else "anomaly"
            place = photos / split / label
            place.mkdir(parents=True, exist_ok=True)
            if not (place / photo.name).exists():
                shutil.copyfile(photo, place / photo.name)
    return photos


SCREWS = """
zero = "missing"
place = [
  { name = "upper left", x = 0, y = 0, width = 300, height = 350 },
  { name = "upper right", x = 300, y = 0, width = 300, height = 350 },
  { name = "lower left", x = 0, y = 350, width = 300, height = 439 },
  { name = "lower right", x = 300, y = 350, width = 300, height = 439 },
]
"""


@pytest.fixture(scope="session")
def screws_bundle(shared_data: Path, shared_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedBundle:
    """Boards with four screw positions, each there or missing, judged one by one; the worst one decides."""
    with common("screws", tmp_path_factory) as root:
        photos = root / "photos"
        if not photos.exists():
            shutil.copytree(shared_data / "screws_missing" / "train_val_set", photos)
            (photos / "places.toml").write_text(SCREWS)
        return train_quickly(photos, root / "screws", shared_weights, epochs=2, size="auto", tile=64)
