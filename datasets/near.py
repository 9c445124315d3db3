"""Which images show the same piece: candidates by what the crop leaves alone, then the correlation peak decides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from datasets.files import in_threads
from datasets.fingerprint import Look, peaks

NEIGHBOURS = 20  # candidates of each image
FLOOR, CEILING = 0.30, 0.92  # the threshold stays between these, whatever the data set
_SPREADS = 6.0  # above the typical peak of two images taken at random
_RANDOM_PAIRS = 2000
_ROWS, _PAIRS = 256, 128  # worked on at a time

Pairs = NDArray[np.int64]  # (n, 2), first < second


def threshold_of(looks: Sequence[Look]) -> float:
    """Return the peak from which two images of this set count as one piece.

    Pictures of one product in one fixture resemble each other whichever piece they show. So the threshold is the median
    peak of random pairs and six standard deviations (robust: 1.4826 × median deviation), from FLOOR to CEILING. Fewer
    than 20 pairs do not tell how much pictures resemble each other: then only all but the same picture counts.
    """
    if len(looks) < 2:
        return CEILING
    rng = np.random.default_rng(0)
    first, second = rng.integers(len(looks), size=(2, _RANDOM_PAIRS))
    drawn = np.unique(np.sort(np.stack([first, second], 1)[first != second], axis=1), axis=0)
    if len(drawn) < 20:
        return CEILING
    found = scores_of(looks, drawn)
    middle = float(np.median(found))
    spread = 1.4826 * float(np.median(np.abs(found - middle)))
    return min(max(FLOOR, middle + _SPREADS * spread), CEILING)


def candidates(looks: Sequence[Look]) -> Pairs:
    """Return each image with its most similar ones, (n, 2) indices: `NEIGHBOURS` of them or fewer, each pair once."""
    count = len(looks)
    if count < 2:
        return np.zeros((0, 2), np.int64)
    table = np.stack([look.magnitudes for look in looks])
    table -= table.mean(0)
    table /= np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9)
    wanted = min(NEIGHBOURS, count - 1)
    found: list[Pairs] = []
    for start in range(0, count, _ROWS):
        rows = np.arange(start, min(start + _ROWS, count))
        similarity = table[rows] @ table.T
        similarity[np.arange(len(rows)), rows] = -np.inf
        near = np.argpartition(-similarity, wanted - 1, axis=1)[:, :wanted]
        found.append(np.stack([np.repeat(rows, wanted), near.ravel()], 1))
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def scores_of(looks: Sequence[Look], pairs: Pairs) -> NDArray[np.float32]:
    """Return the correlation peak of each pair, 0…1."""

    def score(part: Pairs) -> NDArray[np.float32]:
        first = np.stack([looks[k].phases for k in part[:, 0]])
        return peaks(first, np.stack([looks[k].phases for k in part[:, 1]]))

    parts = list(in_threads(score, _batches(pairs)))
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _batches(pairs: Pairs) -> Iterator[Pairs]:
    for start in range(0, len(pairs), _PAIRS):
        yield pairs[start : start + _PAIRS]
