"""From raw scores to what a verdict is made of."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, isnan

import numpy as np
from numpy.typing import ArrayLike, NDArray


def defect_probability(raw: ArrayLike, good_index: int) -> NDArray[np.float64]:
    """Give `defect_probability_of` each row of raw scores (n, classes), as (n,)."""
    rows: list[list[float]] = np.asarray(raw, dtype=np.float64).tolist()
    return np.array([defect_probability_of(row, good_index) for row in rows], dtype=np.float64)


def worst_class(raw: ArrayLike, good_index: int) -> NDArray[np.intp]:
    """Give `worst_class_of` each row of raw scores (n, classes), as (n,)."""
    rows: list[list[float]] = np.asarray(raw, dtype=np.float64).tolist()
    return np.array([worst_class_of(row, good_index) for row in rows], dtype=np.intp)


def defect_probability_of(scores: Sequence[float], good_index: int) -> float:
    """Give 1 - softmax(scores)[good] of one image, in Python's own floats: a few scores cost numpy ten times as much.

    Computed as the sum over the defect classes after the maximum was taken off, so that it neither overflows nor loses
    a small probability to the subtraction. Scores that have no softmax (NaN, or +inf) give 1.0: what is not known never
    passes.
    """
    top = max(scores)
    weights = [exp(score - top) for score in scores]
    good = weights[good_index]
    weights[good_index] = 0.0
    defects = sum(weights)
    share = defects / (defects + good)
    return 1.0 if isnan(share) else share


def is_beyond(novelty: float, limit: float) -> bool:
    """Tell whether a picture is further off those of the training than the limit; what is no number is beyond it."""
    return not novelty <= limit


def beyond(novelty: ArrayLike, limit: float) -> NDArray[np.bool_]:
    """Tell `is_beyond` of each picture (n,)."""
    return ~(np.asarray(novelty) <= limit)


def worst_class_of(scores: Sequence[float], good_index: int) -> int:
    """Give the index of the likeliest class other than the good one."""
    return max((index for index in range(len(scores)) if index != good_index), key=scores.__getitem__)
