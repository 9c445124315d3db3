"""The gate on real photographs: untouched ones stay inside, blurred, dim, shifted and smeared ones do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camera.figures import CELLS, measure
from camera.frame import Pixels
from camera.imagefile import read_image
from inspection.errors import ConfigError
from inspection.quality.gate import Gate
from inspection.quality.learn import FEWEST, learn
from inspection.quality.limits import LIMITS, joined, used_up
from inspection.quality.options import QualitySection


def _photographs(shared_data: Path, name: str) -> tuple[QualitySection, float, list[Pixels]]:
    """Limits from two thirds of a set, what share they may cost, and the pictures of the last third."""
    pattern = {"aliens": "*normal*/*.*", "screws_missing": "*.*g"}[name]
    files = sorted((shared_data / name).rglob(pattern))
    order = np.random.default_rng(1).permutation(len(files))
    pictures = [read_image(files[place]) for place in order]
    cut = 2 * len(pictures) // 3
    learned = learn([measure(picture) for picture in pictures[:cut]])
    return QualitySection.model_validate(learned.values), learned.expected_false_rejects, pictures[cut:]


def _outside(section: QualitySection, pictures: list[Pixels], change: Callable[[Pixels], Pixels]) -> list[str]:
    """The limits that changed pictures break, one string a picture."""
    gate = Gate(section)
    return [" ".join(gate.look(change(picture), "").outside) for picture in pictures]


def _stops(stops: float) -> Callable[[Pixels], Pixels]:
    return lambda picture: np.clip(picture.astype(np.float32) * 2.0**stops, 0, 255).astype(np.uint8)


def _blur(sigma: float) -> Callable[[Pixels], Pixels]:
    return lambda picture: cv2.GaussianBlur(picture, (0, 0), sigma).astype(np.uint8)


def _smear(picture: Pixels) -> Pixels:
    """A greasy finger on the lens: a quarter of the width is blurred and a tenth darker."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[:height, :width]
    mask = np.exp(-((((x - 0.62 * width) / (0.12 * width)) ** 2 + ((y - 0.55 * height) / (0.12 * height)) ** 2) ** 2))
    mask = mask[..., None] if picture.ndim == 3 else mask
    return (picture * (1 - mask) + mask * cv2.GaussianBlur(picture, (0, 0), 6) * 0.9).astype(np.uint8)


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["aliens", "screws_missing"])
def test_real_photographs(shared_data: Path, name: str) -> None:
    """The untouched hold-out stays inside (within its stated share and two pictures), grades of blur and a stop of
    light do not, each for its own reason."""
    section, share, pictures = _photographs(shared_data, name)
    untouched = _outside(section, pictures, lambda picture: picture)
    assert sum(map(bool, untouched)) <= share * len(pictures) + 2
    graded = [sum(map(bool, _outside(section, pictures, _blur(sigma)))) for sigma in (0.7, 1.0, 1.5, 3.0)]
    assert graded == sorted(graded)
    assert graded[2] >= 0.9 * len(pictures)
    assert graded[3] == len(pictures)
    assert all("focus_min" in why for why in _outside(section, pictures, _blur(3.0)))
    brighter = _outside(section, pictures, _stops(1.0))
    assert all("saturated_max" in why or "brightness_max" in why for why in brighter)
    darker = [why for why in _outside(section, pictures, _stops(-1.0)) if "brightness_min" in why or "dark" in why]
    assert len(darker) >= 0.5 * len(pictures)


@pytest.mark.realdata
def test_a_smear_on_the_lens(shared_data: Path) -> None:
    """Parts differ, a smear stays: it is seen after some parts, and over with the first one after the lens is clean."""
    section, _, pictures = _photographs(shared_data, "screws_missing")
    gate = Gate(section)
    seen = [gate.look(_smear(picture), "").outside for picture in pictures * 2]
    later = ["smear_max" in outside or "dirt_max" in outside for outside in seen[len(pictures) :]]
    assert sum(later) >= 0.8 * len(later)
    assert not any(gate.look(picture, "").outside for picture in pictures)


@pytest.mark.realdata
def test_a_part_that_lies_elsewhere(shared_data: Path) -> None:
    """A fifth of the width is misplaced for the toy figures on white."""
    section, _, pictures = _photographs(shared_data, "aliens")

    def shift(picture: Pixels) -> Pixels:
        height, width = picture.shape[:2]
        moved = np.array([[1, 0, 0.2 * width], [0, 1, 0]], np.float32)
        return cv2.warpAffine(picture, moved, (width, height), borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)

    assert all("x_max" in why for why in _outside(section, pictures, shift))


def _parts(seed: int, count: int) -> list[Pixels]:
    """Textured squares on an even belt, each a little elsewhere and a little brighter or darker."""
    draw = np.random.default_rng(seed)
    pictures = []
    for _ in range(count):
        picture = np.full((128, 128), 80.0)
        top, left = draw.integers(28, 37, 2)
        picture[top : top + 64, left : left + 64] = draw.integers(60, 200, (64, 64))
        pictures.append(np.clip(picture * draw.uniform(0.95, 1.05), 0, 255).astype(np.uint8))
    return pictures


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10_000))
def test_the_stated_share_holds(seed: int) -> None:
    """Of 200 further parts no more are outside than the share allows, with room for chance."""
    learned = learn([measure(picture) for picture in _parts(seed, 100)], seed=seed)
    gate = Gate(QualitySection.model_validate(learned.values))
    outside = sum(bool(gate.look(picture, "").outside) for picture in _parts(seed + 1, 200))
    assert outside <= 200 * learned.expected_false_rejects + 10
    empty = np.full((128, 128), 80, np.uint8)
    assert "focus_min" in gate.look(empty, "").outside


def test_a_frame_out_of_focus_leaves_no_traces() -> None:
    """What is blurred as a whole says nothing of one place: the parts after it are judged."""
    learned = learn([measure(picture) for picture in _parts(1, 100)])
    gate = Gate(QualitySection.model_validate(learned.values))
    assert all(gate.look(_blur(4.0)(picture), "").outside for picture in _parts(2, 60))
    assert not any(gate.look(picture, "").outside for picture in _parts(3, 20))


def test_too_few_pictures_are_refused() -> None:
    """The text says how many are needed."""
    with pytest.raises(ConfigError, match=f"at least {FEWEST}"):
        learn([measure(picture) for picture in _parts(1, FEWEST - 1)])


def test_sections_join_key_by_key() -> None:
    """The camera goes before the station, and that before the card; contradictions and missing maps are refused."""
    camera, station = QualitySection(brightness_min=60), QualitySection(brightness_min=50, brightness_max=200)
    both = joined(camera, station, None)
    assert both is not None
    assert (both.brightness_min, both.brightness_max, both.focus_min) == (60, 200, None)
    assert joined(None, QualitySection(), None) is None
    with pytest.raises(ValueError, match="brightness_min"):
        joined(QualitySection(brightness_min=220), station)
    with pytest.raises(ValueError, match="light, which is missing"):
        joined(QualitySection(dirt_max=0.1))
    assert joined(QualitySection(dirt_max=0.1), QualitySection(light=(1.0,) * CELLS**2)) is not None


@given(st.sampled_from(LIMITS), st.floats(0.01, 1.0), st.floats(0.01, 1.0))
def test_the_way_to_a_limit(limit: object, usual: float, room: float) -> None:
    """Nothing of it is used up where it is usual, all of it at the limit, half of it in the middle."""
    assert limit in LIMITS
    value = usual - room if limit.is_lower else usual + room  # type: ignore[attr-defined]
    for share in (0.0, 0.5, 1.0):
        figure = usual + share * (value - usual)
        assert used_up(limit, value, usual, figure) == pytest.approx(share, abs=1e-6)  # type: ignore[arg-type]
