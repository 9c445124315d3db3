"""Pictures through an opened bundle in batches, as the station runs them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from datasets.sample import Sample
from models.session import Session
from training.images import fill_pixels

BATCH = 8

Watch = Callable[[Sequence[Sample], NDArray[np.float32], NDArray[np.float32]], None]


def run_session(session: Session, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Score uint8 (n, h, w, c) in batches: raw scores float32 (n, classes)."""
    parts = [session.run(np.array(pixels[start : start + BATCH])) for start in range(0, len(pixels), BATCH)]
    return np.concatenate(parts)


def maps_of(session: Session, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Give the maps float32 (n, map height, map width) of uint8 (n, h, w, c), of a model that has them."""
    starts = range(0, len(pixels), BATCH)
    return np.concatenate([session.run_with_map(np.array(pixels[start : start + BATCH]))[1] for start in starts])


def score_samples(
    session: Session,
    samples: Sequence[Sample],
    threads: int,
    advance: Callable[[], None] = lambda: None,
    *,
    watch: Watch | None = None,
) -> tuple[NDArray[np.float32], float]:
    """Load and score samples in batches: raw scores (n, classes), and the seconds spent in the session.

    watch: gets the samples, scores and maps (n, h, w) of each batch, of a model that has maps.
    """
    size = session.card.input
    parts: list[NDArray[np.float32]] = []
    spent_ns = 0
    for start in range(0, len(samples), BATCH):
        chunk = samples[start : start + BATCH]
        pixels = np.empty((len(chunk), size.height, size.width, size.channels), np.uint8)
        fill_pixels(chunk, pixels, threads, advance)
        begun_ns = time.monotonic_ns()
        if watch is None:
            scores = session.run(pixels)
            spent_ns += time.monotonic_ns() - begun_ns
        else:
            scores, shown = session.run_with_map(pixels)
            spent_ns += time.monotonic_ns() - begun_ns
            watch(chunk, scores, shown)
        parts.append(scores)
    return np.concatenate(parts), spent_ns / 1e9
