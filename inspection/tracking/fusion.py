"""From what each view says to what is said about the part: a pure function of the recipe's rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from inspection.part import Decision, Evaluation, Reason, Verdict
from inspection.pipeline.decide import not_decidable
from inspection.tracking.part import View


class FusionRule(StrEnum):
    """How the views of a part become one decision."""

    ANY = "any"  # one view that is NOT_OK rejects; each view may have a region and a threshold of its own
    WEIGHTED = "weighted"  # the weighted mean of the scores is held against one threshold


@dataclass(frozen=True, slots=True)
class Fusion:
    """The rule of the recipe. weights: one a view, for WEIGHTED. threshold: of the weighted mean, 0…1."""

    rule: FusionRule = FusionRule.ANY
    weights: tuple[float, ...] = ()
    threshold: float = 0.5

    def fuse(self, views: Sequence[View]) -> tuple[Decision, int]:
        """Return the decision about a part and the index of the view that decided it.

        A view that is NOT_OK settles it under ANY, whatever is missing. Otherwise each view must have decided: one
        that could not be judged, or that never came, makes the part NOT_DECIDABLE and rejects it.
        """
        decisions = [view.decision for view in views]
        scored = [index for index, one in enumerate(decisions) if one is not None and one.score is not None]
        worst = max(scored, key=lambda index: _score(decisions[index]), default=0)
        if self.rule is FusionRule.ANY:
            bad = [index for index in scored if _evaluation(decisions[index]) is Evaluation.NOT_OK]
            if bad:
                chosen = max(bad, key=lambda index: _score(decisions[index]))
                return _known(decisions[chosen]), chosen
        for index, one in enumerate(decisions):
            if one is not None and one.evaluation is Evaluation.NOT_DECIDABLE:
                return one, index
        if len(scored) < len(views):
            return not_decidable(_why_missing(views)), worst
        if self.rule is FusionRule.ANY:
            return _known(decisions[worst]), worst
        return self._weighted([_known(one) for one in decisions], worst), worst

    def _weighted(self, decisions: Sequence[Decision], worst: int) -> Decision:
        """Hold Σ w·score / Σ w against the threshold."""
        total = sum(self.weights)
        score = sum(w * _score(one) for w, one in zip(self.weights, decisions, strict=True)) / total
        bad = score >= self.threshold
        return replace(
            decisions[worst],
            evaluation=Evaluation.NOT_OK if bad else Evaluation.OK,
            verdict=Verdict.REJECT if bad else Verdict.PASS,
            reason=Reason.MODEL if bad else Reason.NONE,
            score=score,
            threshold=self.threshold,
        )


def _why_missing(views: Sequence[View]) -> Reason:
    """NO_IMAGE when not one view came, MISSING_VIEW when some did, LATE when all came but not all were judged."""
    frames = sum(view.frame is not None for view in views)
    if frames == 0:
        return Reason.NO_IMAGE
    return Reason.MISSING_VIEW if frames < len(views) else Reason.LATE


def _known(decision: Decision | None) -> Decision:
    assert decision is not None
    return decision


def _score(decision: Decision | None) -> float:
    assert decision is not None
    return decision.score or 0.0


def _evaluation(decision: Decision | None) -> Evaluation:
    assert decision is not None
    return decision.evaluation
