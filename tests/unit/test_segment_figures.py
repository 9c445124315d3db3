"""What a map is worth: recall by size, the figures of its cells, and scores that can be read as frequencies."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.card import Metrics, Rate, SizeRecall
from training.intervals import clopper_pearson
from training.map_figures import MapTally, add_map_figures
from training.masks import UNKNOWN
from training.metrics import auroc, average_precision
from training.report.sizes import size_section
from training.segment.calibrate import fit_calibration
from training.segment.loss import map_loss
from training.statements import size_words


def test_recall_by_size_counts_connected_defects() -> None:
    """Two spots of 2 and 36 pixels and one of 100 fall into their bins, each shown or not, each with its part."""
    masks = np.zeros((2, 32, 32), np.uint8)
    masks[0, 1, 1:3] = 1
    masks[0, 20:26, 20:26] = 2
    masks[1, 10:20, 10:20] = 1
    maps = np.zeros((2, 8, 8), np.float32)
    maps[0, 6, 6] = 0.9  # a cell beside the second spot's own
    tally = MapTally()
    tally.add(masks, maps, np.array([0.2, 0.8]), ("a", "b"))
    metrics = add_map_figures(Metrics(), tally, 0.5)
    found = {(b.low_px, b.high_px): (b.shown.numerator, b.rejected.numerator) for b in metrics.recall_by_size}
    assert found == {(0.0, 4.0): (0, 0), (16.0, 64.0): (1, 0), (64.0, 256.0): (0, 1)}
    rate = metrics.recall_by_size[0].shown
    assert (rate.low, rate.high) == clopper_pearson(0, 1)
    everything = add_map_figures(Metrics(), tally, 0.1)
    assert [b.rejected.numerator for b in everything.recall_by_size] == [1, 1, 1]
    assert add_map_figures(Metrics(), None, 0.5) == Metrics()


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**20), st.floats(0.2, 3.0))
def test_figures_of_the_cells_are_those_of_all_cells_together(seed: int, apart: float) -> None:
    """Counted by level and in batches, the areas are those that sorting all known cells gives."""
    random = np.random.default_rng(seed)
    masks = (random.random((6, 8, 8)) < 0.2).astype(np.uint8)
    masks[random.random((6, 8, 8)) < 0.1] = UNKNOWN
    odds = random.normal(apart * (masks == 1), 1.0)
    maps = (1 / (1 + np.exp(-odds))).astype(np.float32)
    tally = MapTally()
    for start in (0, 4):
        rows = slice(start, start + 4)
        tally.add(masks[rows], maps[rows], np.zeros(len(masks[rows])), ("p", "q", "r", "s")[: len(masks[rows])])
    figures = add_map_figures(Metrics(), tally, 0.5)
    known = masks != UNKNOWN
    share, bad = maps[known].astype(np.float64), masks[known] == 1
    assert figures.map_auroc is not None
    assert figures.map_average_precision is not None
    assert figures.map_auroc.value == pytest.approx(auroc(share, bad), abs=0.01)
    assert figures.map_average_precision.value == pytest.approx(average_precision(share, bad), abs=0.04)
    assert figures.map_auroc.low <= figures.map_auroc.value <= figures.map_auroc.high


def test_a_map_without_defects_has_no_area() -> None:
    """Only good cells: no area, rather than one of nothing; good images that show a spot are counted, unknown not."""
    tally = MapTally()
    tally.add(np.zeros((1, 8, 8), np.uint8), np.zeros((1, 2, 2), np.float32), np.zeros(1), ("a",))
    tally.add(np.zeros((1, 8, 8), np.uint8), np.full((1, 2, 2), 0.6, np.float32), np.zeros(1), ("b",))
    tally.add(np.full((1, 8, 8), UNKNOWN, np.uint8), np.ones((1, 2, 2), np.float32), np.zeros(1), ("c",))
    figures = add_map_figures(Metrics(), tally, 0.5)
    assert figures.shown_on_good is not None
    assert (figures.shown_on_good.numerator, figures.shown_on_good.denominator) == (1, 2)
    assert figures.model_copy(update={"shown_on_good": None}) == Metrics()


def test_sizes_are_told_in_the_report() -> None:
    """The section has a row and a chart place for each bin, and is absent for a model without a map."""
    rate = Rate(value=0.5, low=0.1, high=0.9, numerator=1, denominator=2)
    bins = [(0.0, 4.0), (4.0, 16.0), (1024.0, None)]
    sizes = tuple(SizeRecall(low_px=low, high_px=high, shown=rate, rejected=rate) for low, high in bins)
    card = _card(smallest=2.5)
    told = size_section(Metrics(recall_by_size=sizes), card)
    assert [size_words(size) for size in sizes] == ["below 4", "4 to 16", "1024 and more"]
    assert all(told.count(f">{size_words(size)}<") == 2 for size in sizes)
    assert "2.5 pixels at the input of 8×8; below 4 a defect is hardly seen" in told
    assert "box warn" not in size_section(Metrics(), _card(smallest=9))
    assert size_section(Metrics(), _card(smallest=None)) == ""


def _card(smallest: float | None) -> object:
    from tiny_bundle import tiny_draft

    return tiny_draft(("good", "bad"), 8, 8, 3).model_copy(update={"smallest_defect_px": smallest})


@settings(max_examples=5, deadline=None)
@given(st.floats(0.7, 4.0), st.floats(-2.0, 2.0), st.integers(0, 1000))
def test_calibration_finds_what_made_the_scores_wrong(divisor: float, shift: float, seed: int) -> None:
    """Scores that were stretched and moved come back to frequencies, for three classes as for two."""
    random = np.random.default_rng(seed)
    true = random.normal(0.0, 2.0, (1500, 3))
    true[:, 0] = 0.0
    shares = np.exp(true) / np.exp(true).sum(axis=1, keepdims=True)
    truth = (random.random((1500, 1)) > shares.cumsum(axis=1)).sum(axis=1).clip(max=2)
    raw = true.copy()
    raw[:, 1:] = (true[:, 1:] - shift) * divisor
    found = fit_calibration(raw.astype(np.float32), truth.astype(np.intp))
    assert found[0] == pytest.approx(divisor, rel=0.25)
    assert found[1] == pytest.approx(shift, abs=0.6)


def test_calibration_of_a_few_perfect_images_stays_modest() -> None:
    """Ten images without a mistake claim no certainty; of one kind alone nothing is learned."""
    raw = np.zeros((10, 2), np.float32)
    raw[:, 1] = [-3, -2, -4, -3, -2, 3, 2, 4, 3, 2]
    truth = (raw[:, 1] > 0).astype(np.intp)
    divisor, shift = fit_calibration(raw, truth)
    assert 0.5 <= divisor <= 5.0
    assert abs(shift) < 1.0
    assert fit_calibration(raw, np.zeros(10, np.intp)) == (1.0, 0.0)


def test_a_small_defect_counts_as_much_as_a_large_one() -> None:
    """Missing it costs alike, unknown cells cost nothing and teach nothing, and a right map costs little."""
    small, large = torch.zeros(1, 32, 32, dtype=torch.int64), torch.zeros(1, 32, 32, dtype=torch.int64)
    small[0, 3, 3], large[0, 4:20, 4:20] = 1, 1
    nothing = torch.zeros(1, 2, 32, 32)
    nothing[:, 0] = 8.0
    missed = [map_loss(nothing, cells).item() for cells in (small, large)]
    assert missed[0] > 0.4
    right = torch.stack((8.0 - 16.0 * small, torch.zeros_like(small) * 1.0), dim=1)
    assert map_loss(right, small).item() < 0.2 * missed[0]
    unknown = torch.full((1, 32, 32), UNKNOWN)
    logits = torch.randn(1, 2, 32, 32, generator=torch.Generator().manual_seed(0), requires_grad=True)
    loss = map_loss(logits, unknown)
    loss.backward()
    assert math.isclose(loss.item(), 0.0)
    assert logits.grad is not None
    assert not logits.grad.any()
