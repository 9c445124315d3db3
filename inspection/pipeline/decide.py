"""From raw scores to a decision: a pure function, and the words for parts that nothing could be decided about."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inspection.part import Decision, Evaluation, Reason, Verdict
from models.score import defect_probability, worst_class


@dataclass(frozen=True, slots=True)
class Judge:
    """The rule of the recipe: which class is good, and from which defect probability on a part is NOT_OK."""

    classes: tuple[str, ...]
    good_index: int
    threshold: float

    def decide(self, raw: NDArray[np.float32]) -> Decision:
        """Decide one part from its raw scores, (classes,): NOT_OK when 1 − softmax(raw)[good] ≥ threshold.

        Scores that are not finite decide nothing: NOT_DECIDABLE, rejected for SYSTEM.
        """
        return self.decide_batch(raw[None, :])[0]

    def decide_batch(self, raw: NDArray[np.float32]) -> list[Decision]:
        """Decide each row of raw scores, (n, classes), as `decide` does; a batch costs little more than one part."""
        finite: list[bool] = np.asarray(np.isfinite(raw).all(axis=1)).tolist()
        probabilities = defect_probability(raw, self.good_index).tolist()
        worst = worst_class(raw, self.good_index).tolist()
        rows: list[list[float]] = raw.tolist()
        return [
            self._decide(tuple(row), finite[place], probabilities[place], worst[place])
            for place, row in enumerate(rows)
        ]

    def _decide(self, raw_scores: tuple[float, ...], finite: bool, score: float, worst: int) -> Decision:
        if not finite:
            return replace(not_decidable(Reason.SYSTEM), raw_scores=raw_scores)
        rejected = score >= self.threshold
        return Decision(
            Evaluation.NOT_OK if rejected else Evaluation.OK,
            Verdict.REJECT if rejected else Verdict.PASS,
            Reason.MODEL if rejected else Reason.NONE,
            score,
            self.threshold,
            self.classes[worst],
            raw_scores,
        )


def not_decidable(reason: Reason) -> Decision:
    """Return the decision about a part that nobody could judge: rejected, for the reason given."""
    return Decision(Evaluation.NOT_DECIDABLE, Verdict.REJECT, reason)


def overruled(decision: Decision, reason: Reason) -> Decision:
    """Reject although the model decided (too late, or the station is in Error); its figures stay readable."""
    return replace(decision, verdict=Verdict.REJECT, reason=reason)
