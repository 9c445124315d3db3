"""What a model with places says of each place of a part, read from its map, and how often that is right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from datasets.parts import Parts, Size, gather_parts, has_places
from datasets.sample import Sample
from models.card import Card, CardDraft, Rate
from training.cut import cover
from training.errors import EvaluationError
from training.metrics import make_rate

_SLACK_PX = 2.0  # two roundings of a box's edge, and half a percent of a side


def place_probabilities(maps: NDArray[np.float32], card: CardDraft) -> NDArray[np.float32]:
    """Give the defect probability of each place (n, places) out of maps (n, map height, map width).

    A cell of the map shows the worst place that covers it, so the least cell of a place is its own, unless others cover
    all of it.
    """
    assert card.map is not None
    boxes = [(place.x, place.y, place.width, place.height) for place in card.places]
    covered = cover(boxes, card.input.height, card.input.width, card.map)
    return np.stack([maps[:, cells].min(axis=1) for cells in covered], axis=1)


def rate_places(
    maps: NDArray[np.float32], card: CardDraft, labels: Sequence[Sequence[str]], threshold: float
) -> dict[str, Rate]:
    """Give for each place, by its name, the share of parts in which it is judged rightly at a threshold.

    maps: of the parts (n, map height, map width). labels: of each part the true label at each place.
    """
    rejected = place_probabilities(maps, card) >= threshold
    defective = np.array([[label != card.good_class for label in row] for row in labels], dtype=np.bool_)
    rates = {
        place.name: make_rate(int(right.sum()), len(right))
        for place, right in zip(card.places, (rejected == defective).T, strict=True)
    }
    return {name: rate for name, rate in rates.items() if rate is not None}


def all_places(rates: dict[str, Rate]) -> Rate | None:
    """Sum the places of all parts up; None of none."""
    return make_rate(sum(rate.numerator for rate in rates.values()), sum(rate.denominator for rate in rates.values()))


def whole_parts(samples: Sequence[Sample], card: Card) -> Parts | None:
    """Put samples of places together to the parts that a bundle judges; None where these samples are images already.

    Raises DatasetError where the images differ in their places, EvaluationError where these are not the bundle's.
    """
    if not (card.places and has_places(samples)):
        return None
    parts = gather_parts(samples, card.good_class)
    _refuse_other_places(parts, card)
    return parts


def _refuse_other_places(parts: Parts, card: Card) -> None:
    """Raise EvaluationError where a set's places are not those that a bundle judges."""
    names = [place.name for place in parts.places]
    if names != [place.name for place in card.places]:
        raise EvaluationError(
            f"the images have the places {', '.join(names)} — '{card.name}' judges "
            f"{', '.join(place.name for place in card.places)} — give images with these places in this order"
        )
    for place, own in zip(parts.places, card.places, strict=True):
        told = _edges((place.x, place.y, place.width, place.height), parts.size, (card.input.width, card.input.height))
        known = (own.x, own.y, own.x + own.width, own.y + own.height)
        slack = _SLACK_PX + 0.005 * max(card.input.width, card.input.height)
        if max(abs(a - b) for a, b in zip(told, known, strict=True)) > slack:
            raise EvaluationError(
                f"place '{place.name}' lies at {', '.join(f'{edge:.0f}' for edge in told)} (left, top, right, bottom) "
                f"of the input — '{card.name}' judges {', '.join(map(str, known))} — give images of the same framing"
            )


def _edges(box: tuple[int, int, int, int], size: Size, wanted: Size) -> tuple[float, float, float, float]:
    x, y, width, height = box
    across, down = wanted[0] / size[0], wanted[1] / size[1]
    return x * across, y * down, (x + width) * across, (y + height) * down
