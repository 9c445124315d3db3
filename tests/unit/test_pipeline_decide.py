"""Decisions are a pure function of scores and threshold."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection.part import Evaluation, Reason, Verdict
from inspection.pipeline.decide import Judge, not_decidable, overruled

JUDGE = Judge(("good", "chip", "scratch"), 0, threshold=0.5)
logits = st.lists(st.floats(-30, 30, width=32), min_size=3, max_size=3)


@given(logits, st.floats(0, 1))
def test_a_part_passes_only_below_the_threshold(raw: list[float], threshold: float) -> None:
    """PASS exactly when the defect probability is below the threshold; the figures are kept."""
    decision = Judge(JUDGE.classes, 0, threshold).decide(np.array(raw, np.float32))
    assert decision.score is not None
    assert 0 <= decision.score <= 1
    assert (decision.verdict is Verdict.PASS) == (decision.score < threshold)
    assert (decision.reason is Reason.NONE) == (decision.verdict is Verdict.PASS)
    assert decision.raw_scores == tuple(np.array(raw, np.float32).tolist())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_decide_nothing(bad: float) -> None:
    """A broken model rejects: NOT_DECIDABLE, SYSTEM."""
    decision = JUDGE.decide(np.array([bad, 0, 0], np.float32))
    assert (decision.evaluation, decision.verdict, decision.reason) == (
        Evaluation.NOT_DECIDABLE,
        Verdict.REJECT,
        Reason.SYSTEM,
    )


def test_the_likeliest_defect_is_named() -> None:
    """The defect class is the best of the defects, also for a part that passes."""
    assert JUDGE.decide(np.array([0, 1, 5], np.float32)).defect_class == "scratch"
    assert JUDGE.decide(np.array([9, 2, 1], np.float32)).defect_class == "chip"


def test_overruling_rejects_and_keeps_the_figures() -> None:
    """An overruled pass is a reject with the score of before."""
    passed = JUDGE.decide(np.array([9, 0, 0], np.float32))
    late = overruled(passed, Reason.LATE)
    assert (late.verdict, late.reason, late.score) == (Verdict.REJECT, Reason.LATE, passed.score)
    assert not_decidable(Reason.NO_IMAGE).verdict is Verdict.REJECT


@pytest.mark.parametrize("novelty", [1.0001, 50.0, math.inf, math.nan, None])
@pytest.mark.parametrize("raw", [[9, 0, 0], [0, 9, 0]])
def test_beyond_the_limit_of_novelty_no_score_counts(novelty: float | None, raw: list[float]) -> None:
    """Neither good nor bad is decided; the figures stay readable. One that does not tell: alike."""
    decision = replace(JUDGE, novelty_limit=1.0).decide(np.array(raw, np.float32), novelty)
    assert decision.evaluation is Evaluation.NOT_DECIDABLE
    assert decision.verdict is Verdict.REJECT
    assert decision.reason is Reason.OUT_OF_DISTRIBUTION
    assert decision.score is not None
    assert decision.raw_scores == tuple(raw)
    assert decision.novelty is novelty


def test_within_the_limit_the_score_decides() -> None:
    """As of a model that does not tell, with the novelty beside it; scores that are no numbers stay a fault."""
    judge = replace(JUDGE, novelty_limit=1.0)
    for raw in ([9, 0, 0], [0, 9, 0]):
        scores = np.array(raw, np.float32)
        assert judge.decide(scores, 1.0) == replace(JUDGE.decide(scores), novelty=1.0)
    assert judge.decide(np.array([np.nan, 0, 0], np.float32), 0.5).reason is Reason.SYSTEM
