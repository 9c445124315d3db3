"""The gate of a release: the exported graph must be the fitted model, in every batch size and on every engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle
from models.card import ParityRow
from models.checks import Parity, check_batch_invariance, compare_scores, largest_difference
from models.engines import ONNXRUNTIME
from models.golden import Golden
from models.parity import Reference, measure_parity
from models.session import Given, Session, open_session
from training.drafted import Drafted
from training.errors import ReleaseRefusedError
from training.scoring import maps_of, novel_of, run_session


@dataclass(frozen=True, slots=True)
class Passed:
    """A candidate that is the fitted model: a plain value. said, maps: by its session, of the test images."""

    session: Session
    said: Given
    maps: NDArray[np.float32] | None
    parity: Parity
    engines: tuple[ParityRow, ...]


def pass_gate(candidate: Bundle, drafted: Drafted, pixels: NDArray[np.uint8], *, parity_s: float) -> Passed:
    """Run the candidate as the station runs it, on the test images uint8 (n, h, w, c).

    Its scores must agree with those of the fitted model within the tolerance and change no verdict, its maps as well,
    and batches of 1, 2, 4, 8 and 16 must give the same; else ReleaseRefusedError. Other engines that miss this are told
    of in the rows, by which the card refuses them. parity_s: about how long all engines in all sizes may take.
    """
    session = open_session(candidate)
    said, fitted, card = run_session(session, pixels), drafted.said, drafted.card
    maps = None if fitted.map is None else _maps_unless_other(session, pixels, fitted.map)
    parity = compare_scores(
        fitted.scores,
        said.scores,
        good_index=card.good_index,
        threshold=card.threshold.value,
        novel=(novel_of(card, fitted), novel_of(card, said)),
    )
    refuse_unless_same(session, drafted.golden, parity)
    engines = measure_parity(candidate, Reference(pixels, fitted.scores, fitted.map, fitted.novelty), budget_s=parity_s)
    _refuse_unless_usable(engines)
    return Passed(session, said, maps, parity, engines)


def refuse_unless_same(session: Session, golden: Golden, parity: Parity) -> None:
    """Raise ReleaseRefusedError unless the export gives the scores of the fitted model, in every batch size."""
    limit = session.card.tolerance.score_abs
    if not parity.within(limit):
        raise ReleaseRefusedError(
            f"the exported model is not the trained one: on {parity.images} test images the scores differ by up to "
            f"{parity.max_abs:.3g} and {parity.flips} verdicts change — at most {limit:.3g} and 0 are allowed — "
            "nothing was released; report this with the versions of torch and onnxruntime"
        )
    batches = check_batch_invariance(session, golden, limit)
    if not batches.passed:
        raise ReleaseRefusedError(
            f"{batches.detail} — a verdict must not depend on who shares the batch — not released"
        )


def _maps_unless_other(session: Session, pixels: NDArray[np.uint8], places: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the exported maps (n, h, w); raise ReleaseRefusedError where they are not those of the fitted model."""
    limit = session.card.tolerance.score_abs
    shown = maps_of(session, pixels)
    apart = largest_difference(places, shown)
    if not apart <= limit:
        raise ReleaseRefusedError(
            f"the exported map is not that of the trained model: it differs by up to {apart:.3g} — at most {limit:.3g} "
            "is allowed — nothing was released; report this with the versions of torch and onnxruntime"
        )
    return shown


def _refuse_unless_usable(engines: Sequence[ParityRow]) -> None:
    """Raise ReleaseRefusedError where ONNX Runtime's CPU provider misses the fitted model in any batch size."""
    missed = next((row for row in engines if row.engine == ONNXRUNTIME and not row.usable), None)
    if missed is not None:
        raise ReleaseRefusedError(
            f"the exported model is not the trained one {missed.why} — nothing was released; report this with the "
            "versions of torch and onnxruntime"
        )
