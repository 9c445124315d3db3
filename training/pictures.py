"""Between which limits the pictures of good parts lie that a model is made from: what the station holds before it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from camera.figures import Figures, measure
from camera.picture_limits import FEWEST, LIMITS, Room, outside, rounded, single
from datasets.images import load_image
from datasets.reader import load_sample
from datasets.sample import Sample
from models.card import PicturesLearned, QualityReference
from training.images import Source

WIDENED = 1.2
_MOST = 400  # pictures that are read once more: a bound of 1 in 201, and half a minute for large ones
_MOST_TESTED = 200


def learn_pictures(source: Source, threads: int, whole: bool, *, seed: int = 0) -> QualityReference | None:
    """Lay out limits of focus, exposure, position and light from the good training and validation pictures.

    One picture of each piece counts, so that they are independent; dirt and smears, which need the order of a line, are
    not learned here. whole: the model looks at whole pictures, though the labels are of places.
    None for fewer than 20 pieces. Raises ImageError.
    """
    good = [s for s in (*source.split.train, *source.split.validation) if s.label == source.dataset.good]
    pieces = _by_piece(_pictures(good, source, whole=whole))
    if len(pieces) < FEWEST:
        return None
    order = np.random.default_rng(seed).permutation(len(pieces))[:_MOST]
    chosen = [pieces[place][0] for place in order.tolist()]
    figures = _measured(chosen, threads)
    cut = len(figures) // 2
    light = np.median([one.light for one in figures[:cut]], axis=0).astype(np.float32)
    room = Room.of([single(one, light) for one in figures[:cut]])
    furthest = max(room.furthest(single(one, light)) for one in figures[cut:]) * WIDENED
    limits = room.limits(furthest)
    tested = [s for s in source.split.test if s.label == source.dataset.good]
    test = _measured(_pictures(tested, source, whole=whole)[:_MOST_TESTED], threads)
    keys = [(limit, limits[limit.key]) for limit in LIMITS if limit.key in limits]
    return QualityReference.model_validate(
        {
            **limits,
            "light": tuple(round(float(value), 4) for value in light.ravel()),
            "usual": {figure: rounded(value) for figure, value in room.usual.items()},
            "learned": PicturesLearned(
                pieces=len(figures),
                stopped_at_most=1.0 / (len(figures) - cut + 1),
                widened=WIDENED,
                tested=len(test),
                tested_outside=sum(bool(outside(single(one, light), keys)) for one in test),
            ),
        }
    )


def _pictures(good: Sequence[Sample], source: Source, *, whole: bool) -> list[Sample]:
    """Return what is measured: each good place, or each whole picture on which every place is good."""
    if not whole:
        return list(good)
    spoilt = {sample.path for sample in source.dataset.samples if sample.label != source.dataset.good}
    return list({sample.path: replace(sample, place=None) for sample in good if sample.path not in spoilt}.values())


def _by_piece(samples: Sequence[Sample]) -> list[list[Sample]]:
    pieces: dict[str, list[Sample]] = {}
    for sample in samples:
        pieces.setdefault(sample.group, []).append(sample)
    return list(pieces.values())


def _measured(samples: Sequence[Sample], threads: int) -> list[Figures]:
    def one(sample: Sample) -> Figures:
        return measure(load_image(sample.path) if sample.place is None else load_sample(sample))

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, samples))
