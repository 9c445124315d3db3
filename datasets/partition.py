"""Three ways to divide images: by piece, by lot, and by time with the newest held out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from datasets.columns import describe_problems
from datasets.duplicates import find_duplicates
from datasets.errors import DatasetError
from datasets.files import Progress
from datasets.sample import Dataset, Sample
from datasets.splits import NAMES, Split, split_dataset

Fractions = tuple[float, float, float]


def group_by_look(dataset: Dataset, *, progress: Progress | None = None) -> Dataset:
    """Return the data set with images of one piece in one group, found by look; unchanged where groups are stated."""
    if any(sample.group != dataset.name_of(sample) for sample in dataset.samples):
        return dataset
    found = find_duplicates(list(dict.fromkeys(sample.path for sample in dataset.samples)), progress=progress).groups
    return replace(dataset, samples=tuple(replace(sample, group=found[sample.path]) for sample in dataset.samples))


def split_by_lot(dataset: Dataset, lots: Mapping[Path, str], *, seed: int = 0, fractions: Fractions) -> Split:
    """Divide a data set so that no lot and no group is parted: what a model meets when the next lot comes.

    lots: the lot of every image path. Lots that share a group stay together. Raises DatasetError, also where there are
    too few lots for the parts that have a share.
    """
    split = split_dataset(dataset, seed=seed, fractions=fractions, groups=joined(dataset, lots))
    _refuse_empty(split, fractions, f"{len(set(lots.values()))} lot(s)")
    return split


def joined(dataset: Dataset, lots: Mapping[Path, str]) -> dict[Path, str]:
    """Return for every image path the name of the lots and groups that hang together with it."""
    parent: dict[tuple[str, str], tuple[str, str]] = {}

    def top(key: tuple[str, str]) -> tuple[str, str]:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for sample in dataset.samples:
        first, second = sorted((top(("lot", lots[sample.path])), top(("piece", sample.group))))
        parent[second] = first  # a lot sorts before a piece, so every top is a lot
    return {sample.path: top(("piece", sample.group))[1] for sample in dataset.samples}


def split_by_time(dataset: Dataset, taken: Mapping[Path, datetime], *, fractions: Fractions) -> Split:
    """Divide a data set by time: the newest images test, those before them validate, the oldest train.

    taken: when each image was photographed. A group goes by its newest image and is not parted, nor are groups of one
    time; so no training image is newer than the newest of any group held out. A layout's own split does not count.
    Raises DatasetError where the times do not suffice for the parts that have a share.
    """
    newest: dict[str, datetime] = {}
    for sample in dataset.samples:
        newest[sample.group] = max(taken[sample.path], newest.get(sample.group, taken[sample.path]))
    at: defaultdict[datetime, list[Sample]] = defaultdict(list)
    for sample in dataset.samples:
        at[newest[sample.group]].append(sample)
    total, done = len(dataset.samples), 0
    part_of: dict[Path, str] = {}
    bounds = {"test": fractions[2] * total, "validation": (fractions[1] + fractions[2]) * total}
    for moment in sorted(at, reverse=True):
        part = next((name for name in ("test", "validation") if done < bounds[name] - 1e-6), "train")
        part_of |= {sample.path: part for sample in at[moment]}
        done += len(at[moment])
    parts = {name: tuple(sample for sample in dataset.samples if part_of[sample.path] == name) for name in NAMES}
    split = Split(parts["train"], parts["validation"], parts["test"])
    _refuse_empty(split, fractions, f"{len(at)} point(s) in time")
    return split


def parse_times(told: Mapping[Path, str], root: Path) -> dict[Path, datetime]:
    """Read ISO 8601 dates and times; raise DatasetError that lists those that are none, or differ in having a zone."""
    times: dict[Path, datetime] = {}
    problems: list[str] = []
    for path, text in told.items():
        try:
            times[path] = datetime.fromisoformat(text)
        except ValueError:
            problems.append(f"{path.relative_to(root).as_posix()}: '{text}'")
    if problems:
        headline = f"{root}: {len(problems)} time(s) cannot be read; ISO 8601 is needed, such as 2026-03-31T14:05:00"
        raise DatasetError(describe_problems(headline, problems))
    zoned = sum(time.tzinfo is not None for time in times.values())
    if zoned not in (0, len(times)):
        raise DatasetError(
            f"{root}: {zoned} times have a zone and {len(times) - zoned} have none, so they cannot be put in order; "
            "write all with a zone (…+00:00) or all without"
        )
    return times


def _refuse_empty(split: Split, fractions: Fractions, what: str) -> None:
    parts = zip(NAMES, (split.train, split.validation, split.test), fractions, strict=True)
    empty = [name for name, samples, share in parts if share > 0 and not samples]
    if empty:
        needed = sum(share > 0 for share in fractions)
        raise DatasetError(
            f"{what} cannot be divided so that {' and '.join(empty)} get an image; at least {needed} are needed, none "
            "too large; choose other --fractions or another --by"
        )
