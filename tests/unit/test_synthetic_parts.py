"""Rendered parts: the same for the same seed and index, defects where the truth says, rates as asked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from datasets.synthetic import KINDS, PartRenderer


@pytest.fixture(scope="module")
def renderer() -> PartRenderer:
    return PartRenderer(11, 320, 240)


def test_the_same_part_whatever_came_before(renderer: PartRenderer) -> None:
    """Order of calls, threads and a fresh renderer change nothing."""
    wanted = [(index, kind) for index in range(6) for kind in KINDS]
    first = [renderer.render(*item) for item in wanted]
    again = PartRenderer(11, 320, 240)
    with ThreadPoolExecutor(4) as pool:
        second = list(pool.map(lambda item: again.render(*item), reversed(wanted)))[::-1]
    for a, b in zip(first, second, strict=True):
        assert (a.truth, a.box) == (b.truth, b.box)
        assert np.array_equal(a.pixels, b.pixels)


def test_another_seed_or_index_is_another_picture(renderer: PartRenderer) -> None:
    """No two parts are the same picture."""
    first = renderer.render(1, "good").pixels
    assert not np.array_equal(first, renderer.render(2, "good").pixels)
    assert not np.array_equal(first, PartRenderer(12, 320, 240).render(1, "good").pixels)


@pytest.mark.parametrize(("width", "height"), [(640, 480), (320, 240), (500, 700), (64, 64)])
def test_pictures_have_the_size_asked_for(width: int, height: int) -> None:
    """(H, W, 3) uint8, and every box lies inside the picture."""
    renderer = PartRenderer(1, width, height)
    for index in range(10):
        for kind in KINDS:
            part = renderer.render(index, kind)
            assert part.pixels.shape == (height, width, 3)
            assert part.pixels.dtype == np.uint8
            assert (part.box is None) == (kind == "good")
            if part.box is not None:
                x, y, w, h = part.box
                assert x >= 0
                assert y >= 0
                assert w > 0
                assert h > 0
                assert x + w <= width
                assert y + h <= height


@pytest.mark.parametrize("kind", ["scratch", "chip", "stain"])
def test_a_defect_shows_inside_its_box_and_nowhere_else(renderer: PartRenderer, kind: str) -> None:
    """Against the same part without it, a defect changes pixels plainly in its box, and nearly none outside."""
    for index in range(40):
        part, good = renderer.render(index, kind), renderer.render(index, "good")
        change = np.abs(part.pixels.astype(int) - good.pixels).max(axis=2)
        assert part.box is not None
        x, y, w, h = part.box
        box = change[y : y + h, x : x + w]
        assert (box > 20).sum() >= 12, f"part {index}: hardly visible"
        assert (change > 20).sum() - (box > 20).sum() <= 0.02 * (change > 20).sum(), f"part {index}: box too small"


def test_a_wrong_position_is_off_and_a_right_one_is_not(renderer: PartRenderer) -> None:
    """Good parts lie within 3 % of the picture's height of its centre; wrong ones are off by more, or turned."""

    def centre(pixels: np.ndarray) -> np.ndarray:
        bright = cv2.GaussianBlur(pixels[:, :, 1], (0, 0), 3) > 75
        return np.argwhere(bright).mean(0)

    middle = np.array([120, 160])
    off = [np.abs(centre(renderer.render(k, "good").pixels) - middle).max() for k in range(30)]
    assert max(off) < 0.04 * 240
    shifted = [
        np.abs(centre(renderer.render(k, "wrong_position").pixels) - middle).max() > 0.05 * 240 for k in range(60)
    ]
    assert 20 <= sum(shifted) <= 50


def test_kinds_come_at_the_rate_asked_for(renderer: PartRenderer) -> None:
    """The rate is met, each defect is as frequent, and 0 and 1 mean never and always."""
    kinds = [renderer.kind_of(index, 0.2) for index in range(4000)]
    assert kinds == [renderer.kind_of(index, 0.2) for index in range(4000)]
    assert abs(sum(kind != "good" for kind in kinds) / 4000 - 0.2) < 0.03
    for kind in KINDS[1:]:
        assert abs(kinds.count(kind) / 4000 - 0.05) < 0.02
    assert {renderer.kind_of(index, 0.0) for index in range(50)} == {"good"}
    assert "good" not in {renderer.kind_of(index, 1.0) for index in range(50)}


def test_bad_requests_are_refused(renderer: PartRenderer) -> None:
    """An unknown kind and an impossible size are named."""
    with pytest.raises(ValueError, match="'dent'"):
        renderer.render(0, "dent")
    with pytest.raises(ValueError, match="64 to 8192"):
        PartRenderer(0, 10, 480)
