"""From raw scores to a decision: a pure function, and the words for parts that nothing could be decided about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from inspection.part import Decision, Evaluation, Reason, Verdict
from models.score import defect_probability_of, is_beyond, worst_class_of


@dataclass(frozen=True, slots=True)
class Judge:
    """The rule of the recipe: which class is good, and from which defect probability on a part is NOT_OK.

    novelty_limit: beyond it a picture is unlike those of the training; None where the model does not tell.
    """

    classes: tuple[str, ...]
    good_index: int
    threshold: float
    novelty_limit: float | None = None

    def decide(self, raw: NDArray[np.float32], novelty: float | None = None, /) -> Decision:
        """Decide one part from its raw scores, (classes,): NOT_OK when 1 − softmax(raw)[good] ≥ threshold.

        Scores that are not finite decide nothing: NOT_DECIDABLE, rejected for SYSTEM. Nor does any score of a picture
        that is beyond the limit of novelty, or of which nobody knows whether it is: rejected for OUT_OF_DISTRIBUTION.
        """
        scores: tuple[float, ...] = tuple(raw.tolist())
        if not all(map(isfinite, scores)):
            return replace(not_decidable(Reason.SYSTEM), raw_scores=scores, novelty=novelty)
        score = defect_probability_of(scores, self.good_index)
        rejected = score >= self.threshold
        found = Decision(
            Evaluation.NOT_OK if rejected else Evaluation.OK,
            Verdict.REJECT if rejected else Verdict.PASS,
            Reason.MODEL if rejected else Reason.NONE,
            score,
            self.threshold,
            self.classes[worst_class_of(scores, self.good_index)],
            scores,
            novelty,
        )
        if self.novelty_limit is None or (novelty is not None and not is_beyond(novelty, self.novelty_limit)):
            return found
        return replace(overruled(found, Reason.OUT_OF_DISTRIBUTION), evaluation=Evaluation.NOT_DECIDABLE)


def not_decidable(reason: Reason) -> Decision:
    """Return the decision about a part that nobody could judge: rejected, for the reason given."""
    return Decision(Evaluation.NOT_DECIDABLE, Verdict.REJECT, reason)


def overruled(decision: Decision, reason: Reason) -> Decision:
    """Reject although the model decided (too late, or the station is in Error); its figures stay readable."""
    return replace(decision, verdict=Verdict.REJECT, reason=reason)
