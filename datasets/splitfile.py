"""The split file: which image trains, validates or tests, written once and read wherever a split is needed."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from pathlib import Path

from datasets.columns import describe_problems, read_column, write_columns
from datasets.errors import DatasetError
from datasets.sample import Dataset, Sample
from datasets.splits import NAMES, Split


def write_split(file: Path, dataset: Dataset, split: Split) -> None:
    """Write a split as CSV with the columns file,split, sorted by path. Raises DatasetError; never overwrites."""
    if file.exists():
        raise DatasetError(f"{file}: exists; a split is never overwritten; remove it or choose another --out")
    write_columns(file, ("file", "split"), _rows(dataset, split))


def read_split(file: Path, dataset: Dataset) -> Split:
    """Return the split that a CSV file with the columns file,split states for every image of a data set.

    Allowed are train, validation and test. Raises DatasetError that lists all problems: images without a line, other
    words, and groups whose images lie in several parts (figures measured on such a split are better than the truth).
    """
    images = [(sample.path, sample.label) for sample in dataset.samples]
    told = read_column(file, dataset.root, images, "split")
    foreign = [f"{path.relative_to(dataset.root).as_posix()}: '{part}'" for path, part in told.items()]
    foreign = [text for text, part in zip(foreign, told.values(), strict=True) if part not in NAMES]
    if foreign:
        headline = f"{file}: {len(foreign)} image(s) in no known part; {', '.join(NAMES)} are allowed"
        raise DatasetError(describe_problems(headline, foreign))
    parts: dict[str, list[Sample]] = {name: [] for name in NAMES}
    for sample in dataset.samples:
        parts[told[sample.path]].append(sample)
    split = Split(tuple(parts["train"]), tuple(parts["validation"]), tuple(parts["test"]))
    _refuse_parted(file, split)
    return split


def split_digest(dataset: Dataset, split: Split) -> str:
    """Return the sha256 (hex) over each image's relative path and part, in path order: what makes a split that one."""
    rows = ("\0".join(row) for row in _rows(dataset, split))
    return hashlib.sha256("\n".join(rows).encode("utf-8", "surrogateescape")).hexdigest()


def _rows(dataset: Dataset, split: Split) -> list[tuple[str, str]]:
    return sorted((path.relative_to(dataset.root).as_posix(), part) for path, part in split.part_of().items())


def _refuse_parted(file: Path, split: Split) -> None:
    parts_of: defaultdict[str, set[str]] = defaultdict(set)
    for name, samples in zip(NAMES, (split.train, split.validation, split.test), strict=True):
        for sample in samples:
            parts_of[sample.group].add(name)
    parted = [f"{group}: {', '.join(sorted(parts))}" for group, parts in sorted(parts_of.items()) if len(parts) > 1]
    if parted:
        headline = (
            f"{file}: {len(parted)} group(s) of images of one piece lie in several parts; mend the split or the groups"
        )
        raise DatasetError(describe_problems(headline, parted))
