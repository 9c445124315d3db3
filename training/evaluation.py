"""Measures a bundle on labelled images with ONNX Runtime alone, as the station would run it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.location import Location
from datasets.parts import gather_parts, has_places
from datasets.sample import Dataset, Sample
from datasets.splitfile import read_split, split_digest
from datasets.splits import split_dataset
from models.bundle import Bundle, load_bundle
from models.card import Card, Metrics, Rate
from models.references import resolve_bundle
from models.score import beyond, defect_probability
from models.session import Session, open_session
from training.arrange import ANOMALY, arrange, rescanned, truths, types_of
from training.errors import EvaluationError
from training.images import fill_pixels, open_grouped
from training.map_figures import MapTally, add_map_figures
from training.masks import fill_masks, has_marks
from training.metrics import Scored, class_accuracy, measure
from training.placewise import all_places, rate_places, refuse_other_places
from training.remembered import choose_remembered

_BATCH = 8

Watch = Callable[[Sequence[Sample], NDArray[np.float32], NDArray[np.float32]], None]


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
        places = all_places(self.metrics.per_place)
        return {
            "bundle": str(self.bundle),
            "data": str(self.data),
            "threshold": self.threshold,
            "classes": list(self.classes),
            "images": self.images,
            "groups": self.groups,
            "metrics": self.metrics.model_dump(mode="json"),
            "class_accuracy": accuracy.model_dump(mode="json") if accuracy is not None else None,
            "place_accuracy": places.model_dump(mode="json") if places is not None else None,
            "missed": list(self.missed),
            "false_alarms": list(self.false_alarms),
        }


@dataclass(frozen=True, slots=True)
class Judged:
    """Labelled images with what a bundle says of each: a plain value. seconds: spent in the session alone.

    place_labels, maps: of a bundle with places, the true label at each place of each image, and the maps of the images;
    None where the images have no places. tally: its maps beside what is marked, where there are both.
    """

    bundle: Bundle
    session: Session
    dataset: Dataset
    samples: tuple[Sample, ...]
    scored: Scored
    split: str
    seconds: float
    place_labels: tuple[tuple[str, ...], ...] | None = None
    maps: NDArray[np.float32] | None = None
    tally: MapTally | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Give the path of each image below the data's folder, and the place where one is meant."""
        return tuple(self.dataset.title_of(sample) for sample in self.samples)

    def metrics(self, threshold: float) -> Metrics:
        """Measure at a threshold of the defect probability, with the places and the maps where there are some."""
        card = self.bundle.card
        counted = measure(self.scored, threshold, card.classes, self.split)
        counted = counted.model_copy(update={"per_place": self._place_rates(threshold)})
        return add_map_figures(counted, self.tally, threshold)

    def _place_rates(self, threshold: float) -> dict[str, Rate]:
        """Give for each place the share of images in which it is judged rightly; empty where there are no places."""
        if self.place_labels is None or self.maps is None:
            return {}
        return rate_places(self.maps, self.bundle.card, self.place_labels, threshold)

    def pixels(self, chosen: Sequence[int]) -> NDArray[np.uint8]:
        """Load some of the images as the model sees them, uint8 (n, height, width, channels)."""
        size = self.session.card.input
        pixels = np.empty((len(chosen), size.height, size.width, size.channels), np.uint8)
        fill_pixels([self.samples[index] for index in chosen], pixels, 1, lambda: None)
        return pixels


def judge_images(
    reference: str,
    location: Location,
    *,
    split: str = "all",
    split_file: Path | None = None,
    find_groups: bool = False,
    threads: int = 2,
    advance: Callable[[], None] = lambda: None,
) -> Judged:
    """Score all images of a data set, or the part that training held out.

    split: 'all', 'train', 'validation' or 'test', the latter three as the card's seed makes them of the very same
    images, or as `split_file` states them. find_groups: with 'all', look for photos of the same piece where no file
    states them; the parts of a split have the groups of the training. Raises ModelError, DatasetError, or
    EvaluationError when the images have a class that the bundle does not know.
    """
    bundle = load_bundle(resolve_bundle(reference))
    card = bundle.card
    find = find_groups if split == "all" else bool(card.provenance.settings.get("find_groups"))
    dataset = open_grouped(replace(location, good=card.good_class), find_groups=find)
    foreign = [] if ANOMALY in card.classes else sorted(set(dataset.classes) - set(card.classes))
    if foreign:
        raise EvaluationError(
            f"{location.folder}: class {', '.join(foreign)} is unknown to the bundle — it knows "
            f"{', '.join(card.classes)} — rename the folders, or train with these images"
        )
    samples = tuple(choose_images(dataset, bundle, split, split_file))
    labels = None
    if card.places and has_places(dataset.samples):
        refuse_other_places(gather_parts(dataset.samples, card.good_class), card)
        parts = gather_parts(samples, card.good_class)
        samples, labels = parts.samples, parts.labels
    session = open_session(bundle, intra_op_threads=threads)
    tally = MapTally() if card.map is not None and any(map(has_marks, samples)) else None
    maps: list[NDArray[np.float32]] = []

    def watch(chunk: Sequence[Sample], raw: NDArray[np.float32], shown: NDArray[np.float32]) -> None:
        if labels is not None:
            maps.append(shown)
        if tally is not None:
            masks = np.empty((len(chunk), card.input.height, card.input.width), np.uint8)
            fill_masks(chunk, dataset.classes, masks, threads)
            share = defect_probability(raw, card.good_index)
            tally.add(masks, shown, share, tuple(sample.group for sample in chunk))

    looked_at = labels is not None or tally is not None
    raw, novel, seconds = score_samples(session, samples, threads, advance, watch=watch if looked_at else None)
    groups = tuple(s.group for s in samples)
    scored = Scored(raw, truths(samples, card.classes), groups, card.good_index, types_of(samples, card.classes), novel)
    shown = np.concatenate(maps) if maps else None
    return Judged(bundle, session, dataset, samples, scored, split, seconds, labels, shown, tally)


def evaluate_bundle(
    reference: str,
    location: Location,
    *,
    split: str = "all",
    split_file: Path | None = None,
    threshold: float | None = None,
    threads: int = 2,
    advance: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Score images as `judge_images` does and measure at a threshold of the defect probability, by default the card's.

    Raises also EvaluationError for a threshold that is no probability.
    """
    if threshold is not None and not 0.0 <= threshold <= 1.0:
        raise EvaluationError(
            f"--threshold {threshold}: a probability of 0 to 1 is needed — leave it out for the card's"
        )
    judged = judge_images(reference, location, split=split, split_file=split_file, threads=threads, advance=advance)
    card, scored = judged.bundle.card, judged.scored
    limit = card.threshold.value if threshold is None else threshold
    rejected = scored.rejected_up_to >= limit
    names = np.array(judged.names)
    return Evaluation(
        bundle=judged.bundle.path,
        data=location.folder,
        threshold=limit,
        classes=card.classes,
        images=len(judged.samples),
        groups=len(set(scored.groups)),
        metrics=judged.metrics(limit),
        missed=tuple(names[scored.defective & ~rejected].tolist()),
        false_alarms=tuple(names[~scored.defective & rejected].tolist()),
    )


def choose_images(dataset: Dataset, bundle: Bundle, split: str, split_file: Path | None) -> Sequence[Sample]:
    """Return the images of a part, as `judge_images` says. Raises EvaluationError where nobody knows which they are."""
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


def score_samples(
    session: Session,
    samples: Sequence[Sample],
    threads: int,
    advance: Callable[[], None] = lambda: None,
    *,
    watch: Watch | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None, float]:
    """Load and score samples in batches: raw scores (n, classes), which are novel (n,), and the session's seconds.

    None is novel where the card has no limit of novelty.

    watch: gets the samples, scores and maps (n, h, w) of each batch, of a model that has maps.
    """
    size, spec = session.card.input, session.card.novelty
    novel: list[NDArray[np.bool_]] = []
    parts: list[NDArray[np.float32]] = []
    spent_ns = 0
    for start in range(0, len(samples), _BATCH):
        chunk = samples[start : start + _BATCH]
        pixels = np.empty((len(chunk), size.height, size.width, size.channels), np.uint8)
        fill_pixels(chunk, pixels, threads, advance)
        begun_ns = time.monotonic_ns()
        given = session.run_all(pixels)
        spent_ns += time.monotonic_ns() - begun_ns
        if watch is not None and given.map is not None:
            watch(chunk, given.scores, given.map)
        parts.append(given.scores)
        if spec is not None and given.novelty is not None:
            novel.append(beyond(given.novelty, spec.limit))
    return np.concatenate(parts), np.concatenate(novel) if novel else None, spent_ns / 1e9
