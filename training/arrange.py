"""Which images a task trains, validates and tests with, and which classes its scores have; free of torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from datasets.parts import has_places
from datasets.sample import Dataset, Sample
from datasets.splits import Split
from training.errors import SettingsError, TrainingDataError

TaskName = Literal["classify", "anomaly", "segment", "template"]
TASKS: tuple[str, ...] = get_args(TaskName)
ANOMALY = "anomaly"
_FEW_PIECES = 6


def choose_task(asked: str | None, dataset: Dataset) -> tuple[str, str]:
    """Return the task and why it is the one; raise SettingsError for a name that is none.

    Unless one is asked for, what the labels allow decides: 'anomaly' without defects or with fewer than six defective
    pieces, 'template' where defective images come with a golden one, 'segment' where most of them are outlined, else
    'classify', which is also for images with several places.
    """
    if asked is not None:
        if asked not in TASKS:
            raise SettingsError(f"--task {asked}: is no task — allowed are {', '.join(TASKS)} — choose one")
        return asked, "as asked for"
    bad = [sample for sample in dataset.samples if sample.label != dataset.good]
    pieces = len({sample.group for sample in bad})
    if not bad and 2 * sum(sample.template is not None for sample in dataset.samples) > len(dataset.samples):
        return "template", "good parts come with a golden image"
    if not bad:
        return "anomaly", "there are no defects to learn from"
    if 2 * sum(sample.template is not None for sample in bad) > len(bad):
        return "template", "most defective images come with a golden one"
    if has_places(dataset.samples):
        return "classify", "each place of the images has its label"
    if pieces < _FEW_PIECES:
        return "anomaly", f"there are only {pieces} defective pieces"
    if 2 * sum(sample.mask is not None or bool(sample.marks) for sample in bad) > len(bad):
        return "segment", "most defects are outlined"
    return "classify", "the images have classes"


def classes_of(task: str, dataset: Dataset) -> tuple[str, ...]:
    """Return the classes of the scores, the good one first."""
    alone = task == "anomaly" or (task == "template" and len(dataset.classes) == 1)
    return (dataset.good, ANOMALY) if alone else dataset.classes


def truths(samples: Sequence[Sample], classes: Sequence[str]) -> NDArray[np.intp]:
    """Give the class index of each sample (n,); what is no class of a model for anomalies is one."""
    place = {name: index for index, name in enumerate(classes)}
    other = place.get(ANOMALY, -1)
    found = np.array([place.get(sample.label, other) for sample in samples], dtype=np.intp)
    if (found < 0).any():
        raise ValueError(f"a sample is of none of {', '.join(classes)}")
    return found


def types_of(samples: Sequence[Sample], classes: Sequence[str]) -> NDArray[np.bool_] | None:
    """Tell of each sample which classes it shows (n, classes); None where each shows its one class alone."""
    if not any(len(sample.types) > 1 for sample in samples):
        return None
    shown = np.zeros((len(samples), len(classes)), bool)
    shown[np.arange(len(samples)), truths(samples, classes)] = True
    place = {name: index for index, name in enumerate(classes)}
    for row, sample in enumerate(samples):
        shown[row, [place[name] for name in sample.types if name in place]] = True
    return shown


def arrange(task: str, dataset: Dataset, split: Split) -> Split:
    """Return the split as a task uses it: of 'anomaly' every defect that would train validates or tests, by piece.

    Raises TrainingDataError when a part is left without what the task needs.
    """
    if task == "template":
        mine = rescanned(dataset)
        parts = (split.train, split.validation, split.test)
        return Split(*(tuple(mine.get(sample.path, sample) for sample in part) for part in parts))
    if task != "anomaly":
        return split
    train = tuple(sample for sample in split.train if sample.label == dataset.good)
    spare = [sample for sample in split.train if sample.label != dataset.good]
    place = {group: number for number, group in enumerate(sorted({sample.group for sample in spare}))}
    mixed = {sample.group for sample in train}
    spare = [sample for sample in spare if sample.group not in mixed]
    validation = (*split.validation, *(sample for sample in spare if place[sample.group] % 2 == 0))
    test = (*split.test, *(sample for sample in spare if place[sample.group] % 2 == 1))
    order = {sample: number for number, sample in enumerate(dataset.samples)}
    return replace(
        split,
        train=train,
        validation=tuple(sorted(validation, key=order.__getitem__)),
        test=tuple(sorted(test, key=order.__getitem__)),
    )


def rescanned(dataset: Dataset) -> dict[Path, Sample]:
    """Return the samples that are golden images themselves, each with itself as its golden image.

    `training.images.load_pixels` shows such a one as if it had been photographed once more: an untouched golden image
    beside itself would be a good part that proves nothing.
    """
    golden = {sample.template for sample in dataset.samples}
    own = [s for s in dataset.samples if s.template is None and s.path in golden and s.label == dataset.good]
    return {sample.path: replace(sample, template=sample.path) for sample in own}


def refuse_untrainable(task: str, dataset: Dataset, split: Split, where: str, advice: str) -> None:
    """Raise TrainingDataError where a class would not be trained, or nothing would be validated or tested."""
    from_good = len(classes_of(task, dataset)) == 2 and classes_of(task, dataset)[1] == ANOMALY
    if not from_good and len(dataset.classes) < 2:
        raise TrainingDataError(
            f"{dataset.root}: holds the one class '{dataset.classes[0]}' — a classifier needs a good class and at "
            "least one defect class — add a folder with photos of defects, or learn from good parts alone with "
            "--task anomaly"
        )
    have = {name for sample in split.train for name in sample.types}
    wanted = (dataset.good,) if from_good else dataset.classes
    lacking = [name for name in wanted if name not in have]
    for name, part in (("validation", split.validation), ("test", split.test)):
        if not any(sample.label == dataset.good for sample in part) if from_good else not part:
            lacking.append(name)
    if lacking:
        every = (*split.train, *split.validation, *split.test)
        pieces = f"{len(every)} image(s) of {len({sample.group for sample in every})} piece(s)"
        raise TrainingDataError(f"{where}: {', '.join(lacking)} would get no image, of {pieces} in all — {advice}")
