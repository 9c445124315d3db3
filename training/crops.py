"""What the network of a cut model learns from: the boxes of the images, each with its own label."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from datasets.parts import Parts, gather_parts, has_places
from datasets.splits import Split
from training.cut import Cut, crop, cut_places, cut_tiles
from training.images import Source
from training.material import Material, Part, load_material
from training.runfolder import RunFolder
from training.settings import TrainSettings
from training.tiling import Chosen, choose_tiles, refuse_unmarked

PLACE_SIDE = 224


@dataclass(frozen=True, slots=True)
class Boxes:
    """The boxes of a material and how they were cut: a plain value.

    train, validation, test: their pixels (n, side, side, c), labels and names. place_labels: of each test image the
    label at each place; empty for tiles.
    """

    cut: Cut
    train: Part
    validation: Part
    test: Part
    place_labels: tuple[tuple[str, ...], ...] = ()

    def alone(self, material: Material) -> Material:
        """Give the material of the network itself, in which every box is an image."""
        return replace(material, train=self.train, validation=self.validation, test=self.test, boxes=None)


def is_cut(source: Source, settings: TrainSettings) -> bool:
    """Tell whether a model judges boxes of its input rather than all of it."""
    return settings.tile is not None or has_places(source.dataset.samples)


def load_boxes(source: Source, settings: TrainSettings, folder: RunFolder, advance: Callable[[], None]) -> Material:
    """Load whole images at the input size, and the boxes of them that are learned from, into arrays beside the bundle.

    Raises DatasetError or TrainingError where the images have no common places or no tile can be learned from.
    """
    if has_places(source.dataset.samples):
        return _load_places(source, settings, folder, advance)
    return _load_tiles(source, settings, folder, advance)


def _load_places(source: Source, settings: TrainSettings, folder: RunFolder, advance: Callable[[], None]) -> Material:
    dataset, split = source.dataset, source.split
    gather_parts(dataset.samples, dataset.good)  # refuses images of different places, whichever part they are in
    parts = [gather_parts(samples, dataset.good) for samples in (split.train, split.validation, split.test)]
    whole = replace(source, split=Split(*(found.samples for found in parts)))

    def advance_all() -> None:
        for _ in parts[0].places:
            advance()

    material = load_material(whole, settings, folder, advance_all)
    cut = cut_places(parts[0], settings.height, settings.width, settings.tile or PLACE_SIDE)
    chosen = [_every_box(found, source.classes) for found in parts]
    boxes = _boxes(material, cut, chosen, folder)
    return replace(material, boxes=replace(boxes, place_labels=parts[2].labels))


def _every_box(parts: Parts, classes: Sequence[str]) -> Chosen:
    number = {name: index for index, name in enumerate(classes)}
    return [
        (image, box, number[label]) for image, labels in enumerate(parts.labels) for box, label in enumerate(labels)
    ]


def _load_tiles(source: Source, settings: TrainSettings, folder: RunFolder, advance: Callable[[], None]) -> Material:
    assert settings.tile is not None
    cut = cut_tiles(settings.height, settings.width, settings.tile)
    split, classes = source.split, source.classes
    random = np.random.default_rng([settings.seed, len(cut.boxes)])
    chosen = [
        choose_tiles(samples, cut, classes, source.dataset.good, random)
        for samples in (split.train, split.validation, split.test)
    ]
    refuse_unmarked(chosen[0], classes, str(source.dataset.root))
    material = load_material(source, settings, folder, advance)
    return replace(material, boxes=_boxes(material, cut, chosen, folder))


def _boxes(material: Material, cut: Cut, chosen: Sequence[Chosen], folder: RunFolder) -> Boxes:
    total = sum(map(len, chosen))
    pixels = folder.pixels((total, cut.side, cut.side, material.channels), "boxes")
    parts, begin = [], 0
    for part, boxes in zip((material.train, material.validation, material.test), chosen, strict=True):
        rows = pixels[begin : begin + len(boxes)]
        parts.append(_part(part, cut, boxes, rows))
        begin += len(boxes)
    return Boxes(cut, parts[0], parts[1], parts[2])


def _part(part: Part, cut: Cut, chosen: Chosen, rows: NDArray[np.uint8]) -> Part:
    for row, (image, box, _) in enumerate(chosen):
        rows[row] = crop(part.pixels[image], cut.boxes[box], cut.side)
    return Part(
        pixels=rows,
        truth=np.array([label for _, _, label in chosen], dtype=np.intp),
        groups=tuple(part.groups[image] for image, _, _ in chosen),
        names=tuple(f"{part.names[image]} · {_box_name(cut, box)}" for image, box, _ in chosen),
    )


def _box_name(cut: Cut, box: int) -> str:
    x, y, _, _ = cut.boxes[box]
    return cut.names[box] if cut.names else f"tile at {x}, {y}"
