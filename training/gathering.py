"""Old and new photos of a retraining as one data set, in which known images stay in the part where they were."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from datasets.duplicates import find_duplicates
from datasets.errors import DatasetError
from datasets.location import Location
from datasets.partition import joined
from datasets.sample import Dataset, Sample
from datasets.splitfile import split_digest
from models.bundle import Bundle
from models.card import Card
from training.arrange import arrange, classes_of, refuse_untrainable
from training.errors import TrainingDataError
from training.images import Source, channels_of
from training.released import refuse_lost_classes
from training.remembered import contents, keep_split, known_parts


def open_retrained(
    bundle: Bundle, old: Location, add: Sequence[Path], *, find_groups: bool, seed: int, split_file: Path | None
) -> tuple[Source, Mapping[Path, str]]:
    """Read the old photos and the new ones for the task of a bundle; give also the sha256 of each file.

    Every image that the bundle was trained, validated or tested with keeps its part. Raises DatasetError,
    TrainingDataError, and SettingsError where a class of the bundle has no image any more.
    """
    card = bundle.card
    sets = [read_like(location, card) for location in (old, *(Location(folder) for folder in add))]
    content_of: dict[Path, str] = {}
    for one in sets:
        content_of |= contents(one)
    known = known_parts(bundle, sets[0], content_of, split_file)
    dataset = _grouped(_united(sets, content_of, card.good_class), find_groups=find_groups)
    refuse_lost_classes(card, classes_of(card.task, dataset))
    split = arrange(card.task, dataset, keep_split(dataset, content_of, known, seed))
    advice = "every class must be trained, and there must be validation and test images — add photos of more pieces"
    refuse_untrainable(card.task, dataset, split, " + ".join(str(one.root) for one in sets), advice)
    told = split_digest(dataset, split)
    why = f"that of the bundle '{card.name}'"
    source = Source(dataset, split, dataset.digest(), channels_of(split.train), card.task, why, told)
    if source.channels != card.input.channels:
        source = replace(source, channels=card.input.channels)
    return source, content_of


def read_like(location: Location, card: Card) -> Dataset:
    """Read photos with the good class of a card; where it has no photo among them, all are defects.

    Raises DatasetError, or TrainingDataError where another class looks like the good one.
    """
    try:
        return replace(location, good=card.good_class).read()
    except DatasetError:
        dataset = location.read(require_good=False)
    if dataset.good not in ("", card.good_class):
        raise TrainingDataError(
            f"{location.folder}: '{dataset.good}' looks like the good class, the bundle calls it '{card.good_class}' — "
            "one name for it is needed — rename the folder or the label"
        )
    return replace(dataset, good=card.good_class)


def _united(sets: Sequence[Dataset], content_of: Mapping[Path, str], good: str) -> Dataset:
    """Put data sets together, each content once; raise TrainingDataError where two of them label it differently."""
    label_of: dict[str, tuple[int, str]] = {}
    conflicts: list[str] = []
    samples: list[Sample] = []
    for number, one in enumerate(sets):
        stated = any(sample.group != one.name_of(sample) for sample in one.samples)
        for sample in one.samples:
            first, label = label_of.setdefault(content_of[sample.path], (number, sample.label))
            if first == number:
                group = f"{number}: {sample.group}" if stated else str(sample.path)
                samples.append(replace(sample, group=group))
            elif label != sample.label:
                conflicts.append(f"{sample.path}: '{sample.label}', before '{label}'")
    if conflicts:
        raise TrainingDataError(
            f"{len(conflicts)} image(s) are there twice with different labels ({'; '.join(conflicts[:3])}"
            f"{'; …' if len(conflicts) > 3 else ''}) — an image has one label — mend the label where it is wrong, or "
            "remove one of the two"
        )
    labels = {label for sample in samples for label in sample.types}
    root = Path(os.path.commonpath([one.root for one in sets]))
    return Dataset(root, sets[0].layout, good, tuple(samples), (good, *sorted(labels - {good})))


def _grouped(dataset: Dataset, *, find_groups: bool) -> Dataset:
    """Join photos of the same piece that were found by their look with the pieces that files state."""
    if not find_groups:
        return dataset
    found = find_duplicates(list(dict.fromkeys(sample.path for sample in dataset.samples))).groups
    one = joined(dataset, {path: str(group) for path, group in found.items()})
    return replace(dataset, samples=tuple(replace(sample, group=one[sample.path]) for sample in dataset.samples))
