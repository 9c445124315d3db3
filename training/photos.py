"""The photos that a bundle was made from, in its own three parts, brought to any input size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.location import Location
from datasets.sample import Dataset, Sample
from datasets.splits import Split
from models.bundle import Bundle
from models.card import Card
from training.arrange import truths, types_of
from training.choosing import choose_images
from training.errors import EvaluationError
from training.images import fill_pixels, open_grouped
from training.material import Part
from training.placewise import whole_parts


@dataclass(frozen=True, slots=True)
class Photos:
    """Training, validation and test images of a bundle: a plain value.

    work: folder for their pixels. labels: of each test image the label at each place, where the bundle judges places.
    """

    dataset: Dataset
    split: Split
    classes: tuple[str, ...]
    channels: int
    work: Path
    threads: int
    labels: tuple[tuple[str, ...], ...] = ()

    @property
    def train(self) -> tuple[Sample, ...]:
        """Give the images that the bundle was trained on."""
        return self.split.train

    def part(self, name: str, height: int, width: int) -> Part:
        """Return 'validation' or 'test' at an input size."""
        samples: tuple[Sample, ...] = getattr(self.split, name)
        groups, names = tuple(s.group for s in samples), tuple(map(self.dataset.name_of, samples))
        pixels, types = self.pixels(samples, height, width, name), types_of(samples, self.classes)
        return Part(pixels, truths(samples, self.classes), groups, names, types)

    def pixels(self, samples: Sequence[Sample], height: int, width: int, name: str = "some") -> NDArray[np.uint8]:
        """Load images at a size, uint8 (n, height, width, channels), into an array on disk."""
        file = self.work / f"{name}-{height}x{width}.npy"
        shape = (len(samples), height, width, self.channels)
        if name != "some" and file.exists():
            kept: NDArray[np.uint8] = np.lib.format.open_memmap(file, mode="r")
            return kept
        pixels = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=shape)
        fill_pixels(samples, pixels, self.threads, lambda: None)
        return pixels


def open_photos(bundle: Bundle, location: Location, split_file: Path | None, work: Path, threads: int) -> Photos:
    """Read the photos of a bundle's training. Raises DatasetError, and EvaluationError where they are not those."""
    card = bundle.card
    _refuse_compared(card)
    find = bool(card.provenance.settings.get("find_groups"))
    dataset = open_grouped(replace(location, good=card.good_class), find_groups=find)
    train, validation, test = (
        tuple(choose_images(dataset, bundle, part, split_file)) for part in ("train", "validation", "test")
    )
    if not (train and validation and test):
        raise EvaluationError(
            f"{location.folder}: holds {len(train)} training, {len(validation)} validation and {len(test)} test images "
            f"of '{card.name}' — some of each are needed — give the folder of its training"
        )
    labels: tuple[tuple[str, ...], ...] = ()
    if (parts := whole_parts(test, card)) is not None:
        labels = parts.labels
        train, validation, test = (_whole(samples, card) for samples in (train, validation, test))
    return Photos(dataset, Split(train, validation, test), card.classes, card.input.channels, work, threads, labels)


def _refuse_compared(card: Card) -> None:
    """Raise EvaluationError for a model beside golden images, which has no lighter form."""
    if card.task == "template":
        raise EvaluationError(
            f"--data: '{card.name}' compares pictures with golden images: these have their size, and an 8-bit form "
            "of such a model ended OpenVINO with a crash, so there is no lighter form to try — leave it out"
        )


def _whole(samples: Sequence[Sample], card: Card) -> tuple[Sample, ...]:
    parts = whole_parts(samples, card)
    return tuple(samples) if parts is None else parts.samples
