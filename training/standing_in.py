"""Whether a lighter form may stand in for a bundle: limits of what escapes and is rejected, and no worse than it."""

from __future__ import annotations

from dataclasses import dataclass

from models.card import Rate
from training.candidate import Candidate
from training.comparison import ALPHA, pair_up
from training.intervals import worse_test
from training.statements import percent
from training.threshold import DEFAULT_ESCAPE, DEFAULT_OVERKILL


@dataclass(frozen=True, slots=True)
class Limits:
    """Shares of the test images that may escape and be rejected: a plain value."""

    escape: float
    overkill: float


def limits_of(present: Candidate, escape: float | None, overkill: float | None) -> Limits:
    """Give the limits as asked for, else the card's targets, or what the bundle itself does where that is more."""
    threshold, metrics = present.bundle.card.threshold, present.metrics
    return Limits(
        _limit(escape, threshold.target_escape, DEFAULT_ESCAPE, metrics.escape),
        _limit(overkill, threshold.target_overkill, DEFAULT_OVERKILL, metrics.overkill),
    )


def why_refused(present: Candidate, candidate: Candidate, limits: Limits) -> str:
    """Say why a form may not stand in for the bundle, '' where it may."""
    kinds = (
        ("escape", candidate.metrics.escape, limits.escape, present.scored.defective),
        ("overkill", candidate.metrics.overkill, limits.overkill, ~present.scored.defective),
    )
    wrong = [
        (one.scored.rejected_up_to >= one.bundle.card.threshold.value) != present.scored.defective
        for one in (present, candidate)
    ]
    for name, rate, limit, chosen in kinds:
        if rate is None:
            return f"no test image shows its {name}"
        if rate.value > limit:
            return f"{name} {percent(rate.value)} of the test images, {percent(limit)} may be"
        pair = pair_up(present.scored.groups, chosen, *wrong)
        if pair is not None and (p := worse_test(pair.a_only, pair.b_only)) < ALPHA:
            return f"{name} is worse than the bundle's on {pair.b_only} pieces, better on {pair.a_only} (p = {p:.2g})"
    return ""


def _limit(asked: float | None, target: float | None, default: float, own: Rate | None) -> float:
    if asked is not None:
        return asked
    return max(default if target is None else target, 0.0 if own is None else own.value)
