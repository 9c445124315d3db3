"""Thresholds from targets, costs and good parts alone: against brute force, and their bounds against simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binomtest

from models.card import Costs
from training.curve import operating_curve
from training.intervals import (
    difference_interval,
    rank_allowed,
    sign_test,
    simultaneous_half_width,
    total_needed,
    upper_limit,
)
from training.metrics import Scored
from training.threshold import choose_threshold, piece_scores

Rows = list[tuple[float, bool, int]]
ROWS = st.lists(st.tuples(st.floats(0.001, 0.999), st.booleans(), st.integers(0, 30)), min_size=1, max_size=80)


def scored_from(probabilities: np.ndarray, defects: np.ndarray, groups: tuple[str, ...] | None = None) -> Scored:
    """Two-class scores whose defect probability is as given; class 0 passes."""
    raw = np.stack([np.zeros_like(probabilities), np.log(probabilities) - np.log1p(-probabilities)], axis=1)
    names = groups or tuple(f"g{index}" for index in range(len(probabilities)))
    return Scored(raw.astype(np.float32), defects.astype(np.intp), names, 0)


def scored_of(rows: Rows) -> Scored:
    """Rows of probability, defect, piece."""
    share = np.array([p for p, _, _ in rows])
    return scored_from(share, np.array([bad for _, bad, _ in rows]), tuple(f"{bad}{piece}" for _, bad, piece in rows))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3000), st.sampled_from([0.002, 0.01, 0.1, 0.5]), st.sampled_from([0.8, 0.95, 0.99]))
def test_allowed_rank_is_the_largest_that_the_beta_distribution_supports(
    total: int, target: float, confidence: float
) -> None:
    """Beta(k+1, n-k) has at least the confidence below the target, and that of one rank more has not."""
    allowed = rank_allowed(total, target, confidence)
    if allowed >= 0:
        assert beta.cdf(target, allowed + 1, total - allowed) >= confidence - 1e-9
    if allowed + 1 < total:
        assert beta.cdf(target, allowed + 2, total - allowed - 1) < confidence


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 40), st.sampled_from([0.003, 0.02, 0.3]))
def test_needed_total_is_the_smallest_that_supports_the_target(hits: int, target: float) -> None:
    """With that many cases the limit keeps the target, with one fewer it does not."""
    total = total_needed(hits, target)
    assert upper_limit(hits, total) <= target
    assert total - 1 < hits or total == 1 or upper_limit(min(hits, total - 1), total - 1) > target


@settings(max_examples=60, deadline=None)
@given(ROWS, st.sampled_from([0.005, 0.05, 0.2, 0.5]))
def test_escape_rule_takes_the_highest_threshold_that_its_limit_supports(rows: Rows, target: float) -> None:
    """Tried against each score as threshold: none higher is supported; unsupported targets let nothing escape."""
    scored = scored_of(rows)
    bad, _ = piece_scores(scored)
    if len(bad) == 0:
        return
    chosen = choose_threshold(scored, target)
    escaped = int((bad < chosen.value).sum())
    supported = [t for t in bad.tolist() if upper_limit(int((bad < t).sum()), len(bad)) <= target]
    assert chosen.target_met == bool(supported)
    assert escaped == (max(int((bad < t).sum()) for t in supported) if supported else 0)
    assert chosen.more_defects is not None
    assert (chosen.more_defects == 0) == chosen.target_met


@settings(max_examples=60, deadline=None)
@given(ROWS, st.sampled_from([0.05, 0.2, 0.5]))
def test_overkill_rule_takes_the_lowest_threshold_that_its_limit_supports(rows: Rows, target: float) -> None:
    """Of all thresholds between scores none lower keeps the target; with and without defects beside them."""
    scored = scored_of(rows)
    _, good = piece_scores(scored)
    if len(good) == 0:
        return
    chosen = choose_threshold(scored, target_overkill=target)
    rejected = int((good >= chosen.value).sum())
    allowed = [k for k in range(len(good)) if upper_limit(k, len(good)) <= target]
    assert rejected <= max(allowed, default=0)
    distinct = np.unique(good)
    if len(distinct) == len(good) and np.diff(distinct).min(initial=1.0) > 1e-3:
        assert rejected == max(allowed, default=0)
    assert chosen.overkill_limit is not None
    assert chosen.target_met == (chosen.overkill_limit <= target)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.floats(0.1, 100), st.floats(0.1, 100), st.floats(0.01, 0.99))
def test_cost_rule_finds_no_cheaper_threshold_by_brute_force(rows: Rows, escape: float, over: float, p: float) -> None:
    """Each gap between scores is tried: none costs less."""
    scored = scored_of(rows)
    share, bad = scored.probability, scored.defective
    if not bad.any():
        return

    def spent(threshold: float) -> float:
        passes = share < threshold
        missed = (bad & passes).sum() / bad.sum()
        rejected = (~bad & ~passes).sum() / max(1, (~bad).sum())
        return float(p * escape * missed + (1 - p) * over * rejected)

    chosen = choose_threshold(scored, costs=Costs(escape=escape, overkill=over, defect_share=p))
    assert chosen.rule == "cost"
    assert spent(chosen.value) <= min(spent(t) for t in [*share.tolist(), 1.0]) + 1e-9
    kept = choose_threshold(scored, 0.2, costs=Costs(escape=escape, overkill=over, defect_share=p))
    alone = choose_threshold(scored, 0.2)
    assert (kept.escape_limit or 0) <= (alone.escape_limit or 0) + 1e-12


@pytest.mark.parametrize(("total", "target"), [(31, 0.01), (120, 0.05)])
def test_bound_from_good_parts_alone_holds_as_often_as_it_says(total: int, target: float) -> None:
    """Of 500 samples of good scores, the true overkill stays within the stated bound in 95 %, and not in far more."""
    random = np.random.default_rng(total)
    held = 0
    for _ in range(500):
        share = random.beta(0.5, 6.0, size=total).clip(1e-9, 1 - 1e-9)
        chosen = choose_threshold(scored_from(share, np.zeros(total, bool)), target_overkill=target)
        assert chosen.overkill_limit is not None
        held += beta.sf(chosen.value, 0.5, 6.0) <= chosen.overkill_limit
    assert 0.93 <= held / 500 <= 0.97


def test_escape_limit_of_the_chosen_threshold_holds_as_often_as_it_says() -> None:
    """Of 500 samples with a target of 5 %, the true escape rate is within the limit in at least 93 %."""
    random = np.random.default_rng(8)
    held = 0
    for _ in range(500):
        share = np.concatenate([random.beta(1, 8, size=100), random.beta(6, 1.5, size=150)]).clip(1e-6, 1 - 1e-6)
        chosen = choose_threshold(scored_from(share, np.arange(250) >= 100), 0.05)
        assert chosen.escape_limit is not None
        held += beta.cdf(chosen.value, 6, 1.5) <= chosen.escape_limit
    assert held / 500 >= 0.93


def test_threshold_from_good_parts_is_upgraded_when_defects_arrive() -> None:
    """The same good parts with twelve clear defects: the escape rule decides, in the gap between both kinds."""
    good = np.linspace(0.01, 0.2, 40)
    alone = choose_threshold(scored_from(good, np.zeros(40, bool)), 0.005)
    both = choose_threshold(scored_from(np.append(good, [0.97] * 12), np.arange(52) >= 40), 0.005)
    assert (alone.rule, both.rule) == ("good parts alone", "escape")
    assert 0.2 < alone.value < 0.21 < both.value < 0.97
    assert alone.overkill_limit == pytest.approx(1 - 0.05 ** (1 / 40))
    assert "at most 7.2 % of good parts will be rejected" in alone.statement
    assert "299 good pieces" in alone.statement


def test_good_parts_that_score_one_are_counted_as_rejected() -> None:
    """No threshold lies above 1: what the bound says then counts those parts."""
    raw = np.zeros((20, 2), np.float32)
    raw[:, 1] = -5
    raw[:3, 1] = 90
    chosen = choose_threshold(Scored(raw, np.zeros(20, np.intp), tuple(map(str, range(20))), 0))
    assert chosen.value == 1.0
    assert chosen.overkill_limit == pytest.approx(upper_limit(3, 20))


@settings(max_examples=40, deadline=None)
@given(ROWS)
def test_curve_counts_pieces_at_each_threshold(rows: Rows) -> None:
    """Every point is what one counts by hand, inside its two bands, and the simultaneous one has its known width."""
    scored = scored_of(rows)
    curve = operating_curve(scored)
    bad, good = piece_scores(scored)
    for index, threshold in enumerate(curve.thresholds.tolist()):
        for line, hits, total in (
            (curve.escape, (bad < threshold).sum(), len(bad)),
            (curve.overkill, (good >= threshold).sum(), len(good)),
        ):
            if total == 0:
                assert line is None
                continue
            assert line is not None
            assert line.share[index] == pytest.approx(hits / total)
            exact = binomtest(int(hits), total).proportion_ci(0.95, "exact")
            assert (line.low[index], line.high[index]) == pytest.approx((exact.low, exact.high), abs=1e-7)
            width = simultaneous_half_width(total)
            assert line.outer_high[index] == pytest.approx(min(1.0, hits / total + width))
            assert line.outer_low[index] == pytest.approx(max(0.0, hits / total - width))


def test_simultaneous_band_holds_everywhere_at_once() -> None:
    """Of 400 samples the true curve leaves the outer band anywhere in at most 6.5 %; the pointwise one more often."""
    random = np.random.default_rng(3)
    outside = outside_pointwise = 0
    for _ in range(400):
        share = random.uniform(0.001, 0.999, size=60)
        curve = operating_curve(scored_from(share, np.ones(60, bool)))
        line, truth = curve.escape, ((curve.thresholds - 0.001) / 0.998).clip(0, 1)
        assert line is not None
        outside += bool(((truth < line.outer_low - 1e-9) | (truth > line.outer_high + 1e-9)).any())
        outside_pointwise += bool(((truth < line.low - 1e-9) | (truth > line.high + 1e-9)).any())
    assert outside / 400 <= 0.065
    assert outside_pointwise > outside


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_sign_test_agrees_with_scipy(one: int, other: int) -> None:
    """The exact McNemar p is that of a binomial test of one half."""
    expected = 1.0 if one + other == 0 else binomtest(one, one + other, 0.5).pvalue
    assert sign_test(one, other) == pytest.approx(expected)


def test_difference_interval_holds_at_least_as_often_as_it_says_and_has_a_width_at_zero() -> None:
    """Of 1500 paired samples of 60 at least 95 % of the intervals hold the true difference."""
    random = np.random.default_rng(11)
    held = 0
    for one, other, _ in random.multinomial(60, [0.12, 0.04, 0.84], size=1500).tolist():
        low, high = difference_interval(one, other, 60)
        held += low <= 0.08 <= high
    assert held / 1500 >= 0.95
    low, high = difference_interval(0, 0, 60)
    assert low < -0.05 < 0.05 < high
