"""Which images of a data set are meant: all of them, or a part of those that a bundle was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from datasets.sample import Dataset, Sample
from datasets.splitfile import read_split, split_digest
from datasets.splits import split_dataset
from models.bundle import Bundle
from models.card import Card
from training.arrange import arrange, rescanned
from training.errors import EvaluationError
from training.remembered import choose_remembered


def choose_images(dataset: Dataset, bundle: Bundle, split: str, split_file: Path | None) -> Sequence[Sample]:
    """Return the images of a part, as `training.judging.judge_images` says.

    Raises EvaluationError where nobody knows which they are.
    """
    card = bundle.card
    if split == "all":
        if split_file is not None:
            raise EvaluationError(
                f"--split-file {split_file}: is of no use with --split all — say which part is meant — add --split test"
            )
        mine = rescanned(dataset) if card.task == "template" else {}
        return tuple(mine.get(sample.path, sample) for sample in dataset.samples)
    parts = ("train", "validation", "test")
    if split not in parts:
        raise EvaluationError(f"--split {split}: is no part — allowed are all, {', '.join(parts)} — choose one")
    if split_file is not None:
        return _choose_stated(dataset, card, split, split_file)
    if card.provenance.made_from is not None and (chosen := choose_remembered(bundle, dataset, split)):
        return chosen
    if card.data.split_sha256 is not None:
        raise EvaluationError(
            f"--split {split}: '{card.name}' was trained along a split file — only that file tells which images it has "
            "seen — give it with --split-file"
        )
    if card.data.split_seed is None or dataset.digest() != card.data.digest:
        raise EvaluationError(
            f"--split {split}: {dataset.root} does not hold the images and groups that '{card.name}' was trained on, "
            "so nobody knows which of them it has seen — give that folder, or leave --split out for new images"
        )
    seeded: Sequence[Sample] = getattr(
        arrange(card.task, dataset, split_dataset(dataset, seed=card.data.split_seed)), split
    )
    return seeded


def _choose_stated(dataset: Dataset, card: Card, split: str, split_file: Path) -> Sequence[Sample]:
    """Return a part of a split file; of the training images only the split that was trained along is taken."""
    stated = read_split(split_file, dataset)
    if dataset.digest() == card.data.digest and split_digest(dataset, stated) != card.data.split_sha256:
        raise EvaluationError(
            f"--split-file {split_file}: is not the split that '{card.name}' was trained along, so its {split} images "
            "may have been trained on — give that file, or leave --split-file out where it was trained without one"
        )
    chosen: Sequence[Sample] = getattr(arrange(card.task, dataset, stated), split)
    if not chosen:
        raise EvaluationError(f"--split-file {split_file}: has no {split} image — add some, or choose another --split")
    return chosen
