"""The threshold that a card proposes: from an escape target, an overkill target, costs, or good parts alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.card import Costs, Threshold
from training.intervals import rank_allowed, total_needed, upper_limit
from training.metrics import Scored, make_rate
from training.statements import Counted, state_threshold

CONFIDENCE = 0.95
DEFAULT_ESCAPE = 0.005
DEFAULT_OVERKILL = 0.01
# Engines may differ by a thousandth of a logit; a threshold that close to a good part would flip its verdict.
_CLEARANCE_LOGIT = 2e-3

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Placed:
    """A threshold, what decided, and how many pieces its rule leaves on the wrong side: a plain value."""

    value: float
    rule: str
    escapes_allowed: int = 0
    overkills_allowed: int = 0


def choose_threshold(
    scored: Scored,
    target_escape: float | None = None,
    *,
    target_overkill: float | None = None,
    costs: Costs | None = None,
    confidence: float = CONFIDENCE,
    sample: str = "validation",
) -> Threshold:
    """Choose the threshold on validation images, and state what the sample supports; shares in 0..1.

    With a defect in the sample, in this order: `costs` take the cheapest threshold (below that of `target_escape` where
    both are given), `target_escape` the highest one whose one-sided limit keeps it, `target_overkill` the lowest one
    whose limit keeps it. Without any defect the threshold comes from the good parts alone, for `target_overkill` or
    1 %. A target that so few parts cannot support gets the most careful threshold of its kind: nothing escapes, or
    nothing good is rejected. Nothing given means an escape target of 0.5 %. `sample` is what the
    statement calls the images. Pieces are counted where images share a group, by their worst image:
    `training.intervals.rank_allowed` has the guarantee and its source. The limit of the rate that the rule did not
    choose by is that of a threshold set beforehand; searched costs make both limits a little too favourable.
    """
    if target_escape is None and target_overkill is None and costs is None:
        target_escape = DEFAULT_ESCAPE
    overkill = target_overkill
    if overkill is None and not scored.defective.any():
        overkill = DEFAULT_OVERKILL
    placed = _place(scored, target_escape, overkill, costs, confidence)
    counted = _count(scored, placed, confidence, sample)
    met = [(counted.escape_limit, target_escape), (counted.overkill_limit, target_overkill)]
    asked = [(limit, target) for limit, target in met if target is not None]
    more = None
    if target_escape is not None and target_escape > 0.0:
        pieces = total_needed(counted.pieces_escaped, target_escape, confidence) - counted.defect_pieces
        more = max(0, pieces)
    rates = (counted.escapes, counted.defects), (counted.overkills, counted.goods)
    return Threshold.model_validate(
        {
            "value": placed.value,
            "rule": placed.rule,
            "target_escape": target_escape,
            "target_overkill": overkill,
            "target_met": bool(asked) and all(limit is not None and limit <= target for limit, target in asked),
            "statement": state_threshold(counted, placed.rule, target_escape, overkill, costs),
            "validation_escape": make_rate(*rates[0]),
            "validation_overkill": make_rate(*rates[1]),
            "confidence": confidence,
            "escape_limit": counted.escape_limit,
            "overkill_limit": counted.overkill_limit,
            "more_defects": more,
            "costs": costs,
        }
    )


def piece_scores(scored: Scored) -> tuple[Floats, Floats]:
    """Give the lowest score of each defective piece and the highest of each good one, sorted upwards.

    A piece counts as escaped when any of its images would pass, as rejected when any would be rejected.
    """
    lowest: dict[str, float] = {}
    highest: dict[str, float] = {}
    rows = zip(scored.groups, scored.rejected_up_to.tolist(), scored.defective.tolist(), strict=True)
    for group, share, bad in rows:
        if bad:
            lowest[group] = min(share, lowest.get(group, 1.0))
        else:
            highest[group] = max(share, highest.get(group, 0.0))
    return np.sort(list(lowest.values())), np.sort(list(highest.values()))


def _place(
    scored: Scored, escape: float | None, overkill: float | None, costs: Costs | None, confidence: float
) -> _Placed:
    bad, good = piece_scores(scored)
    if len(bad) and costs is not None:
        ceiling = 1.0 if escape is None else float(bad[max(0, rank_allowed(len(bad), escape, confidence))])
        return _Placed(_cheapest(scored, costs, ceiling), "cost")
    if len(bad) and escape is not None:
        allowed = max(0, rank_allowed(len(bad), escape, confidence))
        return _Placed(_at_or_below(float(bad[allowed]), scored.rejected_up_to), "escape", escapes_allowed=allowed)
    rule = "overkill" if len(bad) else "good parts alone"
    if len(good) == 0 or overkill is None:
        return _Placed(0.5, rule)
    allowed = max(0, rank_allowed(len(good), overkill, confidence))
    value = _above(float(good[len(good) - 1 - allowed]), scored)
    return _Placed(value, rule, overkills_allowed=allowed)


def _at_or_below(lowest: float, probability: Floats) -> float:
    """Give the middle, on the logit scale, between a score that must be rejected and the next lower image."""
    lower = probability[probability < lowest]
    if len(lower) == 0:
        return lowest
    middle = _sigmoid((_logit(lowest) + _logit(float(lower.max()))) / 2.0)
    return middle if float(lower.max()) < middle <= lowest else lowest


def _above(highest: float, scored: Scored) -> float:
    """Give a threshold above a score that must pass: in the gap to a defect that comes next, else just clear of it.

    A score of 1 cannot be cleared: the threshold is then 1 and such parts are rejected.
    """
    probability = scored.rejected_up_to
    higher = probability > highest
    if higher.any() and bool(scored.defective[probability == probability[higher].min()].all()):
        return _at_or_below(float(probability[higher].min()), probability)
    clear = _sigmoid(_logit(highest) + _CLEARANCE_LOGIT)
    return clear if clear > highest else min(1.0, math.nextafter(highest, 2.0))


def _cheapest(scored: Scored, costs: Costs, ceiling: float) -> float:
    """Give the threshold, up to a ceiling, with the lowest expected cost of a part; of equal ones the lowest."""
    probability, defective = scored.rejected_up_to, scored.defective
    levels = np.unique(probability)
    bad, good = np.sort(probability[defective]), np.sort(probability[~defective])
    escaped = np.searchsorted(bad, levels, "left") / max(1, len(bad))
    rejected = (len(good) - np.searchsorted(good, levels, "left")) / max(1, len(good))
    spent = costs.defect_share * costs.escape * escaped + (1 - costs.defect_share) * costs.overkill * rejected
    spent[levels > ceiling] = np.inf
    best = int(spent.argmin())
    everything_passes = costs.defect_share * costs.escape
    if ceiling >= 1.0 and levels[-1] < 1.0 and everything_passes < spent[best]:
        return _above(float(levels[-1]), scored)
    return _at_or_below(float(levels[best]), probability)


def _count(scored: Scored, placed: _Placed, confidence: float, sample: str) -> Counted:
    """Count images and pieces on both sides; the limits are those of the rule's rank where the rule has one."""
    defective, rejected = scored.defective, scored.rejected_up_to >= placed.value
    bad, good = piece_scores(scored)
    pieces_escaped, pieces_rejected = int((bad < placed.value).sum()), int((good >= placed.value).sum())
    escapes, overkills = max(pieces_escaped, placed.escapes_allowed), max(pieces_rejected, placed.overkills_allowed)
    return Counted(
        escapes=int((defective & ~rejected).sum()),
        defects=int(defective.sum()),
        overkills=int((~defective & rejected).sum()),
        goods=int((~defective).sum()),
        pieces_escaped=pieces_escaped,
        defect_pieces=len(bad),
        pieces_rejected=pieces_rejected,
        good_pieces=len(good),
        escape_limit=upper_limit(escapes, len(bad), confidence) if len(bad) else None,
        overkill_limit=upper_limit(overkills, len(good), confidence) if len(good) else None,
        confidence=confidence,
        sample=sample,
    )


def _logit(share: float) -> float:
    inside = min(max(share, 1e-300), 1.0 - 1e-16)
    return math.log(inside) - math.log1p(-inside)


def _sigmoid(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-value)) if value >= 0 else math.exp(value) / (1.0 + math.exp(value))
