"""The images of a run of the task 'template': photos, golden images, and what is marked on the training photos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray

from datasets.marks import class_map, smallest_defect
from datasets.sample import Sample
from models.resize import fit
from training.ahead import each_of
from training.errors import TrainingDataError
from training.images import Source, load_pixels
from training.masks import has_marks
from training.material import Material, material_of
from training.runfolder import RunFolder
from training.settings import TrainSettings
from training.template.goldens import (
    Assigned,
    assign_goldens,
    is_blank,
    load_goldens,
    refuse_other_sizes,
    refuse_too_many,
)
from training.template.network import STRIDE


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


def load_paired(
    source: Source, settings: TrainSettings, folder: RunFolder, advance: Callable[[], None]
) -> TemplateMaterial:
    """Load photos and golden images at the input size. Raises TrainingDataError where they do not fit together.

    Training photos whose golden image is blank are left out: nothing says how they lie, and what differs is all of it.
    """
    assigned = assign_goldens(source.dataset)
    shape = (settings.height, settings.width, source.channels)
    goldens = folder.pixels((len(assigned.files), *shape), "goldens")
    sizes = load_goldens(assigned, goldens, settings.threads, lambda: None)
    refuse_too_many(goldens, str(source.dataset.root))
    shown = _without_blank(source, assigned, goldens)
    train = shown.split.train
    everything = (*train, *shown.split.validation, *shown.split.test)
    pixels = folder.pixels((len(everything), *shape), "pixels")
    refuse_other_sizes(
        source.dataset, everything, _fill(everything, pixels, settings.threads, advance), assigned, sizes
    )
    smallest = smallest_defect(train, settings.height, settings.width)
    plain = replace(
        _by_class(material_of(shown, settings, pixels)),
        smallest_defect_px=None if smallest is None else smallest.area_px,
    )
    return TemplateMaterial(
        **{one.name: getattr(plain, one.name) for one in fields(plain)},
        goldens=goldens,
        golden_names=tuple(file.name for file in assigned.files),
        rows=np.array([assigned.of[sample.path] for sample in train], dtype=np.intp),
        cells=_cells(train, source.classes, settings, folder),
        marked=np.array([sample.label == source.dataset.good or has_marks(sample) for sample in train], dtype=np.bool_),
        types=_types(train, source.classes),
        blank=len(source.split.train) - len(train),
        rescanned=sum(sample.template == sample.path for sample in everything),
    )


def _without_blank(source: Source, assigned: Assigned, goldens: NDArray[np.uint8]) -> Source:
    """Leave the training photos with a blank golden image out; raise TrainingDataError where none is left."""
    split = source.split
    shows = [not is_blank(golden) for golden in goldens]
    train = tuple(sample for sample in split.train if shows[assigned.of[sample.path]])
    if not train:
        raise TrainingDataError(
            f"{source.dataset.root}: the golden images of all {len(split.train)} training photos are blank — a picture "
            "of a part as it should be is needed — give other golden images"
        )
    return replace(source, split=replace(split, train=train))


def _by_class(material: Material) -> Material:
    """Let each photo count as its one class: its further types are learned from `TemplateMaterial.types`."""
    train, validation, test = (
        replace(part, types=None) for part in (material.train, material.validation, material.test)
    )
    return replace(material, train=train, validation=validation, test=test)


def _types(samples: Sequence[Sample], classes: Sequence[str]) -> NDArray[np.bool_]:
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
    for size in each_of(len(samples), place, threads):
        sizes.append(size)
        advance()
    return sizes


def _cells(
    samples: Sequence[Sample], classes: Sequence[str], settings: TrainSettings, folder: RunFolder
) -> NDArray[np.uint8]:
    height, width = -(-settings.height // STRIDE), -(-settings.width // STRIDE)
    cells = folder.pixels((len(samples), height, width), "cells")
    for index, sample in enumerate(samples):
        if has_marks(sample):
            cells[index] = class_map(sample, classes, height, width)
    return cells
