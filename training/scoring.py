"""Pictures through an opened bundle in batches, as the station runs them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.session import Session

BATCH = 8


def run_session(session: Session, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Score uint8 (n, h, w, c) in batches: raw scores float32 (n, classes)."""
    parts = [session.run(np.array(pixels[start : start + BATCH])) for start in range(0, len(pixels), BATCH)]
    return np.concatenate(parts)


def maps_of(session: Session, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Give the maps float32 (n, map height, map width) of uint8 (n, h, w, c), of a model that has them."""
    starts = range(0, len(pixels), BATCH)
    return np.concatenate([session.run_with_map(np.array(pixels[start : start + BATCH]))[1] for start in starts])
