"""Intervals, figures and thresholds against published values, brute force and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score, roc_auc_score

from training.intervals import auroc_interval, cases_needed, clopper_pearson, upper_limit
from training.metrics import Scored, auroc, average_precision, calibration, class_accuracy, measure
from training.threshold import choose_threshold


def scored_from(probabilities: list[float], defects: list[bool], groups: list[str] | None = None) -> Scored:
    """Two-class scores whose defect probability is as given; class 0 passes."""
    share = np.array(probabilities)
    raw = np.stack([np.zeros_like(share), np.log(share) - np.log1p(-share)], axis=1).astype(np.float32)
    names = tuple(groups or [f"g{index}" for index in range(len(share))])
    return Scored(raw, np.array(defects, dtype=np.intp), names, 0)


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [
        (0, 10, 0.0, 0.3085),
        (1, 10, 0.0025, 0.4450),
        (5, 10, 0.1871, 0.8129),
        (10, 10, 0.6915, 1.0),
        (0, 12, 0.0, 0.2646),
        (3, 100, 0.0062, 0.0852),
    ],
)
def test_clopper_pearson_gives_the_tabled_limits(hits: int, total: int, low: float, high: float) -> None:
    """The two-sided 95 % limits are those of printed tables, to their four decimals."""
    assert clopper_pearson(hits, total) == pytest.approx((low, high), abs=5e-5)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5000), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_clopper_pearson_agrees_with_scipy(total: int, share: float, confidence: float) -> None:
    """Our bisection and scipy's beta quantiles give the same interval for any count."""
    hits = round(share * total)
    theirs = binomtest(hits, total).proportion_ci(confidence, method="exact")
    assert clopper_pearson(hits, total, confidence) == pytest.approx((theirs.low, theirs.high), abs=1e-8)


def test_twelve_defects_without_an_escape_still_mean_22_percent() -> None:
    """The one-sided limit of 0 in 12 is 1 - 0.05^(1/12), and 598 are the first that support 0.5 %."""
    assert upper_limit(0, 12) == pytest.approx(1 - 0.05 ** (1 / 12))
    assert cases_needed(0.005) == 598
    assert upper_limit(0, 598) <= 0.005 < upper_limit(0, 597)


def test_auroc_interval_has_a_width_at_one_and_narrows_with_the_sample() -> None:
    """A perfect separation of few parts is no certainty."""
    small, _ = auroc_interval(1.0, 10, 20)
    large, high = auroc_interval(1.0, 200, 400)
    assert 0.8 < small < large < 1.0
    assert high == 1.0


def test_auroc_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Of 600 simulated samples of normal scores with a known area, 92 to 98 % of the 95 % intervals hold it."""
    random = np.random.default_rng(5)
    shift = 2.0
    truth = 0.5 * (1 + math.erf(shift / 2))
    defective = np.arange(80) < 30
    covered = 0
    for _ in range(600):
        low, high = auroc_interval(auroc(random.normal(size=80) + shift * defective, defective), 30, 50)
        covered += low <= truth <= high
    assert 0.92 <= covered / 600 <= 0.98


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=60))
def test_ranking_figures_agree_with_sklearn_also_with_ties(rows: list[tuple[int, bool]]) -> None:
    """AUROC and average precision are those of scikit-learn, ties included."""
    score = np.array([value / 7 for value, _ in rows])
    defective = np.array([bad for _, bad in rows])
    if defective.all() or not defective.any():
        return
    assert auroc(score, defective) == pytest.approx(roc_auc_score(defective, score))
    assert average_precision(score, defective) == pytest.approx(average_precision_score(defective, score))


def test_figures_count_what_happened_at_the_threshold() -> None:
    """Escape, overkill, accuracy and each class count the images on the wrong side; equal to the threshold rejects."""
    scored = scored_from([0.1, 0.5, 0.2, 0.9, 0.4, 0.8], [False, False, False, True, True, True])
    figures = measure(scored, 0.5, ("good", "bad"), "test")
    assert figures.escape is not None
    assert (figures.escape.numerator, figures.escape.denominator) == (1, 3)
    assert figures.overkill is not None
    assert (figures.overkill.numerator, figures.overkill.denominator) == (1, 3)
    assert figures.accuracy is not None
    assert figures.accuracy.numerator == 4
    assert figures.per_class["bad"].numerator == 2
    assert figures.auroc is not None
    assert figures.auroc.value == pytest.approx(8 / 9)
    assert figures.confusion == ((3, 0), (1, 2))
    rate = class_accuracy(figures.confusion or ())
    assert rate is not None
    assert rate.denominator == 6


def test_figures_that_cannot_be_counted_are_absent() -> None:
    """Without a defect there is no escape rate and no AUROC, and nothing pretends to be 0 or 1."""
    figures = measure(scored_from([0.1, 0.2], [False, False]), 0.5, ("good", "bad"), "test")
    assert figures.escape is None
    assert figures.auroc is None
    assert figures.average_precision is None
    assert "bad" not in figures.per_class


def test_images_of_one_piece_do_not_narrow_the_auroc_interval() -> None:
    """Six photos of each piece give the interval of the pieces, not of six times as many."""
    base = [0.1, 0.2, 0.3, 0.6, 0.4, 0.7, 0.8, 0.9]
    bad = [False] * 4 + [True] * 4
    once = measure(scored_from(base, bad), 0.5, ("good", "bad"), "test").auroc
    names = [f"p{index}" for index in range(8) for _ in range(6)]
    six = measure(
        scored_from([p for p in base for _ in range(6)], [b for b in bad for _ in range(6)], names),
        0.5,
        ("good", "bad"),
        "test",
    ).auroc
    assert once is not None
    assert six is not None
    assert (six.low, six.high) == pytest.approx((once.low, once.high))


def test_calibration_error_is_the_gap_between_said_and_seen() -> None:
    """Ten images said to be 90 % bad of which five are: the gap is 0.4."""
    result = calibration(scored_from([0.9001] * 10, [True] * 5 + [False] * 5), 1.5, "test")
    assert result.expected_calibration_error == pytest.approx(0.4, abs=1e-3)
    assert result.temperature == 1.5
    assert [b.count for b in result.bins] == [10]


def test_threshold_of_separated_parts_lies_between_them_and_says_what_it_cannot_know() -> None:
    """With 12 defects and no overlap nothing escapes, and the statement still speaks of 22 %."""
    chosen = choose_threshold(scored_from([0.02] * 20 + [0.98] * 12, [False] * 20 + [True] * 12), 0.005)
    assert chosen.value == pytest.approx(0.5, abs=1e-6)
    assert not chosen.target_met
    assert "12 validation defects: 0 escapes, which still means up to 22 %" in chosen.statement
    assert "cannot support the target of 0.5 %" in chosen.statement
    assert "598" in chosen.statement


def test_threshold_says_when_the_sample_supports_the_target() -> None:
    """600 caught defects of 600 pieces support 0.5 %."""
    chosen = choose_threshold(scored_from([0.1] * 50 + [0.9] * 600, [False] * 50 + [True] * 600), 0.005)
    assert chosen.target_met
    assert "is supported" in chosen.statement


def test_six_photos_of_a_piece_do_not_support_what_one_would_not() -> None:
    """600 defect photos of 100 pieces are 100 cases: the target of 0.5 % stays out of reach."""
    groups = [f"good{index}" for index in range(50)] + [f"piece{index // 6}" for index in range(600)]
    chosen = choose_threshold(scored_from([0.1] * 50 + [0.9] * 600, [False] * 50 + [True] * 600, groups), 0.005)
    assert not chosen.target_met
    assert "100 independent pieces" in chosen.statement


def test_without_a_defect_nothing_is_claimed_about_escapes() -> None:
    """No defect in the sample: the threshold clears the good parts, and the statement says what is not known."""
    chosen = choose_threshold(scored_from([0.1, 0.2], [False, False]), 0.01)
    assert 0.2 < chosen.value < 0.21
    assert chosen.rule == "good parts alone"
    assert not chosen.target_met
    assert "nothing is known about escapes" in chosen.statement
    assert chosen.validation_escape is None
