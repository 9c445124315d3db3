"""Outlines, masks and run lengths: drawn at any size nothing marked gets lost, and they turn into each other."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from annotation_files import photograph
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from datasets import DatasetError, Sample
from datasets.marks import class_map, defects_of, fill, read_mask, shrink, smallest_defect
from datasets.readers.record import MalformedError
from datasets.readers.shapes import area, box, counts_of_text, ellipse, mask_of_runs, pairs, turned
from datasets.readers.tracing import outlines_of
from datasets.sample import Mark, Place

masks = arrays.arrays(np.bool_, arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))
CLASSES = ("good", "crack", "dent")


def sample(path: Path = Path("none.png"), **more: object) -> Sample:
    return Sample(path, "crack", "", None, **{"mask": None, **more})  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(masks)
def test_a_mask_and_its_outlines_are_the_same(mask: NDArray[np.bool_]) -> None:
    """Filling the traced outlines gives the mask pixel for pixel, holes and touching corners included."""
    again = np.zeros_like(mask)
    for outline in outlines_of(mask):
        again |= fill(outline, *mask.shape)
    np.testing.assert_array_equal(again, mask)
    assert sum(area(outline) for outline in outlines_of(mask)) == mask.sum()


@settings(max_examples=60, deadline=None)
@given(masks)
def test_run_lengths_are_those_of_pycocotools(mask: NDArray[np.bool_]) -> None:
    """What pycocotools encodes is decoded to the same mask, compressed text and plain counts alike."""
    encoded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    height, width = encoded["size"]
    counts = counts_of_text(encoded["counts"].decode())
    np.testing.assert_array_equal(mask_of_runs(counts, height, width, by_column=True), mask)


@pytest.mark.parametrize("text", ["~~", "o", "é"])
def test_broken_run_lengths(text: str) -> None:
    """Letters that are none and numbers that end early are refused."""
    with pytest.raises(MalformedError, match="run lengths"):
        counts_of_text(text)


@pytest.mark.parametrize(
    ("counts", "height", "width"), [([3], 2, 2), ([5, -1], 2, 2), ([], 0, 4), ([10**12], 10**6, 10**6)]
)
def test_run_lengths_that_fit_no_mask(counts: list[int], height: int, width: int) -> None:
    """A sum that is not the size, a negative run, no size and a size beyond all bounds are refused."""
    with pytest.raises(MalformedError):
        mask_of_runs(counts, height, width, by_column=False)


whole = st.integers(0, 30)


@settings(max_examples=60, deadline=None)
@given(whole, whole, whole, whole)
def test_a_box_covers_its_pixels(x0: int, y0: int, x1: int, y1: int) -> None:
    """A box of whole pixels fills exactly these."""
    filled = fill(box(x0, y0, x1, y1), 30, 30)
    expected = np.zeros((30, 30), np.bool_)
    expected[min(y0, y1) : max(y0, y1), min(x0, x1) : max(x0, x1)] = True
    np.testing.assert_array_equal(filled, expected)


def test_areas_of_round_and_turned_outlines() -> None:
    """An ellipse has its area, filled too; a turned box keeps its own; too few corners are no polygon."""
    assert area(ellipse(50, 40, 30, 20)) == pytest.approx(np.pi * 600)
    assert fill(ellipse(50, 40, 30, 20), 100, 100).sum() == pytest.approx(np.pi * 600, rel=0.01)
    assert area(turned(box(0, 0, 6, 4), 30)) == pytest.approx(24)
    with pytest.raises(MalformedError, match="4 numbers"):
        pairs([1, 2, 3, 4])


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0, 99), st.floats(0, 79), st.floats(0.05, 60), st.floats(0.05, 60), st.integers(4, 64), st.integers(4, 64)
)
def test_no_mark_gets_lost_at_any_size(x: float, y: float, w: float, h: float, height: int, width: int) -> None:
    """However small the map is, each mark keeps a pixel, inside its bounds and a pixel around."""
    outline = box(x, y, min(x + w, 100), min(y + h, 80))
    found = class_map(sample(marks=(Mark("dent", outline),)), CLASSES, height, width, size=(100, 80))
    assert found.any()
    ys, xs = np.nonzero(found)
    assert (xs.min() + 1) * 100 / width >= x - 1e-6
    assert ys.max() * 80 / height <= min(y + h, 80)


def test_a_hairline_stays_whole() -> None:
    """A scratch a third of a pixel wide at the size of the map is drawn from end to end."""
    scratch = ((4.0, 4.0), (96.0, 75.0), (97.0, 75.0), (5.0, 4.0))
    found = class_map(sample(marks=(Mark("crack", scratch),)), CLASSES, 20, 25, size=(100, 80))
    assert (found.any(axis=1)[1:18]).all()


def test_classes_places_and_small_on_large() -> None:
    """Each type has its index, the smaller of two marks lies on top, and a place shows what of them lies in it."""
    marks = (Mark("dent", box(10, 10, 12, 12)), Mark("crack", box(0, 0, 20, 20)))
    found = class_map(sample(marks=marks), CLASSES, 40, 40, size=(40, 40))
    assert (found[11, 11], found[5, 5], found[30, 30]) == (2, 1, 0)
    part = class_map(sample(marks=marks, place=Place("p", 10, 10, 20, 10)), CLASSES, 10, 20, size=(40, 40))
    assert (part[0, 0], part[5, 5], part[5, 15]) == (2, 1, 0)
    with pytest.raises(DatasetError, match=r"crack.*good, dent"):
        class_map(sample(marks=marks), ("good", "dent"), 4, 4, size=(40, 40))


def test_masks_of_colour_grey_and_indices(tmp_path: Path) -> None:
    """All that is not black is marked; in a grey mask with soft edges, its lighter half."""
    photograph(tmp_path / "a.png", 20, 10)
    drawn = np.zeros((10, 20), np.uint8)
    drawn[2:5, 3:9], drawn[6:8, 1:2] = 3, 1
    soft = np.where(drawn == 3, 255, np.where(drawn == 1, 40, 0)).astype(np.uint8)
    colour = np.zeros((10, 20, 3), np.uint8)
    colour[drawn > 0] = (54, 164, 35)
    for name, pixels, number in (("indices", drawn, 20), ("soft", soft, 18), ("colour", colour, 20)):
        assert cv2.imwrite(str(tmp_path / f"{name}.png"), pixels)
        assert read_mask(sample(tmp_path / "a.png", mask=tmp_path / f"{name}.png")).sum() == number
    masked = sample(tmp_path / "a.png", mask=tmp_path / "indices.png")
    assert [defect.area_px for defect in defects_of(masked, 20, 40)] == [72, 8]
    assert smallest_defect([masked], 5, 10).area_px == 0.5  # type: ignore[union-attr]
    found = class_map(masked, CLASSES, 5, 10)
    assert found[3:4, 0].any()
    photograph(tmp_path / "a.png", 21, 10)
    with pytest.raises(DatasetError, match="20×10 pixels — its image has 21×10"):
        read_mask(masked)


@settings(max_examples=80, deadline=None)
@given(masks, st.integers(1, 15), st.integers(1, 15))
def test_every_spot_of_a_mask_survives(mask: NDArray[np.bool_], height: int, width: int) -> None:
    """At any size, each connected spot has a pixel where it lies."""
    found = shrink(mask, height, width)
    number, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    for spot in range(1, number):
        ys, xs = np.nonzero(labels == spot)
        left, right = xs.min() * width // mask.shape[1], -(-(xs.max() + 1) * width // mask.shape[1])
        top, bottom = ys.min() * height // mask.shape[0], -(-(ys.max() + 1) * height // mask.shape[0])
        assert found[top:bottom, left:right].any()


def test_nothing_marked_is_no_smallest_defect(tmp_path: Path) -> None:
    """Without a mark there is none to be the smallest; the smallest of several is named with its image."""
    photograph(tmp_path / "a.png", 100, 80)
    assert smallest_defect([sample(tmp_path / "a.png")], 10, 10) is None
    marks = (Mark("dent", box(0, 0, 8, 8)), Mark("crack", box(0, 0, 50, 40)))
    found = smallest_defect([sample(tmp_path / "a.png", marks=marks)], 40, 50)
    assert found is not None
    assert (found.label, found.area_px, found.path.name) == ("dent", 16, "a.png")
