"""Turns how strange an image is into the logit of a probability: from good parts alone, or from both kinds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.odds import fit_odds_among

Floats = NDArray[np.float64]

RARE = 0.01  # of good parts; a part that is as strange as that is called defective with probability 1/2
_LEAST_SPREAD = 0.25  # of good parts, in standard deviations of a place: fewer are luck of a small sample
_SLOPES = np.exp(np.linspace(math.log(0.1), math.log(2.0), 120))
_EULER = 0.5772156649015329


@dataclass(frozen=True, slots=True)
class Scale:
    """logit = slope × strangeness + offset: a plain value."""

    slope: float
    offset: float

    def logit(self, strangeness: Floats) -> Floats:
        """Give the logits (n,) of images."""
        return self.slope * strangeness + self.offset

    def then(self, slope: float, offset: float) -> Scale:
        """Give the scale that is followed by another one."""
        return Scale(slope * self.slope, slope * self.offset + offset)


def scale_of_good(strangeness: Floats) -> Scale:
    """Fit the strangeness of good images that were not learned from, (n,) with n >= 2.

    An image is as strange as its strangest place, so the law of maxima (Gumbel) holds for good images; its tail is
    p = exp(-(s - μ) / β). Location and scale come from the moments, β = sd·√6/π and μ = mean - 0.5772·β (Johnson, Kotz
    and Balakrishnan, Continuous Univariate Distributions 2, ch. 22). The odds of a defect are `RARE` : p: a part that
    is stranger than all but 1 % of the good ones gets probability 1/2, one that is e times rarer e times the odds.
    """
    spread = max(float(strangeness.std(ddof=1)), _LEAST_SPREAD) * math.sqrt(6.0) / math.pi
    middle = float(strangeness.mean()) - _EULER * spread
    return Scale(1.0 / spread, math.log(RARE) - middle / spread)


def scale_of_both(before: Scale, strangeness: Floats, defective: NDArray[np.bool_]) -> Scale:
    """Correct a scale so that its probabilities are likeliest on images of both kinds (n,), at least one of each.

    Its slope stays within 0.1..2 of the one before: two kinds that lie apart would ask for an endless one.
    """
    return before.then(*fit_odds_among(_SLOPES, before.logit(strangeness), defective))
