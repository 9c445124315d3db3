"""Divides a set into folds without leaks: whole groups, every image tested once, its classes spread evenly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from datasets.sample import Dataset, Sample
from datasets.splits import Split, split_dataset
from training.arrange import truths
from training.errors import TrainingDataError

_VALIDATION = 1 / 8  # of what is not tested: a tenth of all images in five folds


def cut_folds(dataset: Dataset, count: int, task: str, *, seed: int = 0) -> tuple[Split, ...]:
    """Return `count` splits whose test parts are the whole set, each image once; no group is ever parted.

    An eighth of the rest validates. Of 'anomaly' the defects of the rest validate, too, so that each is tested once.
    Raises TrainingDataError where a class has fewer groups than folds.
    """
    truth = truths(dataset.samples, dataset.classes)
    groups = np.array([sample.group for sample in dataset.samples])
    few = {
        name: len(set(groups[truth == index]))
        for index, name in enumerate(dataset.classes)
        if len(set(groups[truth == index])) < count
    }
    if count < 2 or few:
        raise TrainingDataError(
            f"{dataset.root}: cannot be cut into {count} folds"
            + "".join(f"; '{name}' has {number} independent piece(s)" for name, number in few.items())
            + " — at least 2 folds, and of every class a piece for each, are needed — choose other --folds"
        )
    cut = StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(truth, truth, groups)
    return tuple(_split(dataset, rest, tested, task, seed) for rest, tested in cut)


def stated_split(dataset: Dataset, task: str, *, seed: int = 0) -> Split:
    """Return the set's own training and test images; a part of the training images validates."""
    split = split_dataset(dataset, seed=seed, fractions=(1 - _VALIDATION, _VALIDATION, 0.0))
    return _spare_defects(dataset, split) if task == "anomaly" else split


def _split(dataset: Dataset, rest: NDArray[np.intp], tested: NDArray[np.intp], task: str, seed: int) -> Split:
    remaining = replace(dataset, samples=tuple(replace(dataset.samples[row], split=None) for row in rest.tolist()))
    own = {(sample.path, sample.place): sample for sample in dataset.samples}
    divided = split_dataset(remaining, seed=seed, fractions=(1 - _VALIDATION, _VALIDATION, 0.0))

    def back(samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
        return tuple(own[sample.path, sample.place] for sample in samples)

    test = tuple(dataset.samples[row] for row in tested.tolist())
    split = Split(back(divided.train), back(divided.validation), test)
    return _spare_defects(dataset, split) if task == "anomaly" else split


def _spare_defects(dataset: Dataset, split: Split) -> Split:
    """Move the defects that nothing is learned from to validation, but those whose piece also trains."""
    trained = {sample.group for sample in split.train if sample.label == dataset.good}
    moved = {sample.group for sample in split.train if sample.label != dataset.good} - trained
    return Split(
        tuple(sample for sample in split.train if sample.group not in moved),
        (*split.validation, *(sample for sample in split.train if sample.group in moved)),
        split.test,
    )
