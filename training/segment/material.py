"""The images of a run with their truth masks beside them, and what is refused of these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from datasets.sample import Sample
from training.errors import TrainingDataError
from training.images import Source
from training.masks import Truth, fill_masks, has_marks
from training.material import Material, Part, load_material
from training.runfolder import RunFolder
from training.settings import TrainSettings

_NAMED = 5
_MAX_CLASSES = 255


def load_outlined(source: Source, settings: TrainSettings, folder: RunFolder, advance: Callable[[], None]) -> Material:
    """Load every image and its mask at the input size, into arrays beside the bundle.

    Raises DatasetError for a file that cannot be read, and TrainingDataError where nothing is marked, or something on
    images that pass.
    """
    _refuse_unmarked(source)
    material = load_material(source, settings, folder, advance)
    split = source.split
    everything = (*split.train, *split.validation, *split.test)
    masks = folder.pixels((len(everything), settings.height, settings.width), "masks")
    truths = fill_masks(everything, source.classes, masks, settings.threads)
    _refuse_contradictions(source, everything, truths)
    _refuse_empty(source, everything, truths[: len(split.train)])
    defects = [defect for truth in truths[: len(split.train)] for defect in truth.defects]
    ends = np.cumsum([len(split.train), len(split.validation), len(split.test)]).tolist()

    def part(given: Part, end: int) -> Part:
        return replace(given, masks=masks[end - len(given.truth) : end])

    return replace(
        material,
        train=part(material.train, ends[0]),
        validation=part(material.validation, ends[1]),
        test=part(material.test, ends[2]),
        defects=tuple(sorted(defects, key=lambda defect: defect.area_px)),
    )


def _refuse_unmarked(source: Source) -> None:
    """Raise TrainingDataError before anything is loaded where no defective training image is marked."""
    dataset, where = source.dataset, str(source.dataset.root)
    if len(dataset.classes) > _MAX_CLASSES:
        raise TrainingDataError(
            f"{where}: {len(dataset.classes)} classes — a mask holds at most {_MAX_CLASSES} — join rare ones"
        )
    bad = [sample for sample in source.split.train if sample.label != dataset.good]
    if any(has_marks(sample) for sample in bad):
        return
    elsewhere = sum(has_marks(sample) for sample in dataset.samples)
    found = f", {elsewhere} elsewhere," if elsewhere else ""
    raise TrainingDataError(
        f"{where}: none of the {len(bad)} defective training images{found} has a mask or an outline — segment learns "
        "where defects are from marked ones — mark them (masks as IMAGE.png beside IMAGE.jpg, or any format that "
        "`lineward dataset formats` lists), or learn from the classes alone with --task classify, or from good parts "
        "alone with --task anomaly"
    )


def _refuse_contradictions(source: Source, samples: Sequence[Sample], truths: Sequence[Truth]) -> None:
    """Raise TrainingDataError where an image passes and yet shows marks."""
    names = [source.dataset.name_of(s) for s, truth in zip(samples, truths, strict=True) if truth.contradicts]
    if names:
        raise TrainingDataError(
            f"{source.dataset.root}: {_listed(names)} of the good class '{source.dataset.good}', and something is "
            "marked on it — what is marked is a defect — move the image to the class of its defect, or empty the mask"
        )


def _refuse_empty(source: Source, samples: Sequence[Sample], truths: Sequence[Truth]) -> None:
    """Raise TrainingDataError where all masks of the defective training images are empty."""
    if any(truth.defects for truth in truths):
        return
    pairs = zip(samples, truths, strict=False)
    names = [source.dataset.name_of(s) for s, _ in pairs if s.label != source.dataset.good and has_marks(s)]
    raise TrainingDataError(
        f"{source.dataset.root}: the masks of all defective training images are empty: {_listed(names)} — what is not "
        "0 in a mask is a defect — export the masks again, or learn from the classes alone with --task classify"
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{len(names)} image{'' if len(names) == 1 else 's'} ({', '.join(names[:_NAMED])}{more})"
