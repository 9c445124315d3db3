"""Measures a bundle on labelled images: escape, overkill, and which images were misjudged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datasets.location import Location
from models.card import Metrics
from training.errors import EvaluationError
from training.judging import judge_images
from training.metrics import class_accuracy
from training.placewise import all_places


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
