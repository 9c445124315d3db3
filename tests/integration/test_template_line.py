"""A model with a golden image inside, in a whole station: replay camera to serial bytes, nothing changed for it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from board_pairs import draw_board, photograph, spoil, write_one_product
from replayed_line import replay

from datasets.images import load_image
from datasets.location import Location
from inspection.part import Reason, Verdict
from models.bundle import load_bundle
from models.score import defect_probability
from models.session import open_session
from training.command import run_training
from training.job import Job
from training.settings import TrainSettings

pytestmark = pytest.mark.training

SIDE = 96


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle from good photos of one product and its golden image."""
    folder = tmp_path_factory.mktemp("board")
    settings = TrainSettings(backbone="compact", height=SIDE, width=SIDE, threads=1, find_groups=False)
    data = write_one_product(folder / "set", good=30, bad=0, side=SIDE)
    released = run_training(Job(Location(data), settings, folder / "bundle", task="template", picture_limits=False))
    return released.bundle.path


def test_parts_end_as_the_golden_image_asks_for(bundle: Path, tmp_path: Path) -> None:
    """Good parts, spoilt ones, one of another product and an empty belt, all a few pixels beside: each gets the score
    that the bundle gives offline, the board sees a pulse for each reject, and the strangers never pass."""
    board, photos = draw_board(0, SIDE), []
    for number in range(20):
        kind = board if number % 2 == 0 else spoil(board, number)[0]
        photos.append(photograph(kind, 500 + number, (number % 5 - 2, number % 3 - 1)))
    photos += [photograph(draw_board(50, SIDE), 1), np.zeros((SIDE, SIDE), np.uint8)]
    files = [tmp_path / f"{number:02d}.png" for number in range(len(photos))]
    for file, pixels in zip(files, photos, strict=True):
        cv2.imwrite(str(file), pixels)
    run = replay(bundle, files, tmp_path)
    records, account = run.records, run.account
    assert account.promises_broken == []
    assert account.pulses == sum(record.verdict is Verdict.REJECT for record in records)
    loaded = load_bundle(bundle)
    session = open_session(loaded)
    expected = [
        float(defect_probability(session.run(load_image(file)[None, ..., None]), loaded.card.good_index)[0])
        for file in files
    ]
    ordered = sorted(records, key=lambda record: record.part)
    for record in ordered:
        if record.reason is not Reason.LATE:
            assert record.score == pytest.approx(expected[record.part - 1], abs=1e-3)
            assert record.verdict is (
                Verdict.REJECT if expected[record.part - 1] >= loaded.card.threshold.value else Verdict.PASS
            )
    assert [record.verdict for record in ordered[-2:]] == [Verdict.REJECT, Verdict.REJECT]
    in_time = [record for record in ordered[:20] if record.reason is not Reason.LATE]
    rejected = [record.part % 2 == 0 for record in in_time if record.verdict is Verdict.REJECT]
    assert sum(rejected) >= 0.9 * sum(record.part % 2 == 0 for record in in_time)
