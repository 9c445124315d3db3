"""What the tuning page works out: the best focus, curves, white balance, steps of settings, what is typed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camera.frame import Frame
from inspection.texts import load_catalogue
from inspection.tuning import curves
from inspection.tuning.errors import TuningError
from inspection.tuning.looking import Look, clipped
from inspection.tuning.numbers import real_number, whole_numbers
from inspection.tuning.pictures import DETAIL, detail_region, overexposed
from inspection.tuning.settings import Number, stepped
from inspection.tuning.sharpness import Sharpness
from inspection.tuning.white_balance import balanced, means_of
from inspection.tuning.words import limits


def test_one_flash_is_no_best_focus() -> None:
    """The best is one that five looks agree on; turning past it shows as a share below one."""
    sharpness = Sharpness()
    for focus in (1.0, 1.0, 9.0, 1.0):
        sharpness.take(focus)
    assert (sharpness.best, sharpness.share) == (None, None)
    for focus in (1.0, 2.0, 2.0, 2.0, 2.0, 1.5, 1.5, 1.5):
        sharpness.take(focus)
    assert (sharpness.now, sharpness.best, sharpness.share) == (1.5, 2.0, 0.75)
    sharpness.forget()
    assert (sharpness.now, sharpness.best) == (None, None)


@given(st.lists(st.floats(0, 1e3), max_size=40))
@settings(max_examples=40)
def test_the_share_is_never_above_all_of_it(seen: list[float]) -> None:
    """Whatever is seen, the share lies between nothing and all, and the best is one of the values."""
    sharpness = Sharpness()
    for focus in seen:
        sharpness.take(focus)
    assert sharpness.share is None or 0.0 <= sharpness.share <= 1.0
    assert sharpness.best is None or sharpness.best in seen


def test_a_curve_ends_now_and_shows_the_last_minute_only() -> None:
    """The newest point is at the right, one older than 60 s is gone, a pause of 5 s is a gap."""
    points = [(100.0, 0.0), (150.0, 1.0), (151.0, 1.0), (156.0, 0.5), (165.0, 0.0)]
    drawn = curves.path(points, 165.0, 0.0, 1.0)
    assert drawn == "M90.0 0.0L92.0 0.0M102.0 15.0M120.0 30.0"
    assert curves.path([], 165.0, 0.0, 1.0) == ""


@given(st.lists(st.tuples(st.floats(-100, 0), st.floats(-10, 10)), max_size=900))
@settings(max_examples=30)
def test_a_curve_stays_small_and_inside(points: list[tuple[float, float]]) -> None:
    """However many points there are, about one for each of 120 columns is drawn, none outside."""
    drawn = curves.path(sorted(points), 0.0, *curves.range_of([value for _, value in points], 1.0))
    pairs = [pair.split(" ") for pair in drawn.replace("M", "L").split("L")[1:]]
    assert len(pairs) <= 121
    assert all(0 <= float(x) <= curves.WIDTH and 0 <= float(y) <= curves.HEIGHT for x, y in pairs)


def test_noise_is_not_drawn_as_high_as_the_curve() -> None:
    """Values that hardly differ are drawn in a range of at least the given span."""
    assert curves.range_of([50.0, 50.2], 10.0) == pytest.approx((45.1, 55.1))
    assert curves.range_of([0.0, 0.001], 0.01) == (0.0, 0.01)
    assert curves.range_of([10.0, 90.0], 10.0) == (10.0, 90.0)


def test_a_histogram_has_64_bars_and_shows_few_beside_many() -> None:
    """The tallest bar fills the height; one of a hundredth has a tenth of it."""
    counts = np.zeros(256, np.int64)
    counts[0], counts[255] = 10_000, 100
    drawn = curves.bars(counts, 64.0, 100.0)
    assert drawn.count("h1.00") == 64
    assert drawn.startswith("M0 100.0L0.00 0.00h1.00")
    assert "L63.00 90.00h1.00" in drawn


@given(st.tuples(*[st.floats(0.5, 4)] * 3), st.tuples(*[st.floats(20, 240)] * 3))
@settings(max_examples=50)
def test_balanced_ratios_make_the_card_grey(now: tuple[float, float, float], card: tuple[float, float, float]) -> None:
    """A sensor that multiplies each colour by its ratio sees the card with red, green and blue alike afterwards."""
    wanted = balanced(now, card)
    seen = [mean / before * after for mean, before, after in zip(card, now, wanted, strict=True)]
    assert seen == pytest.approx([card[1]] * 3)
    assert wanted[1] == now[1]


def test_a_card_that_says_nothing_is_refused() -> None:
    """Grey pictures, clipped ones and dark ones are no measurement, and it is said what to do."""
    card = np.full((20, 20, 3), (120, 100, 80), np.uint8)
    assert means_of(card) == (120.0, 100.0, 80.0)
    clipped_card = card.copy()
    clipped_card[:2, :, 0] = 255
    for bad, why in (
        (card[:, :, 0], "the picture is grey"),
        (clipped_card, "10% of the region is overexposed"),
        (card // 6, "too dark"),
    ):
        with pytest.raises(TuningError, match=why):
            means_of(bad)


def test_one_overexposed_pixel_is_still_seen_in_a_small_picture() -> None:
    """A picture of 4000 × 3000 shown at 1280 × 960 marks the place of a single clipped pixel, of any colour."""
    image = np.zeros((3000, 4000, 3), np.uint8)
    image[1501, 2003, 2] = 255
    mask = overexposed(image, (1280, 960))
    assert mask.shape == (960, 1280)
    rows, columns = np.nonzero(mask)
    assert 1 <= len(rows) <= 9
    assert abs(rows.mean() - 1501 * 0.32) < 2
    assert abs(columns.mean() - 2003 * 0.32) < 2


@given(st.tuples(*[st.integers(-50, 900)] * 4), st.integers(8, 700), st.integers(8, 700))
@settings(max_examples=60)
def test_a_region_stays_in_the_picture(region: tuple[int, int, int, int], columns: int, rows: int) -> None:
    """Whatever is dragged or typed, what is measured lies inside, with at least 8 × 8 pixels; so does the detail."""
    found = clipped(region, (columns, rows))
    assert found is not None
    x, y, width, height = found
    assert x >= 0
    assert y >= 0
    assert min(width, height) >= 8
    assert x + width <= columns
    assert y + height <= rows
    frame = Frame("top", 1, None, 0, 0, "Mono8", np.zeros((rows, columns), np.uint8))
    left, top, across, down = detail_region(Look(1, frame, (columns, rows), found, {}, np.zeros(256, np.int64)))
    assert left >= 0
    assert top >= 0
    assert (across, down) == (min(DETAIL[0], columns), min(DETAIL[1], rows))
    assert left + across <= columns
    assert top + down <= rows


def test_a_step_stays_within_the_limits() -> None:
    """+ and − move an exposure by a tenth and a gain by a twentieth of its range, never out of it."""
    exposure, gain = Number("exposure_us", 5000.0, 10.0, 5200.0, "us"), Number("gain", 0.0, 0.0, 24.0, "dB")
    assert (stepped(exposure, up=True), stepped(exposure, up=False)) == (5200.0, 4545.5)
    assert (stepped(gain, up=True), stepped(gain, up=False)) == (1.2, 0.0)
    assert limits(exposure) == "10 … 5\u202f200 µs"
    assert limits(Number("gamma", 1.0, None, None, "")) == ""


def test_what_is_typed_is_a_number_or_nothing() -> None:
    """Commas and blanks are taken; a sign, a word or infinity is not."""
    assert whole_numbers("10, 20 30,40") == (10, 20, 30, 40)
    assert [whole_numbers(text) for text in ("1,2,3", "-1,2,3,4", "a b c d")] == [None] * 3
    assert [real_number(text) for text in (" 12,5 ", "1e3", "x", "inf", "nan", "")] == [12.5, 1000.0] + [None] * 4


@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_state_of_a_camera_has_a_word(language: str) -> None:
    """The page's line has a word for each state that a camera can be in."""
    from inspection.camera_history import CameraState

    texts = load_catalogue(language).texts
    assert {f"tuning.state_{state}" for state in CameraState} <= texts.keys()
