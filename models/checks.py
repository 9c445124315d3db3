"""The checks of promise 6, the same image, the same score: golden vectors, batch invariance, two sets of scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.golden import Golden
from models.score import defect_probability

BATCHES = (1, 2, 4, 8)


class Spoken(Protocol):
    """What is looked at of all that a model says: scores (n, classes), and novelty (n,) where it has one."""

    @property
    def scores(self) -> NDArray[np.float32]:
        """Give the raw scores."""
        ...

    @property
    def novelty(self) -> NDArray[np.float32] | None:
        """Give how far each picture is off those of the training."""
        ...


class Scorer(Protocol):
    """Anything that turns uint8 (n, height, width, channels) into scores, and novelty where it has one."""

    def run_all(self, batch: NDArray[np.uint8], /) -> Spoken:
        """Score one batch."""
        ...


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was verified: what was measured, against which limit, in words."""

    name: str
    passed: bool
    detail: str
    measured: float | None = None
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Parity:
    """Two sets of scores of the same images compared: largest |difference| and verdicts that would change."""

    images: int
    max_abs: float
    flips: int

    def within(self, score_abs: float) -> bool:
        """Tell whether the scores agree within the tolerance and no verdict changes; NaN never agrees."""
        return self.max_abs <= score_abs and self.flips == 0


def compare_scores(
    reference: NDArray[np.float32],
    scores: NDArray[np.float32],
    *,
    good_index: int,
    threshold: float,
    novel: tuple[NDArray[np.bool_] | None, NDArray[np.bool_] | None] = (None, None),
) -> Parity:
    """Compare raw scores (n, classes) of two executions, and their verdicts at a defect probability threshold.

    novel: which images (n,) are beyond the limit of novelty, and so rejected, in the reference and in the other.
    """
    before = defect_probability(reference, good_index) >= threshold
    after = defect_probability(scores, good_index) >= threshold
    if novel[0] is not None and novel[1] is not None:
        before, after = before | novel[0], after | novel[1]
    return Parity(
        images=len(scores), max_abs=largest_difference(reference, scores), flips=int(np.count_nonzero(before != after))
    )


def novelty_apart(reference: NDArray[np.float32], novelty: NDArray[np.float32]) -> float:
    """Give the largest |difference| of two novelties (n,), relative where they are above 1; NaN where one is a NaN.

    What is many times as far off as the limit, which is about 1, has no more digits than what is near it.
    """
    apart = np.abs(reference.astype(np.float64) - novelty.astype(np.float64))
    return float((apart / np.maximum(1.0, np.abs(reference))).max(initial=0.0))


def largest_difference(reference: NDArray[np.float32], scores: NDArray[np.float32]) -> float:
    """Give the largest |difference| of two equally shaped arrays of scores; NaN when one holds a NaN."""
    if reference.shape != scores.shape:
        raise ValueError(f"scores of shape {scores.shape} cannot be compared with {reference.shape}")
    return float(np.abs(reference.astype(np.float64) - scores.astype(np.float64)).max(initial=0.0))


def check_golden(scorer: Scorer, golden: Golden, score_abs: float) -> Check:
    """Run the golden inputs in batches of at most 8 and hold scores and novelty against the golden ones."""
    step, delta = BATCHES[-1], 0.0
    for start in range(0, len(golden.inputs), step):
        rows = np.arange(start, min(start + step, len(golden.inputs)))
        delta = float(np.maximum(delta, _apart(golden, rows, scorer.run_all(golden.inputs[rows]))))
    passed = delta <= score_abs
    relation = "within" if passed else "above"
    detail = (
        f"golden vectors: max|Δ| {delta:.3g} of {len(golden.inputs)} images is {relation} the limit {score_abs:.3g}"
    )
    return Check("golden", passed, detail, measured=delta, limit=score_abs)


def check_batch_invariance(scorer: Scorer, golden: Golden, score_abs: float, sizes: Sequence[int] = BATCHES) -> Check:
    """Score the golden inputs one by one and in each batch size (repeated to fill), and compare what comes out."""
    each = [scorer.run_all(golden.inputs[index : index + 1]) for index in range(len(golden.inputs))]
    novelty = [one.novelty for one in each if one.novelty is not None]
    alone = Golden(
        golden.inputs, np.concatenate([one.scores for one in each]), np.concatenate(novelty) if novelty else None
    )
    delta = 0.0
    for size in sizes:
        count = -(-max(len(golden.inputs), size) // size) * size
        order = np.arange(count) % len(golden.inputs)
        for start in range(0, count, size):
            rows = order[start : start + size]
            delta = float(np.maximum(delta, _apart(alone, rows, scorer.run_all(golden.inputs[rows]))))
    passed = delta <= score_abs
    relation = "within" if passed else "above"
    batches = ", ".join(str(size) for size in sizes)
    detail = f"batches of {batches}: max|Δ| {delta:.3g} against one by one is {relation} the limit {score_abs:.3g}"
    return Check("batch_invariance", passed, detail, measured=delta, limit=score_abs)


def _apart(golden: Golden, rows: NDArray[np.intp], given: Spoken) -> float:
    """Give the largest |difference| of scores or novelty of some of the golden inputs; NaN where one is no number."""
    apart = largest_difference(golden.scores[rows], given.scores)
    if golden.novelty is None:
        return apart
    told = np.full(len(rows), np.nan, np.float32) if given.novelty is None else given.novelty
    return float(np.maximum(apart, novelty_apart(golden.novelty[rows], told)))
