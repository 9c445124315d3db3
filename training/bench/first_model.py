"""How long `lineward train` takes for a first model of 1,000 photos, measured from the photos to the bundle."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from datasets.sample import Dataset
from training.bench.few import copy_few, shuffled
from training.bench.sets import BenchSet
from training.command import run_training
from training.job import Job
from training.settings import TrainSettings

PHOTOS = 1000
TARGET_S = 600.0


def measure_first_model(
    data: Path,
    out: Path,
    sets: tuple[BenchSet, ...],
    settings: TrainSettings,
    say: Callable[[str], None],
    *,
    photos: int = PHOTOS,
) -> dict[str, object]:
    """Train on 1,000 photos of the first set that has as many classified ones, and give the time of all of it."""
    for one in sets:
        place = out / "first-model"
        place.mkdir(parents=True, exist_ok=True)
        location = one.find(data, place)
        if one.task != "classify" or not location.folder.is_dir():
            continue
        dataset: Dataset = location.read()
        if len(dataset.samples) < photos or any(sample.place is not None for sample in dataset.samples):
            continue
        shutil.rmtree(place)
        names = set(shuffled([dataset.name_of(sample) for sample in dataset.samples])[:photos])
        chosen = [sample for sample in dataset.samples if dataset.name_of(sample) in names]
        copy_few(dataset, chosen, place / "data" / location.folder.relative_to(data))
        say(f"first model: {photos} photos of {one.name} …")
        began_ns = time.monotonic_ns()
        run_training(Job(one.find(place / "data", place), settings, place / "bundle", task=one.task))
        spent_s = (time.monotonic_ns() - began_ns) / 1e9
        return {
            f"first_model_{photos}_photos_s": round(spent_s, 1),
            "first_model_is": f"measured: {photos} photos of {one.name}, from reading them to the bundle",
            "first_model_target_s": TARGET_S,
        }
    return {"first_model_is": f"not run: no classified set here has {photos} photos"}
