"""Makes the scores of a fitted network probabilities, with two numbers that the validation images decide."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_SHIFT_DEVIATION = 2.0  # expected of the shift beforehand: a few images without a mistake do not claim certainty


def fit_calibration(raw: NDArray[np.float32], truth: NDArray[np.intp]) -> tuple[float, float]:
    """Give the divisor of the scores (n, classes) and what is added to the defect scores so that they are likeliest.

    Temperature scaling (Guo et al., ICML 2017) with an offset (Platt, 1999): rare classes are drawn more often than
    they occur, so the network expects more defects than there are. The good class comes first. The divisor stays
    within 0.5..5, the shift within ±6, or (1, 0) where the images are all good or all bad.
    """
    bad = truth != 0
    if bad.all() or not bad.any():
        return 1.0, 0.0
    scores = raw.astype(np.float64)
    shifts = np.linspace(-6.0, 6.0, 121)
    best = (math.inf, 1.0, 0.0)
    for divisor in np.exp(np.linspace(math.log(0.5), math.log(5.0), 47)).tolist():
        odds = np.logaddexp.reduce(scores[:, 1:] / divisor, axis=1) - scores[:, 0] / divisor
        shifted = odds[:, np.newaxis] + shifts
        losses = np.logaddexp(0.0, np.where(bad[:, np.newaxis], -shifted, shifted)).mean(axis=0)
        losses += (shifts / _SHIFT_DEVIATION) ** 2 / (2 * len(truth))
        place = int(losses.argmin())
        best = min(best, (float(losses[place]), divisor, float(shifts[place])))
    return best[1], best[2]
