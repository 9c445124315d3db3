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


class Scorer(Protocol):
    """Anything that turns uint8 (n, height, width, channels) into raw scores float32 (n, classes)."""

    def run(self, batch: NDArray[np.uint8], /) -> NDArray[np.float32]:
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
    reference: NDArray[np.float32], scores: NDArray[np.float32], *, good_index: int, threshold: float
) -> Parity:
    """Compare raw scores (n, classes) of two executions, and their verdicts at a defect probability threshold."""
    before = defect_probability(reference, good_index) >= threshold
    after = defect_probability(scores, good_index) >= threshold
    return Parity(
        images=len(scores), max_abs=largest_difference(reference, scores), flips=int(np.count_nonzero(before != after))
    )


def largest_difference(reference: NDArray[np.float32], scores: NDArray[np.float32]) -> float:
    """Give the largest |difference| of two equally shaped arrays of scores; NaN when one holds a NaN."""
    if reference.shape != scores.shape:
        raise ValueError(f"scores of shape {scores.shape} cannot be compared with {reference.shape}")
    return float(np.abs(reference.astype(np.float64) - scores.astype(np.float64)).max(initial=0.0))


def check_golden(scorer: Scorer, golden: Golden, score_abs: float) -> Check:
    """Run the golden inputs in batches of at most 8 and hold the scores against the golden ones."""
    step = BATCHES[-1]
    parts = [scorer.run(golden.inputs[start : start + step]) for start in range(0, len(golden.inputs), step)]
    delta = largest_difference(golden.scores, np.concatenate(parts))
    passed = delta <= score_abs
    relation = "within" if passed else "above"
    detail = (
        f"golden vectors: max|Δ| {delta:.3g} of {len(golden.inputs)} images is {relation} the limit {score_abs:.3g}"
    )
    return Check("golden", passed, detail, measured=delta, limit=score_abs)


def check_batch_invariance(scorer: Scorer, golden: Golden, score_abs: float, sizes: Sequence[int] = BATCHES) -> Check:
    """Score the golden inputs one by one and in each batch size (repeated to fill), and compare the scores."""
    alone = np.concatenate([scorer.run(golden.inputs[index : index + 1]) for index in range(len(golden.inputs))])
    delta = 0.0
    for size in sizes:
        count = -(-max(len(golden.inputs), size) // size) * size
        order = np.arange(count) % len(golden.inputs)
        for start in range(0, count, size):
            rows = order[start : start + size]
            delta = float(np.maximum(delta, largest_difference(alone[rows], scorer.run(golden.inputs[rows]))))
    passed = delta <= score_abs
    relation = "within" if passed else "above"
    batches = ", ".join(str(size) for size in sizes)
    detail = f"batches of {batches}: max|Δ| {delta:.3g} against one by one is {relation} the limit {score_abs:.3g}"
    return Check("batch_invariance", passed, detail, measured=delta, limit=score_abs)
