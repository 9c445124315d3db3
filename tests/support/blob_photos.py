"""Small photos that a network learns in seconds: grey noise on an even part, bright or dark spots as defects."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.location import Location
from training.command import run_training
from training.job import Job
from training.release import Release
from training.settings import TrainSettings

SIDE = 48
QUICK = TrainSettings(
    backbone="compact", epochs=5, height=32, width=32, batch_size=32, lr=3e-3, threads=1, find_groups=False, moves=False
)
_LEVEL = {"good": 0, "spot": 130, "hole": -100, "stain": 65}


def blob(kind: str, seed: int) -> NDArray[np.uint8]:
    """Draw a part in the middle of a darker ground, uint8 (48, 48), with a defect unless it is good."""
    noise = np.random.default_rng([seed, sorted(_LEVEL).index(kind)])
    picture = np.full((SIDE, SIDE), 40.0)
    picture[6:42, 6:42] = 120.0
    if kind != "good":
        y, x = noise.integers(12, 30, 2)
        picture[y : y + 9, x : x + 9] += _LEVEL[kind]
    return np.clip(picture + noise.normal(0, 6, picture.shape), 0, 255).astype(np.uint8)


def write_blobs(root: Path, first_seed: int = 0, **counts: int) -> Path:
    """Write so many photos of each kind into class folders."""
    for kind, count in counts.items():
        (root / kind).mkdir(parents=True, exist_ok=True)
        for seed in range(first_seed, first_seed + count):
            cv2.imwrite(str(root / kind / f"{seed:04}.png"), blob(kind, seed))
    return root


def train_blobs(photos: Path, out: Path, **more: object) -> Release:
    """Train the small network on them."""
    return run_training(Job(Location(photos), QUICK, out, **more))  # type: ignore[arg-type]
