"""Measures a bundle on labelled images with ONNX Runtime alone, as the station would run it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.sample import Dataset, Sample
from datasets.splitfile import read_split, split_digest
from datasets.splits import split_dataset
from models.bundle import load_bundle
from models.card import Card, Metrics
from models.references import resolve_bundle
from models.session import Session, open_session
from training.errors import EvaluationError
from training.images import fill_pixels, open_grouped, truths
from training.metrics import Scored, class_accuracy, measure

_BATCH = 8


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came out, with the names of the images that were judged wrongly: a plain value."""

    bundle: Path
    data: Path
    threshold: float
    classes: tuple[str, ...]
    images: int
    groups: int
    metrics: Metrics
    missed: tuple[str, ...]
    false_alarms: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Give what `lineward evaluate --json` prints."""
        accuracy = class_accuracy(self.metrics.confusion or ())
        return {
            "bundle": str(self.bundle),
            "data": str(self.data),
            "threshold": self.threshold,
            "classes": list(self.classes),
            "images": self.images,
            "groups": self.groups,
            "metrics": self.metrics.model_dump(mode="json"),
            "class_accuracy": accuracy.model_dump(mode="json") if accuracy is not None else None,
            "missed": list(self.missed),
            "false_alarms": list(self.false_alarms),
        }


def evaluate_bundle(
    reference: str,
    data: Path,
    *,
    groups: Path | None = None,
    split: str = "all",
    split_file: Path | None = None,
    threshold: float | None = None,
    threads: int = 2,
    advance: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Score all images under `data`, or the part that training held out, and measure at a threshold.

    split: 'all', 'train', 'validation' or 'test', the latter three as the card's seed makes them of the very same
    images, or as `split_file` states them. threshold: of the defect probability, the card's by default. Raises
    ModelError, DatasetError, or EvaluationError when the images have a class that the bundle does not know.
    """
    if threshold is not None and not 0.0 <= threshold <= 1.0:
        raise EvaluationError(
            f"--threshold {threshold}: a probability of 0 to 1 is needed — leave it out for the card's"
        )
    bundle = load_bundle(resolve_bundle(reference))
    card = bundle.card
    find_groups = split != "all" and bool(card.provenance.settings.get("find_groups"))
    dataset = open_grouped(data, good=card.good_class, groups=groups, find_groups=find_groups)
    foreign = sorted(set(dataset.classes) - set(card.classes))
    if foreign:
        raise EvaluationError(
            f"{data}: class {', '.join(foreign)} is unknown to the bundle — it knows {', '.join(card.classes)} — "
            "rename the folders, or train with these images"
        )
    samples = _choose(dataset, card, split, split_file)
    session = open_session(bundle, intra_op_threads=threads)
    raw = _score(session, samples, threads, advance)
    limit = card.threshold.value if threshold is None else threshold
    scored = Scored(raw, truths(samples, card.classes), tuple(s.group for s in samples), card.good_index)
    rejected = scored.probability >= limit
    names = np.array([dataset.name_of(sample) for sample in samples])
    return Evaluation(
        bundle=bundle.path,
        data=data,
        threshold=limit,
        classes=card.classes,
        images=len(samples),
        groups=len(set(scored.groups)),
        metrics=measure(scored, limit, card.classes, split),
        missed=tuple(names[scored.defective & ~rejected].tolist()),
        false_alarms=tuple(names[~scored.defective & rejected].tolist()),
    )


def _choose(dataset: Dataset, card: Card, split: str, split_file: Path | None) -> Sequence[Sample]:
    if split == "all":
        if split_file is not None:
            raise EvaluationError(
                f"--split-file {split_file}: is of no use with --split all — say which part is meant — add --split test"
            )
        return dataset.samples
    parts = ("train", "validation", "test")
    if split not in parts:
        raise EvaluationError(f"--split {split}: is no part — allowed are all, {', '.join(parts)} — choose one")
    if split_file is not None:
        return _choose_stated(dataset, card, split, split_file)
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
    chosen: Sequence[Sample] = getattr(split_dataset(dataset, seed=card.data.split_seed), split)
    return chosen


def _choose_stated(dataset: Dataset, card: Card, split: str, split_file: Path) -> Sequence[Sample]:
    """Return a part of a split file; of the training images only the split that was trained along is taken."""
    stated = read_split(split_file, dataset)
    if dataset.digest() == card.data.digest and split_digest(dataset, stated) != card.data.split_sha256:
        raise EvaluationError(
            f"--split-file {split_file}: is not the split that '{card.name}' was trained along, so its {split} images "
            "may have been trained on — give that file, or leave --split-file out where it was trained without one"
        )
    chosen: Sequence[Sample] = getattr(stated, split)
    if not chosen:
        raise EvaluationError(f"--split-file {split_file}: has no {split} image — add some, or choose another --split")
    return chosen


def _score(
    session: Session, samples: Sequence[Sample], threads: int, advance: Callable[[], None]
) -> NDArray[np.float32]:
    size = session.card.input
    parts = []
    for start in range(0, len(samples), _BATCH):
        chunk = samples[start : start + _BATCH]
        pixels = np.empty((len(chunk), size.height, size.width, size.channels), np.uint8)
        fill_pixels(chunk, pixels, threads, advance)
        parts.append(session.run(pixels))
    return np.concatenate(parts)
