"""From a network that judges boxes to a model that judges parts: cut, judge, the worst box, calibrated on parts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from training.cut import Cut
from training.cutting import Cutting
from training.material import Material
from training.odds import fit_odds
from training.tasks.task import Fitted

_BATCH = 8


def put_together(fitted: Fitted, material: Material, cut: Cut) -> Fitted:
    """Give the model of whole parts around a network that was fitted on their boxes.

    The worst of many boxes is worse than any single one, so what it means is read from whole validation parts.
    """
    model = Cutting(fitted.model, cut, len(material.classes), material.channels).eval()
    validation = material.validation
    worst = worst_margins(model, validation.pixels)
    slope, shift = fit_odds(worst, validation.truth != material.good_index)
    model.slope.fill_(slope)
    model.shift.fill_(shift)
    return replace(
        fitted,
        model=model,
        temperature=fitted.temperature / slope,
        map=cut.map,
        places=cut.places,
        tile=cut.tile,
    )


def worst_margins(model: Cutting, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Give the log odds of a defect of the worst box of each image (n,) of uint8 (n, h, w, c)."""
    found = []
    with torch.inference_mode():
        for start in range(0, len(pixels), _BATCH):
            batch = torch.from_numpy(np.array(pixels[start : start + _BATCH]))
            found.append(model.margins(batch).amax(dim=1).numpy())
    return np.concatenate(found).astype(np.float64)
