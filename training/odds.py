"""How log odds become probabilities that can be read as frequencies, also from a few parts that are told apart well."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SLOPES = (0.05, 2.0)  # within these a small sample can neither turn the order round nor claim certainty
_STEPS = 100

Floats = NDArray[np.float64]


def fit_odds(margins: Floats, defective: NDArray[np.bool_]) -> tuple[float, float]:
    """Give slope and shift for which sigmoid(slope × margin + shift) of parts (n,) is likeliest; (1, 0) of one kind.

    Source: Platt, "Probabilistic outputs for support vector machines", 1999, whose targets are a little short of 0 and
    1, so that a sample without mistakes does not claim certainty; Newton steps as Lin, Lin and Weng, 2007.
    """
    bad, good = int(defective.sum()), int((~defective).sum())
    if bad == 0 or good == 0:
        return 1.0, 0.0
    targets = np.where(defective, (bad + 1.0) / (bad + 2.0), 1.0 / (good + 2.0))
    slope, shift = _newton(margins, targets, slope=None)
    low, high = _SLOPES
    if not low <= slope <= high:
        return _newton(margins, targets, slope=min(max(slope, low), high))
    return slope, shift


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
