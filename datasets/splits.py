"""Training, validation and test images: the same for the same seed, every class in each, no group in two."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets.errors import DatasetError
from datasets.sample import Dataset, Sample

NAMES = ("train", "validation", "test")
_ORDER_OF_FILLING = ("train", "test", "validation")


@dataclass(frozen=True, slots=True)
class Split:
    """The three parts of a data set: a plain value. Each keeps the data set's order."""

    train: tuple[Sample, ...]
    validation: tuple[Sample, ...]
    test: tuple[Sample, ...]

    def part_of(self) -> dict[Path, str]:
        """Return 'train', 'validation' or 'test' for each image path."""
        parts = zip(NAMES, (self.train, self.validation, self.test), strict=True)
        return {sample.path: name for name, samples in parts for sample in samples}


def split_dataset(
    dataset: Dataset,
    *,
    seed: int = 0,
    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2),
    groups: Mapping[Path, str] | None = None,
) -> Split:
    """Divide a data set into train, validation and test by `fractions` of the images of each class.

    groups: group of each image path, instead of `Sample.group` (near duplicates that were found, for instance); a group
    is never parted, so fractions are met as far as its groups allow. The result depends on seed, relative paths, labels
    and groups alone. A group of several classes counts as its rarest class.

    A layout's own split is kept: its test stays test, its validation stays validation, and where it has no validation
    one is carved out of train in the proportion of `fractions`. A class that the layout gives no training image at all
    (each defect of MVTec-AD) is divided by `fractions` instead, since a classifier cannot learn what it never sees;
    figures are then not those of anomaly detection papers. A group that the layout parts goes where the strictest of
    its images goes: test, then validation, then train. Raises DatasetError.
    """
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6 or fractions[0] <= 0:
        raise DatasetError(f"fractions {fractions}: shares of train, validation, test that add up to 1 are needed")
    shares = dict(zip(NAMES, fractions, strict=True))
    members: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in dataset.samples:
        members[groups[sample.path] if groups is not None else sample.group].append(sample)
    trained = {sample.label for sample in dataset.samples if sample.split in ("train", None)}
    validates = any(sample.split == "validation" for sample in dataset.samples)
    strata = _strata(dataset, members)
    part_of_group: dict[str, str] = {}
    for label, keys in sorted(strata.items()):
        free: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
        for key in keys:
            free[_allowed(members[key], trained, validates=validates)].append(key)
        for allowed, undecided in sorted(free.items()):
            sizes = {key: len(members[key]) for key in undecided}
            part_of_group |= _divide(sizes, {name: shares[name] for name in allowed}, f"{seed}/{label}")
    parts: dict[str, list[Sample]] = {name: [] for name in NAMES}
    for sample in dataset.samples:
        parts[part_of_group[groups[sample.path] if groups is not None else sample.group]].append(sample)
    return Split(tuple(parts["train"]), tuple(parts["validation"]), tuple(parts["test"]))


def _strata(dataset: Dataset, members: Mapping[str, Sequence[Sample]]) -> dict[str, list[str]]:
    """Return the groups of each class, a group of several classes under the rarest."""
    counts = Counter(sample.label for sample in dataset.samples)
    strata: defaultdict[str, list[str]] = defaultdict(list)
    for key, samples in members.items():
        strata[min({sample.label for sample in samples}, key=lambda label: (counts[label], label))].append(key)
    return strata


def _allowed(samples: Sequence[Sample], trained: set[str], *, validates: bool) -> tuple[str, ...]:
    """Return the parts that a group may go to, by what the layout says about its images."""
    stated = {sample.split for sample in samples if sample.label in trained or sample.split != "test"}
    for strict in ("test", "validation"):
        if strict in stated:
            return (strict,)
    if stated == {"train"}:
        return ("train",) if validates else ("train", "validation")
    return NAMES


def _divide(sizes: Mapping[str, int], shares: Mapping[str, float], salt: str) -> dict[str, str]:
    """Return the part of each group: largest first, ties in a shuffled order, each to the part that is least full."""
    open_parts = [name for name in _ORDER_OF_FILLING if shares.get(name, 0) > 0] or list(shares)
    filled = dict.fromkeys(open_parts, 0)
    parts: dict[str, str] = {}
    for key in sorted(sizes, key=lambda key: (-sizes[key], hashlib.sha256(f"{salt}/{key}".encode()).digest())):
        chosen = min(open_parts, key=lambda name: filled[name] / (shares[name] or 1))
        filled[chosen] += sizes[key]
        parts[key] = chosen
    return parts
