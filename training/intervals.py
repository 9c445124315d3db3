"""Confidence intervals of counted rates and of the AUROC, with numpy alone so that evaluation runs on the panel PC."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
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


def total_needed(hits: int, target: float, confidence: float = 0.95) -> int:
    """Give the fewest cases with `hits` among them at which the one-sided limit is at or below `target` in 0..1."""
    if target <= 0.0:
        raise ValueError("no number of cases shows a rate of 0")
    if hits == 0:
        return cases_needed(target, confidence)
    low, high = hits, hits + 1
    while upper_limit(hits, high, confidence) > target:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if upper_limit(hits, middle, confidence) > target else (low, middle)
    return high


def rank_allowed(total: int, target: float, confidence: float = 0.95) -> int:
    """Give how many of `total` independent scores may lie beyond a threshold that is set at the next one; -1: none.

    A threshold at the (k+1)-th most extreme of n scores leaves beyond it a share of all future parts that has the
    distribution Beta(k+1, n-k), whatever the distribution of the scores; so P(share <= b) = P(Binomial(n, b) > k), and
    the b with P(share <= b) = confidence is the Clopper-Pearson limit of k hits in n. The largest k whose b is at or
    below the target is returned; it depends on n alone, not on the scores, and the guarantee is therefore exact.

    Source: Wilks, Annals of Mathematical Statistics 12 (1941) 91; David and Nagaraja, Order Statistics, 3rd ed. (2003),
    section 7.2 (tolerance intervals).
    """
    if total == 0 or upper_limit(0, total, confidence) > target:
        return -1
    low, high = 0, total
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if upper_limit(middle, total, confidence) <= target else (low, middle)
    return low


def simultaneous_half_width(total: int, confidence: float = 0.95) -> float:
    """Give how far the distribution function of `total` scores may lie from the true one, anywhere, with confidence.

    Source: Dvoretzky, Kiefer and Wolfowitz (1956) with the constant of Massart, Annals of Probability 18 (1990) 1269:
    sqrt(ln(2 / (1 - confidence)) / (2 n)); it holds at all thresholds at once.
    """
    return min(1.0, math.sqrt(math.log(2.0 / (1.0 - confidence)) / (2.0 * total)))


def sign_test(one: int, other: int) -> float:
    """Give the exact two-sided p of McNemar's test from the two discordant counts; 1 where both are 0.

    Source: McNemar, Psychometrika 12 (1947) 153, in its exact form: 2·P(Binomial(one + other, 1/2) <= the smaller).
    """
    total = one + other
    ways = sum(math.comb(total, k) for k in range(min(one, other) + 1))
    return min(1.0, 2 * ways / (1 << total))


def worse_test(better: int, worse: int) -> float:
    """Give McNemar's exact one-sided p that nothing became worse: P(Binomial(better + worse, ½) ≥ worse)."""
    return at_least(worse, better + worse, 0.5)


def at_least(hits: int, total: int, rate: float) -> float:
    """Give the probability of `hits` or more in `total` at a rate in 0..1."""
    return 1.0 if hits == 0 else _probability(_log_terms(total, np.arange(hits, total + 1)), rate, total, first=hits)


def difference_interval(one: int, other: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Give an interval of the difference of two paired shares, (one - other) / total, from the discordant counts.

    Each count gets its Clopper-Pearson interval with half of the error (Bonferroni), so that both hold together with at
    least the confidence: conservative, and never of width 0 although nothing differed. Difference of b and c in
    [low(b) - high(c), high(b) - low(c)].
    """
    inner = 1.0 - (1.0 - confidence) / 2.0
    (low_one, high_one), (low_other, high_other) = (clopper_pearson(hits, total, inner) for hits in (one, other))
    return low_one - high_other, high_one - low_other


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


@lru_cache(maxsize=8192)
def _lower(hits: int, total: int, tail: float) -> float:
    if hits == 0:
        return 0.0
    below = _log_terms(total, np.arange(hits))
    return _bisect(lambda rate: 1.0 - _probability(below, rate, total) < tail, 0.0, hits / total)


@lru_cache(maxsize=8192)
def _upper(hits: int, total: int, tail: float) -> float:
    if hits == total:
        return 1.0
    up_to = _log_terms(total, np.arange(hits + 1))
    return _bisect(lambda rate: _probability(up_to, rate, total) > tail, hits / total, 1.0)


def _log_terms(total: int, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give the logarithms of the binomial coefficients `total` over each count."""
    all_ways = math.lgamma(total + 1)
    return np.array([all_ways - math.lgamma(k + 1) - math.lgamma(total - k + 1) for k in counts.tolist()])


def _probability(log_terms: NDArray[np.float64], rate: float, total: int, first: int = 0) -> float:
    """Give the probability of `first` to first + len - 1 hits in `total` at a rate."""
    if not 0.0 < rate < 1.0:
        return 1.0 if (rate <= 0.0) == (first == 0) else 0.0
    counts = np.arange(first, first + len(log_terms))
    exponents = log_terms + counts * math.log(rate) + (total - counts) * math.log1p(-rate)
    return min(1.0, float(np.exp(exponents).sum()))


def _bisect(goes_up: Callable[[float], bool], low: float, high: float) -> float:
    """Give the point in low..high where `goes_up` turns from true to false."""
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if goes_up(middle) else (low, middle)
    return (low + high) / 2.0
