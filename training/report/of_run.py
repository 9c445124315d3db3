"""The report of a finished run: its bundle on the test images that the run kept apart."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.session import open_session
from training.material import Part
from training.release import Release
from training.report.page import History, Tried, write_report
from training.runfolder import RunFolder
from training.scoring import novel_of, run_session


def report_run(
    released: Release, test: Part, folder: RunFolder, data: str, history: History, training_s: float
) -> Tried:
    """Score the test images with the released bundle, write `report.html` into the run's folder, give what it shows."""
    session = open_session(released.bundle)
    begun_ns = time.monotonic_ns()
    said = run_session(session, test.pixels)
    scoring_s = (time.monotonic_ns() - begun_ns) / 1e9

    def load(chosen: Sequence[int]) -> NDArray[np.uint8]:
        return np.array(test.pixels[list(chosen)])

    tried = Tried(
        bundle=released.bundle,
        session=session,
        scored=test.scored(said.scores, released.bundle.card.good_index, novel_of(released.bundle.card, said)),
        names=test.names or [f"test image {index}" for index in range(len(test.truth))],
        load=load,
        data=data,
        split="test",
        digest=released.bundle.card.data.digest,
        scoring_s=scoring_s,
        training_s=training_s,
        history=history,
        metrics=released.bundle.card.metrics,
    )
    write_report(tried, folder.report)
    return tried
