"""Confidence intervals of counted rates and of the AUROC, with numpy alone so that evaluation runs on the panel PC."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

_BISECTIONS = 80


def clopper_pearson(hits: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Give the exact two-sided interval of a rate of `hits` in `total`, total >= 1.

    Source: Clopper and Pearson, Biometrika 26 (1934): each limit is the rate at which a tail of the binomial
    distribution holds (1 - confidence) / 2.
    """
    tail = (1.0 - confidence) / 2.0
    return _lower(hits, total, tail), _upper(hits, total, tail)


def upper_limit(hits: int, total: int, confidence: float = 0.95) -> float:
    """Give the one-sided Clopper-Pearson limit that the true rate stays below with this confidence."""
    return _upper(hits, total, 1.0 - confidence)


def cases_needed(target: float, confidence: float = 0.95) -> int:
    """Give how many cases without a single hit it takes before the one-sided limit is at or below `target`."""
    return math.ceil(math.log(1.0 - confidence) / math.log1p(-target))


def auroc_interval(auroc: float, positives: int, negatives: int, confidence: float = 0.95) -> tuple[float, float]:
    """Give Newcombe's score-type interval of an AUROC; unlike DeLong's it has a width at 1.0, too.

    Source: Newcombe, Statistics in Medicine 25 (2006) 559, method 5: the limits are the areas A at which
    |A - auroc| = z·sqrt(V(A)), with V(A) = A(1-A)·[1 + N·((1-A)/(2-A) + A/(1+A))] / (positives·negatives) and
    N = (positives + negatives)/2 - 1.
    """
    z = NormalDist().inv_cdf(0.5 + confidence / 2.0)
    half = (positives + negatives) / 2.0 - 1.0

    def excess(area: float) -> float:
        spread = area * (1.0 - area) * (1.0 + half * ((1.0 - area) / (2.0 - area) + area / (1.0 + area)))
        return abs(area - auroc) - z * math.sqrt(max(spread, 0.0) / (positives * negatives))

    low = _bisect(lambda area: excess(area) > 0.0, 0.0, auroc) if auroc > 0.0 else 0.0
    high = _bisect(lambda area: excess(area) <= 0.0, auroc, 1.0) if auroc < 1.0 else 1.0
    return min(low, auroc), max(high, auroc)


def _lower(hits: int, total: int, tail: float) -> float:
    if hits == 0:
        return 0.0
    below = _log_terms(total, np.arange(hits))
    return _bisect(lambda rate: 1.0 - _probability(below, rate, total) < tail, 0.0, hits / total)


def _upper(hits: int, total: int, tail: float) -> float:
    if hits == total:
        return 1.0
    up_to = _log_terms(total, np.arange(hits + 1))
    return _bisect(lambda rate: _probability(up_to, rate, total) > tail, hits / total, 1.0)


def _log_terms(total: int, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give the logarithms of the binomial coefficients `total` over each count."""
    all_ways = math.lgamma(total + 1)
    return np.array([all_ways - math.lgamma(k + 1) - math.lgamma(total - k + 1) for k in counts.tolist()])


def _probability(log_terms: NDArray[np.float64], rate: float, total: int) -> float:
    """Give the probability of 0..len-1 hits in `total` at a rate."""
    if not 0.0 < rate < 1.0:
        return 1.0 if rate <= 0.0 else 0.0
    counts = np.arange(len(log_terms))
    exponents = log_terms + counts * math.log(rate) + (total - counts) * math.log1p(-rate)
    return min(1.0, float(np.exp(exponents).sum()))


def _bisect(goes_up: Callable[[float], bool], low: float, high: float) -> float:
    """Give the point in low..high where `goes_up` turns from true to false."""
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if goes_up(middle) else (low, middle)
    return (low + high) / 2.0
