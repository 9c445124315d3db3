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
        scores = tuple(float(value) for value in raw)
        if not np.isfinite(raw).all():
            return replace(not_decidable(Reason.SYSTEM), raw_scores=scores)
        score = float(defect_probability(raw[None, :], self.good_index)[0])
        rejected = score >= self.threshold
        return Decision(
            evaluation=Evaluation.NOT_OK if rejected else Evaluation.OK,
            verdict=Verdict.REJECT if rejected else Verdict.PASS,
            reason=Reason.MODEL if rejected else Reason.NONE,
            score=score,
            threshold=self.threshold,
            defect_class=self.classes[int(worst_class(raw[None, :], self.good_index)[0])],
            raw_scores=scores,
        )


def not_decidable(reason: Reason) -> Decision:
    """Return the decision about a part that nobody could judge: rejected, for the reason given."""
    return Decision(Evaluation.NOT_DECIDABLE, Verdict.REJECT, reason)


def overruled(decision: Decision, reason: Reason) -> Decision:
    """Reject although the model decided (too late, or the station is in Error); its figures stay readable."""
    return replace(decision, verdict=Verdict.REJECT, reason=reason)
