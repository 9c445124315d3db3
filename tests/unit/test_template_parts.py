"""The parts of the task 'template': golden images in a graph, alignment, strangers, boxes."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from board_pairs import SIDE, draw_board, photograph, spoil
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.score import defect_probability
from training.export import export_onnx
from training.forward import run_module
from training.template.boxes import Box, average_precision, find_boxes, measure_boxes, overlap
from training.template.calibrate import calibrate
from training.template.learning import floor_of, moved
from training.template.loss import loss_of_marks
from training.template.model import Comparing
from training.template.network import ComparingNetwork
from training.template.planes import compare, compare_crop, level
from training.template.scan import rescan, two_levels
from training.template.store import GoldenStore


def boards(number: int) -> NDArray[np.uint8]:
    """Golden images uint8 (k, h, w, 1)."""
    return np.stack([draw_board(seed) for seed in range(number)])[..., np.newaxis]


@pytest.fixture(scope="module")
def model() -> Comparing:
    """A model of four boards whose network has random weights: where things lie needs no learning."""
    torch.manual_seed(3)
    made = Comparing(boards(4), ComparingNetwork(4, 2)).eval()
    made.floor.fill_(floor_of(np.array([0.97, 0.98, 0.99])))
    return made


@given(
    channels=st.sampled_from([1, 3]), height=st.integers(32, 37), width=st.integers(32, 41), seed=st.integers(0, 99),
    binary=st.booleans(),
)  # fmt: skip
@settings(max_examples=10, deadline=None)
def test_a_golden_image_comes_out_as_it_went_in(
    channels: int, height: int, width: int, seed: int, binary: bool
) -> None:
    """Every pixel of every golden image comes back exactly; binarised ones take a bit each."""
    random = np.random.default_rng(seed)
    goldens = random.integers(0, 256, (3, height, width, channels)).astype(np.uint8)
    if binary:
        goldens = np.where(goldens > 100, np.uint8(250), np.uint8(7))
    store = GoldenStore(goldens)
    rows = torch.tensor([2, 0, 0, 1])
    given_back = store(rows).permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(given_back, goldens[rows.numpy()])
    size = height * width * channels
    assert store.stored_bytes == 3 * (-(-size // 8) if binary else size)


@pytest.mark.parametrize("shift", [(0, 0), (1, -1), (-3, 2), (5, 7), (-8, 8), (8, -6)])
def test_a_part_that_lies_beside_is_found_and_moved_back(model: Comparing, shift: tuple[int, int]) -> None:
    """Of four golden images the right one is taken, and the shift is right to the pixel, up to the stated reach."""
    assert model.locate.reach_px == 8
    photos = np.stack([photograph(board[..., 0], seed, shift) for seed, board in enumerate(boards(4))])[..., np.newaxis]
    found = model.align(torch.from_numpy(photos))
    assert found.rows.tolist() == [0, 1, 2, 3]
    assert found.shift.tolist() == [list(shift)] * 4
    assert float(found.correlation.min()) > 0.9
    inner = (found.level - found.golden)[:, :, 10:-10, 10:-10].abs()
    assert float(inner.mean()) < 4.0


def strangers() -> dict[str, NDArray[np.uint8]]:
    """Pictures that show none of the golden images."""
    random = np.random.default_rng(5)
    return {
        "another board": photograph(draw_board(77), 1),
        "nothing, black": np.zeros((SIDE, SIDE), np.uint8),
        "nothing, white": np.full((SIDE, SIDE), 255, np.uint8),
        "noise": random.integers(0, 256, (SIDE, SIDE)).astype(np.uint8),
        "a part far beside": photograph(draw_board(1), 1, (40, 35)),
        "a part that lies upside down": np.ascontiguousarray(photograph(draw_board(1), 1)[::-1]),
        "a negative": 255 - photograph(draw_board(1), 1),
    }


@pytest.mark.parametrize("kind", strangers())
@pytest.mark.parametrize("says_good", [True, False])
def test_what_is_none_of_the_golden_images_never_passes(model: Comparing, kind: str, says_good: bool) -> None:
    """However sure the network is that it is good, the defect probability is 1 to nine digits."""
    model.offset.fill_(-25.0 if says_good else 0.0)
    try:
        raw, _ = run_module(model, strangers()[kind][np.newaxis, ..., np.newaxis], 1)
        good, _ = run_module(model, photograph(draw_board(1), 1)[np.newaxis, ..., np.newaxis], 1)
    finally:
        model.offset.fill_(0.0)
    assert defect_probability(raw, 0)[0] > 1 - 1e-9
    if says_good:
        assert defect_probability(good, 0)[0] < 0.01


def test_the_graph_gives_the_scores_and_the_map_of_the_model_in_every_batch(model: Comparing) -> None:
    """ONNX Runtime alone, batches of 1 to 8: scores and map are torch's."""
    photos = np.stack([photograph(spoil(draw_board(n % 4), n)[0], n, (n - 3, 2 - n)) for n in range(8)])[..., None]
    scores, places = run_module(model, photos, 8)
    assert places is not None
    assert places.shape == (8, SIDE // 4, SIDE // 4)
    assert 0.0 <= places.min() <= places.max() <= 1.0
    session = onnxruntime.InferenceSession(export_onnx(model, SIDE, SIDE, 1, with_map=True))
    assert [output.shape[1:] for output in session.get_outputs()] == [[3], [SIDE // 4, SIDE // 4]]
    for size in (1, 2, 4, 8):
        for start in range(0, 8, size):
            rows = slice(start, start + size)
            given_scores, given_places = session.run(["scores", "map"], {"pixels": photos[rows]})
            np.testing.assert_allclose(given_scores, scores[rows], atol=1e-3)
            np.testing.assert_allclose(given_places, places[rows], atol=1e-4)


@pytest.mark.parametrize(("height", "width", "channels"), [(70, 101, 3), (33, 49, 1)])
def test_any_size_and_colour_can_be_exported(height: int, width: int, channels: int) -> None:
    """Sides that are no multiples of anything, and colour, give the same scores in ONNX Runtime as in torch."""
    random = np.random.default_rng(1)
    goldens = random.integers(0, 256, (2, height, width, channels)).astype(np.uint8)
    torch.manual_seed(0)
    odd = Comparing(goldens, ComparingNetwork(4 * channels, 1)).eval()
    scores, places = run_module(odd, goldens, 2)
    session = onnxruntime.InferenceSession(export_onnx(odd, height, width, channels, with_map=True))
    given_scores, given_places = session.run(["scores", "map"], {"pixels": goldens})
    assert places is not None
    np.testing.assert_allclose(given_scores, scores, atol=1e-3)
    np.testing.assert_allclose(given_places, places, atol=1e-4)
    assert places.shape[1:] == (-(-height // 4), -(-width // 4))


def test_a_golden_image_shown_once_more_is_another_picture_and_always_the_same() -> None:
    """It differs in 0.2 to 30 % of the pixels, keeps its two levels, and depends on nothing but its content."""
    board = draw_board(3)
    again = rescan(board)
    np.testing.assert_array_equal(again, rescan(board.copy()))
    assert 0.002 < float((again != board).mean()) < 0.3
    assert two_levels(again) == two_levels(board) is not None
    grey = photograph(board, 1)
    assert two_levels(grey) is None
    assert 0.5 < float(np.abs(rescan(grey).astype(float) - grey).mean()) < 30
    colour = np.repeat(grey[:, :, None], 3, axis=2)
    assert rescan(colour).shape == colour.shape


@given(down=st.integers(-5, 5), right=st.integers(-5, 5))
@settings(max_examples=20, deadline=None)
def test_marks_move_with_their_photo(down: int, right: int) -> None:
    """What a mark covers in the photo it covers at the place of the golden image."""
    cells = np.zeros((12, 16), np.uint8)
    cells[6, 8] = 3
    there = moved(cells, down, right)
    assert there.shape == cells.shape
    assert there[6 - down, 8 - right] == 3
    assert int((there > 0).sum()) == 1


def test_calibrated_scores_are_frequencies_and_claim_no_certainty() -> None:
    """Overlapping kinds come out with the right odds; kinds that never overlap stay below certainty."""
    random = np.random.default_rng(0)
    truth = np.arange(4000) % 2 == 1
    odds = random.normal(0, 1, 4000) + np.where(truth, 1.0, -1.0)  # the true log odds are twice these
    found = calibrate(np.stack([np.zeros(4000), odds], 1).astype(np.float32), truth)
    assert found.gain == pytest.approx(2.0, abs=0.25)
    assert found.offset == pytest.approx(0.0, abs=0.15)
    apart = np.where(truth[:20], 10.0, -10.0)
    sure = calibrate(np.stack([np.zeros(20), apart], 1).astype(np.float32), truth[:20])
    assert sure.gain * 10 + sure.offset < 4.0


def test_boxes_lie_where_the_map_says() -> None:
    """Each spot is a box with its peak as score, in pixels, moved by the shift; a faint one too."""
    odds = np.full((2, 40, 40), -20.0, np.float32)
    odds[0, 4:9, 10:16] = np.log(0.9 / 0.1)
    odds[1, 20:26, 20:26] = np.log(0.8 / 0.2)
    odds[1, 30:34, 4:8] = np.log(0.1 / 0.9)
    boxes = sorted(find_boxes(odds, 4, (1, -2)), key=lambda box: -box.score)
    assert [(box.label, box.left, box.top, box.right, box.bottom) for box in boxes] == [
        (0, 38, 17, 62, 37),
        (1, 78, 81, 102, 105),
        (1, 14, 121, 30, 137),
    ]
    assert [round(box.score, 3) for box in boxes] == [0.9, 0.8, 0.1]
    assert find_boxes(np.full((2, 40, 40), -20.0), 4) == ()


def test_the_types_of_a_spot_share_its_score() -> None:
    """Cells that disagree are one spot with a box of each type, whose scores add up to how sure the spot is."""
    odds = np.full((2, 40, 40), -20.0, np.float32)
    odds[:, 4:10, 10:16] = 3.0
    odds[0, 4:10, 10:13] = 4.0
    found = find_boxes(odds, 4)
    assert [(box.label, box.left, box.right) for box in found] == [(0, 40, 64), (1, 40, 64)]
    share = 1 / (1 + np.exp(-0.5))
    assert found[0].score / (found[0].score + found[1].score) == pytest.approx(share)
    assert 0.95 < found[0].score + found[1].score < 1.0


def test_overlap_of_boxes() -> None:
    """Intersection over union: all, a third, nothing."""
    one = Box(0, 0, 0, 10, 10)
    assert overlap(one, one) == 1.0
    assert overlap(one, Box(0, 5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert overlap(one, Box(0, 10, 0, 20, 10)) == 0.0


@given(
    hits=st.lists(st.booleans(), min_size=1, max_size=12), missed=st.integers(0, 4)
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_average_precision_is_the_area_of_its_definition(hits: list[bool], missed: int) -> None:
    """The area under the highest precision at each recall or beyond, summed over every step of recall."""
    marked = sum(hits) + missed
    scores = np.linspace(1.0, 0.1, len(hits))
    found = average_precision(scores, np.array(hits), marked)
    points = [(sum(hits[:n]) / max(marked, 1), sum(hits[:n]) / n) for n in range(1, len(hits) + 1)]
    area = sum(max(p for r, p in points if r >= (k - 0.5) / marked) / marked for k in range(1, sum(hits) + 1))
    assert found == pytest.approx(area)


def test_boxes_are_measured_by_type_and_each_mark_is_found_once() -> None:
    """A second box on a mark, a box of another type and a box beside are wrong; a type that is not marked has none."""
    mark = Box(0, 0, 0, 10, 10)
    perfect = measure_boxes([[Box(0, 0, 0, 10, 10, 0.9)]], [[mark]], types=2)
    assert perfect.of == (1.0, None)
    assert perfect.mean.value == 1.0
    twice = measure_boxes([[Box(0, 0, 0, 10, 10, 0.9), Box(0, 1, 0, 10, 10, 0.8)]], [[mark, Box(1, 40, 40, 50, 50)]], 2)
    assert twice.of == (1.0, 0.0)
    assert twice.mean.value == 0.5
    first_wrong = measure_boxes([[Box(0, 50, 50, 60, 60, 0.9), Box(0, 0, 0, 10, 10, 0.8)]], [[mark]], types=1)
    assert first_wrong.of == (0.5,)
    third = Box(0, 5, 0, 15, 10, 0.9)
    assert measure_boxes([[third]], [[mark]], 1).mean.value == 1.0  # a third is above 0.33
    assert measure_boxes([[third]], [[mark]], 1, iou=0.5).mean.value == 0.0
    with pytest.raises(ValueError, match="nothing is marked"):
        measure_boxes([[]], [[]], 1)


@given(channels=st.sampled_from([1, 3]), seed=st.integers(0, 99))
@settings(max_examples=10, deadline=None)
def test_training_compares_as_the_released_graph_does(channels: int, seed: int) -> None:
    """The planes of a crop that training makes are those that the model makes of it."""
    random = np.random.default_rng(seed)
    photo = (random.random((20, 28, channels)) * 255).astype(np.float32)
    golden = random.integers(0, 256, photo.shape, np.uint8)
    images = [torch.from_numpy(kind.astype(np.float32)).permute(2, 0, 1)[None] for kind in (photo, golden)]
    wanted = compare(images[0], images[1])[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(compare_crop(photo, golden), wanted, atol=1e-6)


def test_the_mean_odds_of_a_mark_teach_its_type() -> None:
    """Each type of a crop counts once, however large; cells that are good or only disagree with their mean do not."""
    cells = torch.zeros((2, 8, 8), dtype=torch.int64)
    assert float(loss_of_marks(torch.randn(2, 4, 8, 8), cells)) == 0.0  # nothing is marked
    cells[0, :4], cells[0, 6:, 6:], cells[1, 2:4, 2:4] = 1, 2, 3
    logits = torch.zeros((2, 4, 8, 8))
    assert float(loss_of_marks(logits, cells)) == pytest.approx(np.log(3))
    logits[0, 1, :4] = 30.0  # of three marks the large one is right
    assert float(loss_of_marks(logits, cells)) == pytest.approx(np.log(3) * 2 / 3)
    logits[1, 3, 2, 2:4] = 60.0  # half of the cells say it, and twice as loudly
    assert float(loss_of_marks(logits, cells)) == pytest.approx(np.log(3) / 3)
    logits[0, 3, 4:6] = 30.0  # good cells have no type
    assert float(loss_of_marks(logits, cells)) == pytest.approx(np.log(3) / 3)


def test_a_large_photo_is_levelled_alike_by_every_engine() -> None:
    """400,000 values added up one by one in single precision would leave the level a twentieth of a grey value off."""

    class Levelling(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            photo, golden = (pixels[..., index : index + 1].permute(0, 3, 1, 2).float() for index in range(2))
            return level(photo, golden, torch.zeros((pixels.shape[0], 2)))[:, 0].flatten(1)

    random = np.random.default_rng(0)
    pair = np.concatenate([random.random((1, 640, 640, 1)) < share for share in (0.40, 0.35)], 3)
    pixels = np.where(pair, 0, 255).astype(np.uint8)
    graph = export_onnx(Levelling(), 640, 640, 2)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    with torch.no_grad():
        ours = Levelling()(torch.from_numpy(pixels)).numpy()
    assert np.abs(session.run(["scores"], {"pixels": pixels})[0] - ours).max() < 2e-3
