"""Which images each step learns from: drawn with replacement, rare classes more often."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Truth = NDArray[np.intp] | NDArray[np.float32]  # class of each image (n,), or shares (n, classes) of several types

MIN_DRAWS = 256  # a handful of photos still gets enough steps per epoch


def steps_per_epoch(images: int, batch_size: int) -> int:
    """Give the steps of an epoch: as many draws as images, at least `MIN_DRAWS`."""
    return math.ceil(max(images, MIN_DRAWS) / batch_size)


def draw_rows(truth: Truth, steps: int, batch_size: int, seed: Sequence[int]) -> list[NDArray[np.intp]]:
    """Draw which images each step learns from, with their shares, with replacement: (batch_size,) for each step."""
    random = np.random.default_rng(seed)
    drawn = random.choice(len(truth), size=steps * batch_size, p=draw_shares(truth))
    return np.split(drawn.astype(np.intp), steps)


def draw_shares(truth: Truth) -> NDArray[np.float64]:
    """Give the probability of drawing each image (n,): rare classes more often, by the root of their rarity.

    The full inverse would show the few images of a rare class so often that they are learned by heart. An image of
    several types is as rare as the rarest of them.
    """
    if truth.ndim == 1:
        weights = 1.0 / np.sqrt(np.bincount(truth)[truth])
    else:
        counts = np.count_nonzero(truth, axis=0)
        weights = (1.0 / np.sqrt(np.maximum(counts, 1)) * (truth > 0)).max(axis=1)
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def seed_of(*numbers: int) -> int:
    """Give the 32 bit seed that belongs to these numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
