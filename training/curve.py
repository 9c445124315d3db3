"""Escape and overkill over all thresholds, with a band for one threshold and a wider one for all at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.intervals import clopper_pearson, simultaneous_half_width
from training.metrics import Scored
from training.threshold import piece_scores

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """A rate at each threshold (m,): a plain value.

    low, high: Clopper-Pearson, right for one threshold that was set beforehand. outer_low, outer_high: Dvoretzky,
    Kiefer, Wolfowitz and Massart, right for all thresholds at once, also for one that is picked from the picture.
    """

    share: Floats
    low: Floats
    high: Floats
    outer_low: Floats
    outer_high: Floats
    pieces: int


@dataclass(frozen=True, slots=True)
class Curve:
    """Both rates over the thresholds, counted in pieces; None where the sample has no part of the kind."""

    thresholds: Floats
    escape: Line | None
    overkill: Line | None
    confidence: float


def operating_curve(scored: Scored, *, confidence: float = 0.95, points: int = 400) -> Curve:
    """Count, at up to `points` thresholds between the scores that occur, the pieces that escape or are rejected.

    A piece (images of one group) escapes when any of its images scores below the threshold, and is rejected when any
    scores at or above it: only then the pieces are independent cases, as both bands need.
    """
    bad, good = piece_scores(scored)
    levels = np.unique(np.concatenate([bad, good, [0.0, 1.0]]))
    if len(levels) > points:
        levels = levels[np.linspace(0, len(levels) - 1, points).round().astype(np.intp)]
    return Curve(
        thresholds=levels,
        escape=_line(np.searchsorted(bad, levels, "left"), len(bad), confidence),
        overkill=_line(len(good) - np.searchsorted(good, levels, "left"), len(good), confidence),
        confidence=confidence,
    )


def _line(hits: NDArray[np.intp], total: int, confidence: float) -> Line | None:
    if total == 0:
        return None
    limits = {count: clopper_pearson(count, total, confidence) for count in set(hits.tolist())}
    width = simultaneous_half_width(total, confidence)
    share = hits / total
    return Line(
        share=share,
        low=np.array([limits[count][0] for count in hits.tolist()]),
        high=np.array([limits[count][1] for count in hits.tolist()]),
        outer_low=np.maximum(0.0, share - width),
        outer_high=np.minimum(1.0, share + width),
        pieces=total,
    )
