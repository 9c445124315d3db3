"""A fitted model as it would be released, before anything of it was checked: graph, golden vectors and card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from models.bundle import Bundle, write_bundle
from models.card import CardDraft, InputSpec, Metrics, Provenance, Threshold, Tolerance
from models.golden import Golden
from models.session import Given
from training.conditions import Conditions
from training.export import export_onnx
from training.forward import run_outputs
from training.material import Material, Part
from training.novelty_limit import hold, learn_novelty, limit_words
from training.scoring import BATCH
from training.settings import TrainSettings
from training.tasks.task import Fitted
from training.threshold import choose_threshold

SCORE_TOLERANCE = 1e-3  # float32 kernels of different processors differ by 1e-6 to 1e-4 of a logit
_GOLDEN_BYTES = 1_000_000
_GOLDEN_COUNTS = (4, 8)


@dataclass(frozen=True, slots=True)
class Drafted:
    """What a bundle is written of: a plain value.

    said: what the fitted model, not yet the graph, says of the test images.
    """

    graph: bytes
    card: CardDraft
    golden: Golden
    said: Given

    def told(self, **sections: object) -> Drafted:
        """Give the same with some sections of the card replaced."""
        return replace(self, card=self.card.model_copy(update=sections))

    def write(self, out: Path, *, overwrite: bool, extras: Mapping[str, bytes] | None = None) -> Bundle:
        """Write it as a bundle, with further files. Raises BundleExistsError and BundleWriteError."""
        return write_bundle(
            out, model=self.graph, draft=self.card, golden=self.golden, extras=extras, overwrite=overwrite
        )


def draft_bundle(
    fitted: Fitted,
    material: Material,
    settings: TrainSettings,
    name: str,
    provenance: Provenance,
    conditions: Conditions,
) -> Drafted:
    """Lay out limits on the validation images, choose golden vectors of the test images, and export.

    The limits are the threshold and, where the model is to tell of it, that of novelty.
    """
    model, with_map = fitted.model, fitted.map is not None
    telling = learn_novelty(model, material) if conditions.novelty else None
    held_out = _said_by(model, material.validation.pixels, with_map=with_map, with_novelty=telling is not None)
    novelty = None
    if telling is not None and held_out.novelty is not None:
        novelty = hold(telling, held_out.novelty, material.validation)
        conditions.say(limit_words(novelty, material.validation))
    threshold = choose_threshold(
        material.validation.scored(held_out.scores, material.good_index),
        settings.escape_target,
        target_overkill=settings.overkill_target,
        costs=settings.costs,
    )
    with_novelty = novelty is not None
    said = _said_by(model, material.test.pixels, with_map=with_map, with_novelty=with_novelty)
    size = settings.height, settings.width, material.channels
    card = _draft_card(fitted, material, settings, name, threshold, provenance)
    return Drafted(
        graph=export_onnx(model, *size, with_map=with_map, with_novelty=with_novelty),
        card=card.model_copy(update={"novelty": novelty}),
        golden=golden_of(material.test, said),
        said=said,
    )


def golden_of(test: Part, said: Given) -> Golden:
    """Give the golden vectors: a few test images with what was said of them."""
    rows = golden_rows(test)
    novelty = None if said.novelty is None else said.novelty[rows]
    return Golden(inputs=np.array(test.pixels[rows]), scores=said.scores[rows], novelty=novelty)


def _said_by(model: nn.Module, pixels: NDArray[np.uint8], *, with_map: bool, with_novelty: bool) -> Given:
    """Give all that a fitted model says of uint8 (n, h, w, c)."""
    given = run_outputs(model, pixels, BATCH)
    return Given(given[0], given[1] if with_map else None, given[-1] if with_novelty else None)


def golden_rows(test: Part) -> NDArray[np.intp]:
    """Choose test images class by class in turn, as many as fit into about a megabyte."""
    least, most = _GOLDEN_COUNTS
    wanted = min(len(test.truth), max(least, min(most, _GOLDEN_BYTES // test.pixels[0].size)))
    queues = [np.flatnonzero(test.truth == label).tolist() for label in sorted(set(test.truth.tolist()))]
    chosen: list[int] = []
    while len(chosen) < wanted:
        for queue in queues:
            if queue and len(chosen) < wanted:
                chosen.append(queue.pop(0))
    return np.array(sorted(chosen), dtype=np.intp)


def _draft_card(
    fitted: Fitted,
    material: Material,
    settings: TrainSettings,
    name: str,
    threshold: Threshold,
    provenance: Provenance,
) -> CardDraft:
    """Give the card without what is measured with the graph."""
    return CardDraft(
        name=name,
        task=settings.task,
        classes=material.classes,
        good_class=material.good,
        input=InputSpec(
            height=settings.height,
            width=settings.width,
            channels=1 if material.channels == 1 else 3,
            pixel_format="Mono8" if material.channels == 1 else "RGB8",
        ),
        threshold=threshold,
        tolerance=Tolerance(score_abs=SCORE_TOLERANCE),
        data=material.origin(),
        metrics=Metrics(),
        provenance=provenance,
        map=fitted.map,
        places=fitted.places,
        tile=fitted.tile,
        smallest_defect_px=fitted.smallest_defect_px or material.smallest_defect_px,
        golden=fitted.golden,
    )
