"""Pictures through an opened bundle in batches, as the station runs them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from datasets.sample import Sample
from models.card import CardDraft
from models.score import beyond
from models.session import Given, Session
from training.images import fill_pixels

BATCH = 8

Watch = Callable[[Sequence[Sample], NDArray[np.float32], NDArray[np.float32]], None]


def run_session(session: Session, pixels: NDArray[np.uint8]) -> Given:
    """Score uint8 (n, h, w, c) in batches: raw scores float32 (n, classes), and the novelty (n,) where there is one."""
    parts = [
        session.run_all(np.array(pixels[start : start + BATCH]))._replace(map=None)
        for start in range(0, len(pixels), BATCH)
    ]
    novelty = [part.novelty for part in parts if part.novelty is not None]
    return Given(np.concatenate([part.scores for part in parts]), novelty=np.concatenate(novelty) if novelty else None)


def novel_of(card: CardDraft, said: Given) -> NDArray[np.bool_] | None:
    """Tell which images (n,) a card's limit of novelty stops; None where it has none."""
    if card.novelty is None:
        return None
    assert said.novelty is not None
    return beyond(said.novelty, card.novelty.limit)


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
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None, float]:
    """Load and score samples in batches: raw scores (n, classes), which are novel (n,), and the session's seconds.

    None is novel where the card has no limit of novelty.

    watch: gets the samples, scores and maps (n, h, w) of each batch, of a model that has maps.
    """
    size = session.card.input
    parts: list[NDArray[np.float32]] = []
    novel: list[NDArray[np.bool_]] = []
    spent_ns = 0
    for start in range(0, len(samples), BATCH):
        chunk = samples[start : start + BATCH]
        pixels = np.empty((len(chunk), size.height, size.width, size.channels), np.uint8)
        fill_pixels(chunk, pixels, threads, advance)
        begun_ns = time.monotonic_ns()
        given = session.run_all(pixels)
        spent_ns += time.monotonic_ns() - begun_ns
        if watch is not None and given.map is not None:
            watch(chunk, given.scores, given.map)
        parts.append(given.scores)
        if (stopped := novel_of(session.card, given)) is not None:
            novel.append(stopped)
    return np.concatenate(parts), np.concatenate(novel) if novel else None, spent_ns / 1e9
