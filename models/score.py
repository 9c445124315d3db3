"""From raw scores to what a verdict is made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def defect_probability(raw: ArrayLike, good_index: int) -> NDArray[np.float64]:
    """Give 1 - softmax(raw)[good] for each row of raw scores (n, classes), as (n,).

    Computed as the sum over the defect classes after the row's maximum was taken off, so that it neither overflows nor
    loses a small probability to the subtraction. A row that has no softmax (NaN, or +inf) gives 1.0: what is not known
    never passes.
    """
    scores = np.asarray(raw, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        share: NDArray[np.float64] = np.delete(weights, good_index, axis=1).sum(axis=1) / weights.sum(axis=1)
    return np.where(np.isnan(share), 1.0, share)


def worst_class(raw: ArrayLike, good_index: int) -> NDArray[np.intp]:
    """Give the index of the likeliest class other than the good one for each row (n, classes), as (n,)."""
    scores = np.array(raw, dtype=np.float64)
    scores[:, good_index] = -np.inf
    others = [index for index in range(scores.shape[1]) if index != good_index]
    best = np.argmax(scores[:, others], axis=1)
    chosen: NDArray[np.intp] = np.asarray(others, dtype=np.intp)[best]
    return chosen
