"""What a bundle says of labelled images, with ONNX Runtime alone, as the station would run it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.location import Location
from datasets.sample import Dataset, Sample
from models.bundle import Bundle, load_bundle
from models.card import Card, Metrics, Rate
from models.references import resolve_bundle
from models.score import defect_probability
from models.session import Session, open_session
from training.arrange import ANOMALY, truths, types_of
from training.choosing import choose_images
from training.errors import EvaluationError
from training.images import fill_pixels, open_grouped
from training.map_figures import MapTally, add_map_figures
from training.masks import fill_masks, has_marks
from training.metrics import Scored, measure
from training.placewise import rate_places, whole_parts
from training.scoring import score_samples


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


@dataclass(slots=True)
class _Maps:
    """The maps of the images as they are scored, owned by one `judge_images`: kept, and held against what is marked.

    kept: where they are wanted themselves; tally: where something is marked.
    """

    card: Card
    classes: Sequence[str]
    threads: int
    tally: MapTally | None
    wanted: bool
    kept: list[NDArray[np.float32]] = field(default_factory=list)

    def take(self, chunk: Sequence[Sample], raw: NDArray[np.float32], shown: NDArray[np.float32]) -> None:
        """Take the samples, scores and maps of a batch."""
        if self.wanted:
            self.kept.append(shown)
        if self.tally is not None:
            masks = np.empty((len(chunk), self.card.input.height, self.card.input.width), np.uint8)
            fill_masks(chunk, self.classes, masks, self.threads)
            share = defect_probability(raw, self.card.good_index)
            self.tally.add(masks, shown, share, tuple(sample.group for sample in chunk))


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
    _refuse_foreign(dataset, card, location.folder)
    samples = tuple(choose_images(dataset, bundle, split, split_file))
    labels = None
    if (parts := whole_parts(samples, card)) is not None:
        samples, labels = parts.samples, parts.labels
    session = open_session(bundle, intra_op_threads=threads)
    tally = MapTally() if card.map is not None and any(map(has_marks, samples)) else None
    maps = _Maps(card, dataset.classes, threads, tally, wanted=labels is not None)
    watch = maps.take if labels is not None or tally is not None else None
    raw, novel, seconds = score_samples(session, samples, threads, advance, watch=watch)
    groups = tuple(sample.group for sample in samples)
    scored = Scored(raw, truths(samples, card.classes), groups, card.good_index, types_of(samples, card.classes), novel)
    shown = np.concatenate(maps.kept) if maps.kept else None
    return Judged(bundle, session, dataset, samples, scored, split, seconds, labels, shown, tally)


def _refuse_foreign(dataset: Dataset, card: Card, folder: Path) -> None:
    """Raise EvaluationError for a class that the bundle does not know."""
    foreign = [] if ANOMALY in card.classes else sorted(set(dataset.classes) - set(card.classes))
    if foreign:
        raise EvaluationError(
            f"{folder}: class {', '.join(foreign)} is unknown to the bundle — it knows "
            f"{', '.join(card.classes)} — rename the folders, or train with these images"
        )
