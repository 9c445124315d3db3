"""The cold start on real photographs: normal biscuits tell the broken ones, by the defaults of the command."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from datasets.images import load_image
from models.bundle import load_bundle
from models.resize import fit
from models.score import defect_probability
from models.session import open_session
from models.verify import verify_bundle
from training.anomaly.cost import measure_cost

pytestmark = [pytest.mark.training, pytest.mark.realdata, pytest.mark.timeout(600)]


def test_broken_biscuits_are_told_from_a_few_normal_ones(cookies_anomaly_bundle: Any) -> None:
    """From 23 normal biscuits: AUROC of at least 0.98 on held-out ones, no certainty, a map that shows the score."""
    out = cookies_anomaly_bundle.bundle
    assert all(check.passed for check in verify_bundle(out))
    bundle = load_bundle(out)
    card = bundle.card
    assert card.data.counts["train"] == {"normal": 23}
    assert card.metrics.auroc is not None
    assert card.metrics.auroc.value >= 0.98
    session, size = open_session(bundle), card.input
    images = [path for path, _ in cookies_anomaly_bundle.held_out]
    pixels = np.stack([fit(load_image(image), size.height, size.width, size.channels) for image in images[:8]])
    scores, shown = session.run_with_map(pixels)
    probability = defect_probability(scores, card.good_index)
    assert (probability < 1.0).all()
    assert np.allclose(shown.max(axis=(1, 2)), probability, atol=1e-5)


def test_cost_beside_a_plain_forward_pass_is_known(cookies_anomaly_bundle: Any) -> None:
    """Both are measured in turns; the ratio is printed and not judged, since a busy machine must fail no test."""
    cost = measure_cost(load_bundle(cookies_anomaly_bundle.bundle), "mobilenet_v2", turns=5)
    print(f"detector {cost.detector_s * 1e3:.1f} ms, backbone {cost.backbone_s * 1e3:.1f} ms: {cost.ratio:.2f} times")
    assert cost.detector_s > 0
    assert cost.backbone_s > 0
