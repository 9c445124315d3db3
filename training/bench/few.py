"""A small copy of a set, laid out as the set is, so that everything reads it as it reads the whole."""

from __future__ import annotations

import hashlib
import shutil
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from datasets.sample import Dataset, Sample


def few_pieces(dataset: Dataset, groups_per_class: int) -> tuple[Sample, ...]:
    """Return the samples of so many pieces of each class, in each part that the layout states."""
    members: defaultdict[tuple[str, str | None], set[str]] = defaultdict(set)
    for sample in dataset.samples:
        members[sample.label, sample.split].add(sample.group)
    kept = {name for names in members.values() for name in shuffled(sorted(names))[:groups_per_class]}
    return tuple(sample for sample in dataset.samples if sample.group in kept)


def shuffled(names: Sequence[str]) -> list[str]:
    """Return names in an order that has nothing to do with them and is always the same."""
    return sorted(names, key=lambda name: hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest())


def copy_few(dataset: Dataset, samples: Sequence[Sample], target: Path) -> None:
    """Copy these images with their masks, templates and the files of their names to `target`; what lies there stays.

    Lists (groups, splits), which no image has its name from, are copied whole: readers pass over lines about images
    that are not there.
    """
    chosen = {file for sample in samples for file in (sample.path, sample.mask, sample.template) if file is not None}
    stems = _stems(samples)
    others = _stems(dataset.samples) - stems
    lists = {".txt", ".xml", ".json", ".csv", ".toml"}
    for file in sorted(dataset.root.rglob("*")):
        described = file.suffix.lower() in lists and file.stem not in others
        if file in chosen or (described and file.is_file()):
            place = target / file.relative_to(dataset.root)
            if not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, place)


def _stems(samples: Sequence[Sample]) -> set[str]:
    return {sample.path.stem.removesuffix("_test").removesuffix("_temp") for sample in samples}
