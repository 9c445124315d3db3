"""A fitted model as it would be released, before anything of it was checked: graph, golden vectors and card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle, write_bundle
from models.card import CardDraft, InputSpec, Metrics, Provenance, Threshold, Tolerance
from models.golden import Golden
from training.export import export_onnx
from training.fitting import run_module
from training.material import Material, Part
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

    scores, maps: what the fitted model, not yet the graph, gives on the test images (n, classes) and (n, h, w); maps is
    None where it has none.
    """

    graph: bytes
    card: CardDraft
    golden: Golden
    scores: NDArray[np.float32]
    maps: NDArray[np.float32] | None

    def told(self, **sections: object) -> Drafted:
        """Give the same with some sections of the card replaced."""
        return replace(self, card=self.card.model_copy(update=sections))

    def write(self, out: Path, *, overwrite: bool, extras: Mapping[str, bytes] | None = None) -> Bundle:
        """Write it as a bundle, with further files. Raises BundleExistsError and BundleWriteError."""
        return write_bundle(
            out, model=self.graph, draft=self.card, golden=self.golden, extras=extras, overwrite=overwrite
        )


def draft_bundle(
    fitted: Fitted, material: Material, settings: TrainSettings, name: str, provenance: Provenance
) -> Drafted:
    """Choose the threshold on the validation images, choose golden vectors of the test images, and export."""
    model = fitted.model
    threshold = choose_threshold(
        material.validation.scored(run_module(model, material.validation.pixels, BATCH)[0], material.good_index),
        settings.escape_target,
        target_overkill=settings.overkill_target,
        costs=settings.costs,
    )
    scores, maps = run_module(model, material.test.pixels, BATCH)
    rows = golden_rows(material.test)
    return Drafted(
        graph=export_onnx(model, settings.height, settings.width, material.channels, with_map=fitted.map is not None),
        card=_draft_card(fitted, material, settings, name, threshold, provenance),
        golden=Golden(inputs=np.array(material.test.pixels[rows]), scores=scores[rows]),
        scores=scores,
        maps=maps,
    )


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
