"""The images of a run of the task 'template': photos, golden images, and what is marked on the training photos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from datasets.marks import class_map, smallest_defect
from datasets.sample import Sample
from models.resize import fit
from training.arrange import truths
from training.errors import TrainingDataError
from training.images import Source, load_pixels
from training.material import Material, Part
from training.runfolder import RunFolder
from training.settings import TrainSettings
from training.template.goldens import assign_goldens, is_blank, load_goldens, refuse_other_sizes, refuse_too_many
from training.template.network import STRIDE

_AHEAD = 32


@dataclass(frozen=True, slots=True)
class TemplateMaterial(Material):
    """Material with golden images: a plain value.

    goldens: uint8 (k, h, w, c), golden_names: their files. rows: golden image of each training photo (n,).
    cells: class of each cell of 4×4 pixels of the training photos, uint8 (n, h / 4, w / 4). marked: (n,) whether they
    are known, of a good photo or one with marks. types: (n, classes) all types of the training photos. rescanned: how
    many good photos are golden images, shown as if photographed once more. blank: how many training photos were left
    out, since their golden image shows nothing.
    """

    goldens: NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, 0, 0, 0), np.uint8))
    golden_names: tuple[str, ...] = ()
    rows: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    cells: NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, 0, 0), np.uint8))
    marked: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    types: NDArray[np.bool_] = field(default_factory=lambda: np.empty((0, 0), np.bool_))
    rescanned: int = 0
    blank: int = 0
    smallest_defect_px: float | None = None


def load_paired(
    source: Source, settings: TrainSettings, folder: RunFolder, advance: Callable[[], None]
) -> TemplateMaterial:
    """Load photos and golden images at the input size. Raises TrainingDataError where they do not fit together.

    Training photos whose golden image is blank are left out: nothing says how they lie, and what differs is all of it.
    """
    dataset, split = source.dataset, source.split
    assigned = assign_goldens(dataset)
    shape = (settings.height, settings.width, source.channels)
    goldens = folder.pixels((len(assigned.files), *shape), "goldens")
    sizes = load_goldens(assigned, goldens, settings.threads, lambda: None)
    refuse_too_many(goldens, str(dataset.root))
    shows = [not is_blank(golden) for golden in goldens]
    train = tuple(sample for sample in split.train if shows[assigned.of[sample.path]])
    if not train:
        raise TrainingDataError(
            f"{dataset.root}: the golden images of all {len(split.train)} training photos are blank — a picture of a "
            "part as it should be is needed — give other golden images"
        )
    blank, split = len(split.train) - len(train), replace(split, train=train)
    everything = (*split.train, *split.validation, *split.test)
    pixels = folder.pixels((len(everything), *shape), "pixels")
    found = _fill(everything, pixels, settings.threads, advance)
    refuse_other_sizes(dataset, everything, found, assigned, sizes)
    bounds = (0, len(split.train), len(split.train) + len(split.validation), len(everything))

    def part(number: int, samples: tuple[Sample, ...]) -> Part:
        rows = pixels[bounds[number] : bounds[number + 1]]
        groups = tuple(sample.group for sample in samples)
        return Part(rows, truths(samples, source.classes), groups, tuple(map(dataset.name_of, samples)))

    known = [sample.label == dataset.good or bool(sample.marks) or sample.mask is not None for sample in split.train]
    smallest = smallest_defect(split.train, settings.height, settings.width)
    return TemplateMaterial(
        name=dataset.root.name,
        digest=source.digest,
        classes=source.classes,
        good=dataset.good,
        split_seed=settings.seed,
        train=part(0, split.train),
        validation=part(1, split.validation),
        test=part(2, split.test),
        split_sha256=source.split_sha256,
        goldens=goldens,
        golden_names=tuple(file.name for file in assigned.files),
        rows=np.array([assigned.of[sample.path] for sample in split.train], dtype=np.intp),
        cells=_cells(split.train, source.classes, settings, folder),
        marked=np.array(known, dtype=np.bool_),
        types=types_of(split.train, source.classes),
        blank=blank,
        rescanned=sum(sample.template == sample.path for sample in everything),
        smallest_defect_px=None if smallest is None else smallest.area_px,
    )


def types_of(samples: Sequence[Sample], classes: Sequence[str]) -> NDArray[np.bool_]:
    """Tell which classes each sample shows, (n, classes)."""
    return np.array([[name in sample.types for name in classes] for sample in samples], dtype=np.bool_)


def _fill(
    samples: Sequence[Sample], out: NDArray[np.uint8], threads: int, advance: Callable[[], None]
) -> list[tuple[int, int]]:
    """Load each sample into its row, a bounded number at once; return the (width, height) of each file."""
    _, height, width, channels = out.shape

    def place(index: int) -> tuple[int, int]:
        pixels = load_pixels(samples[index])
        fit(pixels, height, width, channels, out=out[index])
        return int(pixels.shape[1]), int(pixels.shape[0])

    sizes: list[tuple[int, int]] = []
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(samples), _AHEAD):
            for size in pool.map(place, range(start, min(start + _AHEAD, len(samples)))):
                sizes.append(size)
                advance()
    return sizes


def _cells(
    samples: Sequence[Sample], classes: Sequence[str], settings: TrainSettings, folder: RunFolder
) -> NDArray[np.uint8]:
    height, width = -(-settings.height // STRIDE), -(-settings.width // STRIDE)
    cells = folder.pixels((len(samples), height, width), "cells")
    for index, sample in enumerate(samples):
        if sample.marks or sample.mask is not None:
            cells[index] = class_map(sample, classes, height, width)
    return cells
