"""Models trained on real photographs, run on held-out ones through the whole station: replay camera to serial bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from replayed_line import replay

from datasets.images import load_image
from inspection.part import EjectorAction, Reason, Verdict
from inspection.records.verify import verify
from models.bundle import load_bundle
from models.resize import fit
from models.score import defect_probability
from models.session import open_session

pytestmark = [pytest.mark.training, pytest.mark.realdata, pytest.mark.timeout(900)]


@pytest.mark.parametrize(
    "released", ["magnetic_tile_bundle", "cookies_bundle", "cookies_anomaly_bundle", "screws_bundle"]
)
def test_held_out_images_end_as_the_pulses_that_their_scores_ask_for(
    released: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Every held-out image triggers once, gets the score that the bundle gives offline, and the board at the far end of
    the serial line saw a pulse for exactly the images whose verdict is REJECT, in their order."""
    trained: Any = request.getfixturevalue(released)
    images = [path for path, _ in trained.held_out]
    run = replay(trained.bundle, images, tmp_path, rate_hz=15)
    records, account, station = run.records, run.account, run.station
    assert account.promises_broken == []
    assert account.pulses == sum(record.verdict is Verdict.REJECT for record in records) > 0
    assert verify(station.config.records.dir).ok

    expected = _offline_scores(trained.bundle, images)
    good = station.engine.bundle.card.good_class
    for record in sorted(records, key=lambda record: record.part):
        fired = record.ejector_action in (EjectorAction.FIRED, EjectorAction.FIRED_LATE)
        assert fired == (record.verdict is Verdict.REJECT)
        if record.reason is Reason.LATE:
            continue
        assert record.score == pytest.approx(expected[record.part - 1], abs=1e-3)
        assert record.threshold is not None
        assert (record.verdict is Verdict.REJECT) == (record.score >= record.threshold)
    labels = {number: label for number, (_, label) in enumerate(trained.held_out, 1)}
    in_time = [record for record in records if record.reason is not Reason.LATE]
    bad = [record.score for record in in_time if labels[record.part] != good]
    fine = [record.score for record in in_time if labels[record.part] == good]
    assert np.mean(bad) > np.mean(fine)


def _offline_scores(bundle_path: Path, images: list[Path]) -> list[float]:
    """Score each image alone, without any part of the station."""
    bundle = load_bundle(bundle_path)
    session, size = open_session(bundle), bundle.card.input
    scores = []
    for image in images:
        pixels = fit(load_image(image), size.height, size.width, size.channels)
        scores.append(float(defect_probability(session.run(pixels[None]), bundle.card.good_index)[0]))
    return scores
