"""Makes the scores of parts frequencies, by two numbers that the validation photos decide."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.odds import fit_odds_among

_GAINS = np.exp(np.linspace(math.log(0.2), math.log(5.0), 60))


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A line through the log odds of parts: a plain value. Their logit becomes gain · logit + offset."""

    gain: float
    offset: float


def calibrate(raw: NDArray[np.float32], defective: NDArray[np.bool_]) -> Calibrated:
    """Fit the logit of the defect probability to how often parts are defective.

    raw: scores (n, classes), the good class first; both kinds of parts weigh the same. The gain stays within 0.2..5.
    """
    scores = raw[:, 1:].astype(np.float64)
    top = scores.max(1)
    logits = top + np.log(np.exp(scores - top[:, None]).sum(1))
    return Calibrated(*fit_odds_among(_GAINS, logits, defective, balanced=True))
