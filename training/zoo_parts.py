"""The rendered parts that the demo's model learns from: whole pictures, and close-ups of the places that matter."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.synthetic import KINDS, PartRenderer
from models.resize import fit
from training.material import Material, Part

# Renderer seeds; those from 10,000 up are the demo's, so that it never shows a part that the model has learned.
TRAIN_SEEDS = tuple(range(100, 124))
VALIDATION_SEEDS = tuple(range(200, 208))
TEST_SEEDS = tuple(range(300, 308))
GOOD_PER_SEED = 60
DEFECTS_PER_KIND_AND_SEED = 20

_CLOSE_UPS_OF_GOOD, _CLOSE_UPS_OF_DEFECT = 6, 3
_PART_RADIUS = 0.34  # of the picture's height
_JITTER = 0.2  # of a close-up's side
_THREADS = 2

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Pictures:
    """Rendered parts at the model's size: pixels uint8 (n, h, w, 3), truth (n,), centre (n, 2) of the defect as x, y.

    The centre is in shares of width and height; NaN where there is no one place (good parts, wrong positions).
    """

    pixels: NDArray[np.uint8]
    truth: NDArray[np.intp]
    centre: NDArray[np.float64]

    def part(self) -> Part:
        """Give the pictures as they are trained on; each shows a piece of its own."""
        return Part(self.pixels, self.truth, tuple(f"part {index}" for index in range(len(self.truth))))


def render(seeds: tuple[int, ...], size: tuple[int, int], advance: Callable[[], None]) -> Pictures:
    """Render every seed's good and bad parts and bring them to size (height, width)."""
    with ThreadPoolExecutor(_THREADS) as pool:
        lines = list(pool.map(lambda seed: _render_line(seed, size, advance), seeds))
    return Pictures(
        np.concatenate([line.pixels for line in lines]),
        np.concatenate([line.truth for line in lines]),
        np.concatenate([line.centre for line in lines]),
    )


def _render_line(seed: int, size: tuple[int, int], advance: Callable[[], None]) -> Pictures:
    line = PartRenderer(seed)
    kinds = ["good"] * GOOD_PER_SEED + [kind for kind in KINDS[1:] for _ in range(DEFECTS_PER_KIND_AND_SEED)]
    pixels = np.empty((len(kinds), *size, 3), np.uint8)
    centre = np.full((len(kinds), 2), np.nan)
    for index, kind in enumerate(kinds):
        shown = line.render(index, kind)
        fit(shown.pixels, *size, 3, out=pixels[index])
        if shown.box is not None and kind != "wrong_position":
            x, y, width, height = shown.box
            centre[index] = (x + width / 2) / line.width, (y + height / 2) / line.height
    advance()
    return Pictures(pixels, np.array([KINDS.index(kind) for kind in kinds], dtype=np.intp), centre)


def close_ups(pictures: Pictures, side: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """Cut squares of `side` pixels: around each defect, and from anywhere on the good parts."""
    random = np.random.default_rng(seed)
    height, width = pictures.pixels.shape[1:3]
    cuts, truth = [], []
    for pixels, label, centre in zip(pictures.pixels, pictures.truth, pictures.centre, strict=True):
        if KINDS[label] == "wrong_position":
            continue
        good = KINDS[label] == "good"
        for _ in range(_CLOSE_UPS_OF_GOOD if good else _CLOSE_UPS_OF_DEFECT):
            if good:
                angle, way = random.uniform(0, 2 * np.pi), _PART_RADIUS * height * np.sqrt(random.uniform())
                x, y = width / 2 + way * np.cos(angle), height / 2 + way * np.sin(angle)
            else:
                x, y = centre * (width, height) + random.uniform(-_JITTER, _JITTER, 2) * side
            left = int(np.clip(round(x - side / 2), 0, width - side))
            top = int(np.clip(round(y - side / 2), 0, height - side))
            cuts.append(pixels[top : top + side, left : left + side])
            truth.append(label)
    return np.stack(cuts), np.array(truth, dtype=np.intp)


def make_material(train: Pictures, validation: Pictures, test: Pictures, seed: int) -> Material:
    """Put the three parts together; the digest is that of their pixels."""
    digest = hashlib.sha256()
    for pictures in (train, validation, test):
        digest.update(pictures.pixels.data)
        digest.update(pictures.truth.data)
    parts = (train.part(), validation.part(), test.part())
    return Material("rendered parts", digest.hexdigest(), KINDS, "good", seed, *parts)
