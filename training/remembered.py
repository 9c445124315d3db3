"""Which image was trained, validated and tested with, by its content, kept in the bundle: `split.csv`."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from datasets.files import sha256_of_each
from datasets.sample import Dataset, Sample
from datasets.splitfile import read_split
from datasets.splits import NAMES, Split, split_dataset
from models.bundle import Bundle
from training.arrange import arrange
from training.errors import TrainingDataError

FILE = "split.csv"
_STRICT = ("test", "validation", "train")


def contents(dataset: Dataset) -> dict[Path, str]:
    """Return the sha256 (hex) of each image file of a data set."""
    paths = list(dict.fromkeys(sample.path for sample in dataset.samples))
    return dict(zip(paths, sha256_of_each(paths), strict=True))


def split_csv(split: Split, content_of: Mapping[Path, str]) -> bytes:
    """Write a split as CSV with the columns sha256,split, one line a content, sorted."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("sha256", "split"))
    rows.writerows(sorted(_by_content(split, content_of).items()))
    return text.getvalue().encode()


def remembered(bundle: Bundle) -> dict[str, str]:
    """Return the part of each image that a bundle was made with, by content; empty where it does not say."""
    if FILE not in bundle.card.files:
        return {}
    rows = csv.DictReader(io.StringIO(bundle.read(FILE).decode()))
    return {row["sha256"]: row["split"] for row in rows if row["split"] in NAMES}


def known_parts(
    bundle: Bundle, old: Dataset, content_of: Mapping[Path, str], split_file: Path | None
) -> dict[str, str]:
    """Return the part of each image that a bundle has seen, by content: as it remembers, or as its card allows to tell.

    Raises TrainingDataError where neither does: figures would then be measured on images that were trained on.
    """
    parts = remembered(bundle)
    if parts:
        return parts
    card = bundle.card
    if split_file is not None:
        return _by_content(arrange(card.task, old, read_split(split_file, old)), content_of)
    if card.data.split_seed is None or old.digest() != card.data.digest:
        raise TrainingDataError(
            f"{old.root}: does not hold the images and groups that '{card.name}' was trained on, and the bundle does "
            "not say which image it was tested with — without that, images that it has seen would test the new model — "
            "give the very folder of its training with --data (with --split-file where it had one)"
        )
    return _by_content(arrange(card.task, old, split_dataset(old, seed=card.data.split_seed)), content_of)


def keep_split(dataset: Dataset, content_of: Mapping[Path, str], known: Mapping[str, str], seed: int) -> Split:
    """Divide a data set so that every known image stays in its part; a new one of a known piece joins that piece.

    Where a piece is known from several parts its new images go to the strictest of them: test, validation, train.
    Pieces that are all new are divided as `datasets.splits.split_dataset` does.
    """
    parts_of_group: dict[str, set[str]] = {}
    for sample in dataset.samples:
        if (part := known.get(content_of[sample.path])) is not None:
            parts_of_group.setdefault(sample.group, set()).add(part)
    fresh = tuple(sample for sample in dataset.samples if sample.group not in parts_of_group)
    divided = split_dataset(replace(dataset, samples=fresh), seed=seed).part_of() if fresh else {}
    parts: dict[str, list[Sample]] = {name: [] for name in NAMES}
    for sample in dataset.samples:
        joined = parts_of_group.get(sample.group, set())
        strictest = next((part for part in _STRICT if part in joined), None)
        part = known.get(content_of[sample.path]) or strictest or divided[sample.path]
        parts[part].append(sample)
    return Split(tuple(parts["train"]), tuple(parts["validation"]), tuple(parts["test"]))


def choose_remembered(bundle: Bundle, dataset: Dataset, split: str) -> Sequence[Sample]:
    """Return the images of a data set that a bundle was trained, validated or tested with, by content."""
    parts, content_of = remembered(bundle), contents(dataset)
    return [sample for sample in dataset.samples if parts.get(content_of[sample.path]) == split]


def _by_content(split: Split, content_of: Mapping[Path, str]) -> dict[str, str]:
    """Return the part of each content; of one that lies in several, the strictest."""
    found: dict[str, str] = {}
    for path, part in split.part_of().items():
        before = found.get(content_of[path], "train")
        found[content_of[path]] = min(part, before, key=_STRICT.index)
    return found
