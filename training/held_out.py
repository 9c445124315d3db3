"""The figures of a model on the test images that its run kept apart: of its scores, its places and its maps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.card import CardDraft, Metrics
from training.map_figures import MapTally, add_map_figures
from training.material import Material, Part
from training.metrics import Scored, measure
from training.placewise import rate_places
from training.scoring import BATCH


def measure_test(material: Material, scored: Scored, maps: NDArray[np.float32] | None, draft: CardDraft) -> Metrics:
    """Measure the test images at the threshold, and their maps (n, h, w) beside what is marked and said of places."""
    threshold = draft.threshold.value
    metrics = measure(scored, threshold, material.classes, "test")
    if maps is not None and material.boxes is not None and draft.places:
        rates = rate_places(maps, draft, material.boxes.place_labels, threshold)
        metrics = metrics.model_copy(update={"per_place": rates})
    return add_map_figures(metrics, _tally(material.test, maps, scored), threshold)


def _tally(test: Part, maps: NDArray[np.float32] | None, scored: Scored) -> MapTally | None:
    """Hold the maps against the truth, where there are both."""
    if maps is None or test.masks is None:
        return None
    tally, probability = MapTally(), scored.rejected_up_to
    for start in range(0, len(maps), BATCH):
        rows = slice(start, start + BATCH)
        tally.add(np.array(test.masks[rows]), maps[rows], probability[rows], test.groups[rows])
    return tally
