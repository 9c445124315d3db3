"""From raw scores to the defect probability: exact, stable, and never passing what is not known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.checks import compare_scores
from models.score import defect_probability, worst_class

logit = st.floats(-80, 80, width=32)
rows = st.integers(2, 5).flatmap(lambda n: st.lists(st.lists(logit, min_size=n, max_size=n), min_size=1, max_size=4))


@settings(max_examples=100, deadline=None)
@given(raw=rows, good=st.integers(0, 4))
def test_defect_probability_is_the_softmax_of_the_defects(raw: list[list[float]], good: int) -> None:
    """Against the definition in Python's own floats: sum of exp over the defects by sum of exp over all."""
    good %= len(raw[0])
    found = defect_probability(raw, good)
    for row, probability in zip(raw, found, strict=True):
        weights = [math.exp(value - max(row)) for value in row]
        expected = math.fsum(weight for index, weight in enumerate(weights) if index != good) / math.fsum(weights)
        assert probability == pytest.approx(expected, rel=1e-12)


def test_small_probabilities_are_not_lost() -> None:
    """1 - softmax(good) would round to 0 here; the sum over the defects keeps it."""
    assert defect_probability([[60.0, 0.0]], 0)[0] == pytest.approx(math.exp(-60), rel=1e-9)


@pytest.mark.parametrize("row", [[1e30, -1e30], [-1e30, 1e30], [3e38, 3e38]])
def test_huge_scores_do_not_overflow(row: list[float]) -> None:
    """Any finite float32 gives a probability between 0 and 1."""
    assert 0 <= defect_probability(np.array([row], np.float32), 0)[0] <= 1


@pytest.mark.parametrize("row", [[np.nan, 0.0], [0.0, np.nan], [np.inf, 0.0], [np.inf, np.inf], [-np.inf, -np.inf]])
def test_scores_without_a_softmax_never_pass(row: list[float]) -> None:
    """NaN or +inf anywhere gives 1.0 for that row, and leaves its neighbours alone."""
    found = defect_probability([[5.0, -5.0], row], 0)
    assert found[1] == 1.0
    assert found[0] < 0.001


def test_worst_class_is_never_the_good_one() -> None:
    """The likeliest defect is named even when the part is good."""
    raw = np.array([[9.0, 1.0, 2.0], [0.0, 5.0, 2.0]])
    assert worst_class(raw, 0).tolist() == [2, 1]
    assert worst_class(raw, 1).tolist() == [0, 2]
    assert worst_class(np.full((1, 3), -np.inf), 0).tolist() == [1]


def test_compared_scores_count_flips() -> None:
    """Two executions that fall on both sides of the threshold do not agree, however near they are."""
    before, after = np.array([[0.0, 1e-6], [3.0, 0.0]], np.float32), np.array([[0.0, -1e-6], [3.0, 0.0]], np.float32)
    parity = compare_scores(before, after, good_index=0, threshold=0.5)
    assert (parity.images, parity.flips) == (2, 1)
    assert parity.max_abs == pytest.approx(2e-6)
    assert not parity.within(1e-3)
    assert compare_scores(before, before, good_index=0, threshold=0.5).within(1e-9)


def test_nan_scores_never_agree() -> None:
    """A NaN is above every tolerance."""
    nan = np.full((1, 2), np.nan, np.float32)
    assert not compare_scores(nan, nan, good_index=0, threshold=0.5).within(1.0)
