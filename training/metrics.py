"""What a model's scores on labelled images are worth: escape, overkill, AUROC, average precision, each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.card import Calibration, CalibrationBin, Estimate, Metrics, Rate
from models.score import defect_probability
from training.intervals import auroc_interval, clopper_pearson

AUROC_METHOD = "Newcombe 2006 method 5, counted in independent groups"
_RESAMPLES = 500
_CALIBRATION_BINS = 10


@dataclass(frozen=True, slots=True)
class Scored:
    """Labelled images with their raw scores: a plain value.

    raw: float32 (n, classes). truth: class index of each image (n,). groups: the piece that each image shows.
    good_index: column of the class that passes. types: which classes each image shows (n, classes), None where it is
    the one of `truth` alone. novel: which images (n,) are beyond the model's limit of novelty, None where it has none.
    """

    raw: NDArray[np.float32]
    truth: NDArray[np.intp]
    groups: tuple[str, ...]
    good_index: int
    types: NDArray[np.bool_] | None = None
    novel: NDArray[np.bool_] | None = None

    def shows(self, index: int) -> NDArray[np.bool_]:
        """Tell for each image (n,) whether it shows this class."""
        return np.asarray(self.truth == index) if self.types is None else self.types[:, index]

    @property
    def probability(self) -> NDArray[np.float64]:
        """Give the defect probability of each image (n,)."""
        if len(self.raw) == 0:
            return np.zeros(0)
        return defect_probability(self.raw, self.good_index)

    @property
    def rejected_up_to(self) -> NDArray[np.float64]:
        """Give up to which threshold each image (n,) is rejected: its defect probability, or 1 where it is novel."""
        return self.probability if self.novel is None else np.where(self.novel, 1.0, self.probability)

    @property
    def defective(self) -> NDArray[np.bool_]:
        """Tell for each image (n,) whether it truly shows a defect."""
        return np.asarray(self.truth != self.good_index)

    def count_groups(self, chosen: NDArray[np.bool_]) -> int:
        """Count the groups of the chosen images."""
        return len({group for group, taken in zip(self.groups, chosen.tolist(), strict=True) if taken})


def make_rate(hits: int, total: int) -> Rate | None:
    """Give a rate with its 95 % Clopper-Pearson interval; None of nothing."""
    if total == 0:
        return None
    low, high = clopper_pearson(hits, total)
    value = hits / total
    return Rate(value=value, low=min(low, value), high=max(high, value), numerator=hits, denominator=total)


def auroc(probability: NDArray[np.float64], defective: NDArray[np.bool_]) -> float:
    """Give the share of (defect, good) pairs in which the defect scores higher, ties counted half (Mann-Whitney)."""
    _, inverse, counts = np.unique(probability, return_inverse=True, return_counts=True)
    mid_ranks = (np.cumsum(counts) - (counts - 1) / 2.0)[inverse]
    positives = int(np.count_nonzero(defective))
    negatives = len(defective) - positives
    return float((mid_ranks[defective].sum() - positives * (positives + 1) / 2.0) / (positives * negatives))


def average_precision(probability: NDArray[np.float64], defective: NDArray[np.bool_]) -> float:
    """Give the sum of precision × gained recall over all distinct limits, from the highest score down."""
    order = np.argsort(-probability, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(probability[order])), len(order) - 1)
    found = np.cumsum(defective[order])[ends]
    gained = np.diff(found, prepend=0) / max(1, int(np.count_nonzero(defective)))
    return float((found / (ends + 1) * gained).sum())


def measure(scored: Scored, threshold: float, classes: Sequence[str], split: str) -> Metrics:
    """Measure all figures at a threshold of the defect probability, with 95 % intervals.

    Rates are counted in images. The AUROC's interval is counted in groups, since images of one piece are not
    independent; that of the average precision resamples whole groups. `per_class` is the share judged rightly at the
    threshold: good ones passed, defects rejected; an image of several types counts under each of them. What cannot be
    counted is None.
    """
    defective, rejected = scored.defective, scored.rejected_up_to >= threshold
    bad, good = int(defective.sum()), int((~defective).sum())
    right = rejected == defective
    both = bad > 0 and good > 0
    members = {name: scored.shows(index) for index, name in enumerate(classes)}
    per_class = {name: make_rate(int(right[chosen].sum()), int(chosen.sum())) for name, chosen in members.items()}
    return Metrics(
        split=split,
        escape=make_rate(int((defective & ~rejected).sum()), bad),
        overkill=make_rate(int((~defective & rejected).sum()), good),
        accuracy=make_rate(int(right.sum()), len(right)),
        auroc=_auroc_estimate(scored) if both else None,
        average_precision=_precision_estimate(scored) if both else None,
        per_class={name: rate for name, rate in per_class.items() if rate is not None},
        confusion=confusion(scored, len(classes)),
    )


def confusion(scored: Scored, classes: int) -> tuple[tuple[int, ...], ...]:
    """Count images by truth (rows) and likeliest class (columns).

    An image of several types counts as the one that was found, where one of them was.
    """
    table = np.zeros((classes, classes), np.int64)
    if len(scored.raw):
        found, truth = scored.raw.argmax(axis=1), scored.truth
        if scored.types is not None:
            truth = np.where(scored.types[np.arange(len(truth)), found], found, truth)
        np.add.at(table, (truth, found), 1)
    return tuple(tuple(int(cell) for cell in row) for row in table)


def class_accuracy(table: Sequence[Sequence[int]]) -> Rate | None:
    """Give the share of images whose likeliest class is the true one, from a confusion matrix."""
    return make_rate(sum(row[index] for index, row in enumerate(table)), sum(map(sum, table)))


def calibration(scored: Scored, temperature: float, split: str) -> Calibration:
    """Compare defect probabilities with what was true, in ten bins; the error is the mean gap weighted by images."""
    probability, defective = scored.probability, scored.defective
    place = np.minimum((probability * _CALIBRATION_BINS).astype(np.intp), _CALIBRATION_BINS - 1)
    bins = tuple(
        CalibrationBin(
            low=index / _CALIBRATION_BINS,
            high=(index + 1) / _CALIBRATION_BINS,
            mean_probability=min(1.0, float(probability[place == index].mean())),
            defect_share=float(defective[place == index].mean()),
            count=int((place == index).sum()),
        )
        for index in sorted(set(place.tolist()))
    )
    gap = sum(b.count * abs(b.mean_probability - b.defect_share) for b in bins) / max(1, len(place))
    return Calibration(split=split, temperature=temperature, expected_calibration_error=min(1.0, gap), bins=bins)


def _auroc_estimate(scored: Scored) -> Estimate:
    value = auroc(scored.probability, scored.defective)
    low, high = auroc_interval(value, scored.count_groups(scored.defective), scored.count_groups(~scored.defective))
    return Estimate(value=value, low=low, high=high, method=AUROC_METHOD)


def _precision_estimate(scored: Scored) -> Estimate:
    probability, defective = scored.probability, scored.defective
    value = average_precision(probability, defective)
    keys, place = np.unique(np.array(scored.groups), return_inverse=True)
    rows = [np.flatnonzero(place == index) for index in range(len(keys))]
    random = np.random.default_rng(0)
    drawn = []
    for _ in range(_RESAMPLES):
        taken = np.concatenate([rows[index] for index in random.integers(0, len(rows), len(rows))])
        if defective[taken].any() and not defective[taken].all():
            drawn.append(average_precision(probability[taken], defective[taken]))
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist() if drawn else (0.0, 1.0)
    method = f"bootstrap of whole groups, {len(drawn)} resamples"
    return Estimate(value=value, low=min(low, value), high=max(high, value), method=method)
