"""How log odds become probabilities that can be read as frequencies, also from a few parts that are told apart well.

Source: Platt, "Probabilistic outputs for support vector machines", 1999: a logistic curve through the log odds, fitted
to targets a little short of 0 and 1, so that a sample without mistakes does not claim certainty. The slope is bounded,
since two kinds that lie apart ask for an endless one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SLOPES = (0.05, 2.0)  # within these a small sample can neither turn the order round nor claim certainty
_STEPS = 100
_HALVINGS = 60

Floats = NDArray[np.float64]


def fit_odds(margins: Floats, defective: NDArray[np.bool_]) -> tuple[float, float]:
    """Give slope and shift for which sigmoid(slope × margin + shift) of parts (n,) is likeliest; (1, 0) of one kind.

    Newton steps as Lin, Lin and Weng, "A note on Platt's probabilistic outputs", 2007.
    """
    if not defective.any() or defective.all():
        return 1.0, 0.0
    targets = smooth_targets(defective)
    slope, shift = _newton(margins, targets, slope=None)
    low, high = _SLOPES
    if not low <= slope <= high:
        return _newton(margins, targets, slope=min(max(slope, low), high))
    return slope, shift


def fit_odds_among(
    slopes: Floats, margins: Floats, defective: NDArray[np.bool_], *, balanced: bool = False
) -> tuple[float, float]:
    """Give that one of some slopes (m,), with its shift, for which sigmoid(slope × margin + shift) is likeliest.

    margins, defective: of parts (n,), also of one kind alone. balanced: both kinds weigh the same, however many there
    are of each. For every slope the likeliest shift is the one whose mean probability is that of the targets.
    """
    targets, weights = smooth_targets(defective), _weights(defective, balanced=balanced)
    scaled = slopes[:, np.newaxis] * margins
    shifts = _shifts(scaled, weights, float((targets * weights).sum()))
    odds = scaled + shifts[:, np.newaxis]
    best = int(((np.logaddexp(0.0, odds) - targets * odds) * weights).sum(axis=1).argmin())
    return float(slopes[best]), float(shifts[best])


def smooth_targets(defective: NDArray[np.bool_]) -> Floats:
    """Give Platt's target of each part (n,): (bad + 1) / (bad + 2) of a bad one, 1 / (good + 2) of a good one."""
    bad, good = int(defective.sum()), int((~defective).sum())
    return np.where(defective, (bad + 1.0) / (bad + 2.0), 1.0 / (good + 2.0))


def _weights(defective: NDArray[np.bool_], *, balanced: bool) -> Floats:
    if not balanced:
        return np.ones(len(defective))
    bad, good = int(defective.sum()), int((~defective).sum())
    return np.where(defective, 0.5 / max(bad, 1), 0.5 / max(good, 1))


def _shifts(odds: Floats, weights: Floats, wanted: float) -> Floats:
    """Give what to add to each row (m, n) so that its weighed probabilities sum up to what is wanted, by halving."""
    low, high = -odds.max(axis=1) - 20.0, 20.0 - odds.min(axis=1)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        chances = 0.5 + 0.5 * np.tanh((odds + middle[:, np.newaxis]) / 2.0)
        few = (chances * weights).sum(axis=1) < wanted
        low, high = np.where(few, middle, low), np.where(few, high, middle)
    found: Floats = (low + high) / 2.0
    return found


def _newton(margins: Floats, targets: Floats, slope: float | None) -> tuple[float, float]:
    """Minimise the cross entropy over slope and shift, or over the shift alone."""
    columns = np.stack([margins if slope is None else np.zeros_like(margins), np.ones_like(margins)], axis=1)
    fixed = np.zeros_like(margins) if slope is None else slope * margins
    found = np.zeros(2)
    for _ in range(_STEPS):
        odds = fixed + columns @ found
        chance = 1.0 / (1.0 + np.exp(-np.clip(odds, -500.0, 500.0)))
        gradient = columns.T @ (chance - targets)
        if np.abs(gradient).max() < 1e-9:
            break
        curvature = (columns * (chance * (1.0 - chance))[:, np.newaxis]).T @ columns + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        before, scale = _loss(odds, targets), 1.0
        while scale > 1e-10 and _loss(fixed + columns @ (found - scale * step), targets) > before:
            scale *= 0.5
        found = found - scale * step
    return (float(found[0]) if slope is None else slope), float(found[1])


def _loss(odds: Floats, targets: Floats) -> float:
    return float((np.logaddexp(0.0, odds) - targets * odds).sum())
