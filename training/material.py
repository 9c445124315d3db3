"""What a model is made from: pixels at the input size with their truth, in three parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from datasets.marks import Defect
from datasets.parts import has_places
from datasets.sample import Sample
from models.card import DataOrigin
from training.arrange import truths, types_of
from training.images import Source, fill_pixels
from training.masks import fill_masks, has_marks
from training.metrics import Scored
from training.runfolder import RunFolder
from training.settings import TrainSettings

if TYPE_CHECKING:
    from training.crops import Boxes


@dataclass(frozen=True, slots=True)
class Part:
    """Train, validation or test images: a plain value; pixels uint8 (n, h, w, c), truth, groups and names (n,).

    types: which classes each image shows (n, classes), None where each shows the one of `truth` alone. masks: class
    index of each pixel uint8 (n, h, w), 255 where nobody knows; None where no task asked for them.
    """

    pixels: NDArray[np.uint8]
    truth: NDArray[np.intp]
    groups: tuple[str, ...]
    names: tuple[str, ...] = ()
    types: NDArray[np.bool_] | None = None
    masks: NDArray[np.uint8] | None = None

    @property
    def target(self) -> NDArray[np.intp] | NDArray[np.float32]:
        """Give what is learned: the class of each image (n,), or with several types an image shares (n, classes).

        An image's types share it evenly, and the good class has nothing of a defective image, so that
        `models.score.defect_probability` of the scores stays the probability that any defect is there.
        """
        if self.types is None:
            return self.truth
        shares: NDArray[np.float32] = (self.types / self.types.sum(axis=1, keepdims=True)).astype(np.float32)
        return shares

    def scored(self, raw: NDArray[np.float32], good_index: int, novel: NDArray[np.bool_] | None = None) -> Scored:
        """Join the truth with raw scores (n, classes), and which images are novel (n,)."""
        return Scored(raw, self.truth, self.groups, good_index, self.types, novel)


@dataclass(frozen=True, slots=True)
class Material:
    """Everything that is learned from: a plain value. `digest` names the images, `classes` begins with `good`.

    boxes: of a model that judges boxes of its input, what its network learns from. smallest_defect_px: area of the
    smallest outlined defect where the network sees it; None where nothing is outlined. defects: the marked training
    defects with their area at the input size, the smallest first, where a task reads them.
    """

    name: str
    digest: str
    classes: tuple[str, ...]
    good: str
    split_seed: int
    train: Part
    validation: Part
    test: Part
    split_sha256: str | None = None
    boxes: Boxes | None = None
    smallest_defect_px: float | None = None
    defects: tuple[Defect, ...] = ()

    @property
    def good_index(self) -> int:
        """Give the index of the class that passes."""
        return self.classes.index(self.good)

    @property
    def channels(self) -> int:
        """Give 1 for grey images, 3 for colour."""
        return int(self.train.pixels.shape[3])

    def origin(self) -> DataOrigin:
        """Describe the images for the card."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        counts = {
            name: {self.classes[index]: count for index, count in sorted(Counter(part.truth.tolist()).items())}
            for name, part in parts.items()
        }
        groups = sum(len(set(part.groups)) for part in parts.values())
        seed = self.split_seed if self.split_sha256 is None else None
        return DataOrigin(
            name=self.name,
            digest=self.digest,
            counts=counts,
            groups=groups,
            split_seed=seed,
            split_sha256=self.split_sha256,
        )


def load_material(source: Source, settings: TrainSettings, folder: RunFolder, advance: Callable[[], None]) -> Material:
    """Load every image of a data set at the input size, into an array beside the bundle."""
    split = source.split
    everything = (*split.train, *split.validation, *split.test)
    pixels = folder.pixels((len(everything), settings.height, settings.width, source.channels))
    fill_pixels(everything, pixels, settings.threads, advance, folder.ledger(len(everything)))
    return material_of(source, settings, pixels)


def material_of(source: Source, settings: TrainSettings, pixels: NDArray[np.uint8]) -> Material:
    """Put loaded pixels uint8 (n, h, w, c) beside their truth: training images first, then validation, then test."""
    dataset, split = source.dataset, source.split
    bounds = np.cumsum([0, len(split.train), len(split.validation), len(split.test)]).tolist()

    def part(number: int, samples: tuple[Sample, ...]) -> Part:
        return Part(
            pixels[bounds[number] : bounds[number + 1]],
            truths(samples, source.classes),
            tuple(sample.group for sample in samples),
            tuple(map(dataset.title_of, samples)),
            types_of(samples, source.classes),
        )

    return Material(
        name=dataset.root.name,
        digest=source.digest,
        classes=source.classes,
        good=dataset.good,
        split_seed=settings.seed,
        train=part(0, split.train),
        validation=part(1, split.validation),
        test=part(2, split.test),
        split_sha256=source.split_sha256,
    )


def mark_test(material: Material, source: Source, folder: RunFolder, threads: int) -> Material:
    """Give a material the masks of its test images, where something is marked, to hold the maps against.

    Not where a task has read them already, nor where the labels are those of places.
    """
    test = source.split.test
    if material.test.masks is not None or has_places(test) or not any(map(has_marks, test)):
        return material
    masks = folder.pixels((len(test), *material.test.pixels.shape[1:3]), "test-masks")
    fill_masks(test, source.dataset.classes, masks, threads)
    return replace(material, test=replace(material.test, masks=masks))
