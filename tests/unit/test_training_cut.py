"""Cutting an input into places or tiles: where the boxes lie, and that torch, ONNX and numpy agree on them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import onnxruntime as ort
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from datasets.parts import Parts
from datasets.sample import Place
from models.card import MapSpec
from models.score import defect_probability
from training.compact import Compact
from training.cut import Cut, cover, crop, cut_places, cut_tiles, weights_of
from training.cutting import Cutting
from training.deployed import Deployed
from training.errors import SettingsError, TrainingDataError
from training.export import export_onnx
from training.odds import fit_odds
from training.tiling import UNKNOWN, label_tiles

pytestmark = pytest.mark.training

PLACES = Cut(48, 64, ((0, 0, 20, 24), (30, 2, 32, 32), (5, 25, 40, 20)), 32, ("one", "two", "three"))


@settings(max_examples=60, deadline=None)
@given(height=st.integers(16, 400), width=st.integers(16, 400), side=st.integers(16, 128))
def test_tiles_cover_the_input_and_overlap(height: int, width: int, side: int) -> None:
    """Every pixel lies in a tile, every tile in the input, and each square of an eighth of the side whole in one."""
    if side > min(height, width):
        with pytest.raises(SettingsError, match=f"--tile {side}: is larger than the input of {width}×{height}"):
            cut_tiles(height, width, side)
        return
    try:
        boxes = cut_tiles(height, width, side).boxes
    except SettingsError as error:
        assert "at most 128" in str(error)  # noqa: PT017  (which sizes are too many is not what is tested)
        return
    xs, ys = sorted({x for x, _, _, _ in boxes}), sorted({y for _, y, _, _ in boxes})
    assert len(boxes) == len(xs) * len(ys) <= 128
    for starts, length in ((xs, width), (ys, height)):
        assert (starts[0], starts[-1]) == (0, length - side)
        gaps = [after - before for before, after in pairwise(starts)]
        assert max(gaps, default=0) <= side - side // 8


def test_places_are_scaled_to_the_input() -> None:
    """A place of a large image lies at the same share of the input, and one that would vanish there is refused."""
    places = (Place("left", 0, 0, 300, 400), Place("right", 300, 0, 300, 400))
    parts = Parts((), places, (600, 400), ())
    cut = cut_places(parts, 100, 150, 64)
    assert cut.boxes == ((0, 0, 75, 100), (75, 0, 75, 100))
    assert [place.name for place in cut.places] == ["left", "right"]
    with pytest.raises(TrainingDataError, match=r"'left' has 5×10 pixels of an input of 10×10.*--size native"):
        cut_places(parts, 10, 10, 64)


@settings(max_examples=40, deadline=None)
@given(length=st.integers(1, 60), side=st.integers(1, 60))
def test_lines_are_resized_without_gain_or_shift(length: int, side: int) -> None:
    """Each new pixel is a mean of old ones; a constant stays one, and the middle of a ramp stays its middle."""
    weights = weights_of(length, side)
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose((weights @ np.arange(length)).mean(), (length - 1) / 2, atol=1e-3)
    if length == side:
        np.testing.assert_allclose(weights, np.eye(side), atol=1e-6)


def test_every_box_covers_a_cell_of_the_map() -> None:
    """A box smaller than a cell covers the one it lies in; a box of the whole input covers all."""
    found = cover([(0, 0, 100, 100), (99, 99, 1, 1), (50, 0, 1, 100)], 100, 100, MapSpec(height=4, width=4))
    assert found[0].all()
    assert found[1].sum() == 1
    assert found[1, 3, 3]
    assert found[2].sum() == 4
    assert found[2, :, 2].all()


def cutting(cut: Cut, classes: int, channels: int) -> Cutting:
    """A cut network with random weights, strong enough that boxes differ."""
    torch.manual_seed(3)
    network = Compact(classes).eval()
    torch.nn.init.normal_(network.head.weight, std=2.0)
    return Cutting(Deployed(network), cut, classes, channels).eval()


def images(cut: Cut, channels: int, count: int = 5) -> NDArray[np.uint8]:
    """Noise of different strength in different images."""
    random = np.random.default_rng(0)
    noise = random.normal(128, np.linspace(5, 70, count)[:, None, None, None], (count, cut.height, cut.width, channels))
    return np.clip(noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("cut", [PLACES, cut_tiles(80, 100, 32)], ids=["places", "tiles"])
@pytest.mark.parametrize(("classes", "channels"), [(2, 3), (4, 1)])
def test_torch_and_onnx_give_the_same_in_every_batch(cut: Cut, classes: int, channels: int) -> None:
    """Scores and maps of the exported graph are those of torch, whoever shares the batch; only N is free."""
    model, pixels = cutting(cut, classes, channels), images(cut, channels)
    graph = export_onnx(model, cut.height, cut.width, channels, with_map=True)
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    assert session.get_outputs()[0].shape[1:] == [classes]
    assert session.get_outputs()[1].shape[1:] == [cut.map.height, cut.map.width]
    with torch.inference_mode():
        scores, shown = (given.numpy() for given in model(torch.from_numpy(pixels)))
    for size in (1, 2, 5):
        for start in range(0, len(pixels) - size + 1, size):
            given = session.run(None, {"pixels": pixels[start : start + size]})
            np.testing.assert_allclose(given[0], scores[start : start + size], atol=1e-4)
            np.testing.assert_allclose(given[1], shown[start : start + size], atol=1e-4)


def test_a_part_is_as_bad_as_its_worst_box() -> None:
    """The defect probability is the highest of any box judged alone, and the map shows each box's where it lies."""
    model, pixels = cutting(PLACES, 4, 3), images(PLACES, 3)
    with torch.inference_mode():
        scores, shown = (given.numpy() for given in model(torch.from_numpy(pixels)))
        crops = np.stack([crop(image, box, PLACES.side) for image in pixels for box in PLACES.boxes])
        alone = defect_probability(model.network(torch.from_numpy(crops)).numpy(), 0).reshape(len(pixels), 3)
    np.testing.assert_allclose(defect_probability(scores, 0), alone.max(axis=1), atol=0.02)  # crops are rounded
    covered = PLACES.cover()
    for box in range(3):
        others = np.delete(covered, box, axis=0).any(axis=0)
        own = shown[:, covered[box] & ~others]
        np.testing.assert_allclose(own, np.repeat(alone[:, box : box + 1], own.shape[1], axis=1), atol=0.02)
    assert (shown[:, ~covered.any(axis=0)] == 0).all()


def test_a_box_that_is_no_number_never_passes() -> None:
    """Where the network gives no number for some box, the exported graph gives a defect probability of 1."""
    cut = cut_tiles(64, 96, 32)

    class Root(torch.nn.Module):
        """No number for a dark image."""

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            bright = pixels.float().mean(dim=(1, 2, 3))
            return torch.stack([bright, torch.sqrt(bright - 10.0) - 100.0], dim=1)

    pixels = np.full((2, 64, 96, 1), 200, np.uint8)
    pixels[1, :32, :32] = 0
    graph = export_onnx(Cutting(Root(), cut, 2, 1), 64, 96, 1, with_map=True)
    scores, _ = ort.InferenceSession(graph, providers=["CPUExecutionProvider"]).run(None, {"pixels": pixels})
    light, dark = defect_probability(scores, 0).tolist()
    assert light < 0.01
    assert dark == 1.0


def test_tiles_are_labelled_by_what_lies_in_them() -> None:
    """A defect marks the tiles that hold half of it; a tile with a sliver is neither good nor bad."""
    cut = cut_tiles(64, 120, 64)
    assert [x for x, _, _, _ in cut.boxes] == [0, 56]
    marked = np.zeros((64, 120), np.uint8)
    marked[10:16, 5:11] = 2
    assert label_tiles(marked, cut).tolist() == [2, 0]
    marked[30:36, 57:63] = 1  # where both tiles overlap; of a tile with two types the larger counts
    marked[30:36, 63] = 1
    assert label_tiles(marked, cut).tolist() == [1, 1]
    marked[:] = 0
    marked[20:26, 55:75] = 1  # 9 of 20 columns in the first tile, 19 in the second
    assert label_tiles(marked, cut).tolist() == [UNKNOWN, 1]
    assert label_tiles(np.zeros((64, 120), np.uint8), cut).tolist() == [0, 0]


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_marked_defect_makes_a_tile_defective(data: st.DataObject) -> None:
    """However large a defect is and wherever it lies, some tile is learned from as defective."""
    cut = cut_tiles(90, 130, 32)
    x, y = data.draw(st.integers(0, 129)), data.draw(st.integers(0, 89))
    width, height = data.draw(st.integers(1, 130 - x)), data.draw(st.integers(1, 90 - y))
    marked = np.zeros((90, 130), np.uint8)
    marked[y : y + height, x : x + width] = 1
    labels = label_tiles(marked, cut)
    assert (labels == 1).any()
    for (left, top, side, _), label in zip(cut.boxes, labels.tolist(), strict=True):
        assert (label == 0) == (not marked[top : top + side, left : left + side].any())


def test_log_odds_become_frequencies_without_claiming_certainty() -> None:
    """The order is kept, ten parts told apart perfectly are no certainty, and one kind alone changes nothing."""
    margins = np.array([-40.0, -35.0, -30.0, -28.0, -25.0, 10.0, 12.0, 14.0, 18.0, 20.0])
    bad = margins > 0
    slope, shift = fit_odds(margins, bad)
    chance = 1 / (1 + np.exp(-(slope * margins + shift)))
    assert (np.diff(chance) > 0).all()
    assert 0.02 < chance[~bad].mean() < 0.3 < 0.7 < chance[bad].mean() < 0.98
    assert fit_odds(margins, np.zeros(10, np.bool_)) == (1.0, 0.0)
    assert fit_odds(-margins, bad)[0] > 0
