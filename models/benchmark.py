"""How long a session takes for each batch size on this machine, for the batcher's table and the card's latency."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import numpy as np

from models.engines import Engine


def measure_batch_times(session: Engine, sizes: Sequence[int] = (1, 2, 4, 8), repeats: int = 10) -> dict[int, float]:
    """Give the median seconds of `session.run` for each batch size, after one run that is not counted.

    The pixels are noise from a fixed seed, so that no part of the network is idle on zeros.
    """
    size = session.card.input
    noise = np.random.default_rng(0)
    medians = {}
    for count in sizes:
        batch = noise.integers(0, 256, (count, size.height, size.width, size.channels), dtype=np.uint8)
        session.run(batch)
        medians[count] = statistics.median(_seconds(session, batch) for _ in range(repeats))
    return medians


def _seconds(session: Engine, batch: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> float:
    started_ns = time.monotonic_ns()
    session.run(batch)
    return (time.monotonic_ns() - started_ns) / 1e9
