"""What the parts of an anomaly detector promise: memory, statistics, leaving out, scale, bounded score, map."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.score import defect_probability
from training.anomaly import memory as memory_module
from training.anomaly.calibration import RARE, Scale, scale_of_both, scale_of_good
from training.anomaly.detector import Detector, levelled
from training.anomaly.gaussian import Gaussian
from training.anomaly.memory import REMEMBERED, WAITING, Memory, Nearest, spread_out
from training.anomaly.patches import LEAST_SIDE, TAPS, Patches
from training.errors import SettingsError
from training.network import ARCHITECTURES, Start, build_network

pytestmark = pytest.mark.training

SCRATCH = Start(None, "from scratch")


@pytest.fixture(autouse=True)
def _no_gradients() -> object:
    with torch.no_grad():
        yield


def places(*, images: int, side: int, dimensions: int, seed: int) -> Tensor:
    """Features of images as the backbone would give them."""
    return torch.randn((images, side, side, dimensions), generator=torch.Generator().manual_seed(seed))


def test_every_backbone_gives_two_layers_on_one_grid() -> None:
    """Eight pixels a place, and features of unit variance in every layer after the channels were measured."""
    pixels = torch.randint(0, 256, (2, 64, 96, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert set(TAPS) == set(ARCHITECTURES)
    for backbone in TAPS:
        torch.manual_seed(0)
        network = build_network(backbone, 2, SCRATCH)
        patches = Patches(network, backbone, height=64, width=96, dimensions=128, seed=0)
        assert patches.grid == (8, 12), backbone
        read = patches.read(pixels).flatten(0, 2)
        patches.settle(read.mean(0), read.var(0))
        given_ = patches(pixels)
        assert given_.shape[:3] == (2, 8, 12)
        assert given_.shape[3] == patches.dimensions <= 128
        assert float((given_**2).sum(3).mean()) == pytest.approx(2.0, rel=0.5), backbone


def test_an_input_with_too_few_places_is_refused_with_numbers() -> None:
    """The size, the places it gives and what is needed are named."""
    with pytest.raises(SettingsError, match=r"--size 96x32: gives 12×4 places .* at least 6 .* at least 48 pixels"):
        Patches(build_network("compact", 2, SCRATCH), "compact", height=32, width=96, dimensions=128, seed=0)
    assert LEAST_SIDE == 6


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 9))
def test_the_nearest_places_are_those_that_a_search_finds(seed: int, known: int, dimensions: int) -> None:
    """The matrix product gives the distance of the plain definition: the mean to the three nearest."""
    features = places(images=2, side=3, dimensions=dimensions, seed=seed)
    remembered = torch.randn((known, dimensions), generator=torch.Generator().manual_seed(seed + 1))
    apart = (features[:, :, :, None, :] - remembered).norm(dim=4)
    wanted = apart.sort(3).values[..., :3].mean(3)
    assert torch.allclose(Nearest(remembered)(features), wanted, atol=3e-3)


def test_spreading_out_takes_one_of_each_cluster() -> None:
    """As many picks as there are heaps far apart: each heap is taken once, whatever its size."""
    random = np.random.default_rng(3)
    heap = np.repeat(np.arange(12), [1, 400, 1, 30, 2, 90, 5, 1, 1, 60, 7, 3])
    rows = torch.tensor(heap[:, None] * 100.0 + random.normal(0, 1, (len(heap), 4)), dtype=torch.float32)
    assert sorted(heap[spread_out(rows, 12).numpy()].tolist()) == list(range(12))


def test_memory_stays_bounded_and_keeps_a_rare_look() -> None:
    """Fifty images of 784 places after three odd ones: at most a thousand are remembered, the odd ones among them."""
    learner = Memory(4, per_image=784, seed=0)
    odd = places(images=1, side=28, dimensions=4, seed=1)
    odd[0, 0, :3] += 40.0
    learner.add(odd, torch.tensor([0]))
    for number in range(1, 51):
        learner.add(places(images=1, side=28, dimensions=4, seed=number + 1), torch.tensor([number]))
        assert len(learner._known) == WAITING
    judge = learner.finish()
    assert len(judge.twice) == REMEMBERED
    assert float(judge(odd)[0, 0, :3].max()) < 10 < float(judge(odd + 20.0)[0, 5, 5])


def test_leaving_out_forgets_all_images_of_the_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its own piece an image is as far as the nearest others; with it, it is known."""
    monkeypatch.setattr(memory_module, "REMEMBERED", 400)
    features = torch.zeros((3, 6, 6, 2))
    features[2] = 5.0
    features += 0.01 * places(images=3, side=6, dimensions=2, seed=0)
    pieces = torch.tensor([0, 0, 1])
    learner = Memory(2, per_image=36, seed=0)
    learner.add(features, pieces)
    judge = learner.finish()
    assert float(judge(features).max()) < 0.05
    assert float(learner.leave_out(features, pieces).min()) > 6


def test_leaving_out_a_fold_is_learning_from_the_others() -> None:
    """The distances of a left out piece are those of statistics that never saw its fold."""
    features = places(images=9, side=6, dimensions=5, seed=4)
    pieces = torch.arange(9)
    whole = Gaussian((6, 6), 5)
    for begin in (0, 4):
        whole.add(features[begin : begin + 4], pieces[begin : begin + 4])
    whole.add(features[8:], pieces[8:])
    whole.finish()
    others = Gaussian((6, 6), 5)
    chosen = pieces % 3 != 0
    others.add(features[chosen], pieces[chosen])
    wanted = others.finish()(features[~chosen])
    assert torch.allclose(whole.leave_out(features, pieces)[~chosen], wanted, atol=1e-5)


def test_gaussian_distance_is_in_deviations_of_the_place() -> None:
    """Each place with its own mean and width: good images lie one deviation away, the same step is far where narrow."""
    width = torch.linspace(0.2, 2.0, 36).view(1, 6, 6, 1)
    features = places(images=400, side=6, dimensions=3, seed=5) * width + torch.arange(36).view(1, 6, 6, 1)
    learner = Gaussian((6, 6), 3)
    learner.add(features, torch.arange(400))
    judge = learner.finish()
    assert float((judge(features) ** 2).mean()) == pytest.approx(1.0, abs=0.3)
    moved = judge(features.mean(0, keepdim=True) + 1.0)[0]
    assert float(moved[0, 0]) > 1.3 * float(moved[5, 5])


def test_a_table_that_would_be_too_large_is_refused_with_numbers() -> None:
    """A grid of 100×100 places: the size of the table and the limit are named."""
    with pytest.raises(SettingsError, match=r"100×100 places .* 164 MB .* at most 4096"):
        Gaussian((100, 100), 64)


def test_one_in_a_hundred_good_parts_gets_probability_one_half() -> None:
    """Strangeness from the law of maxima: at its 99 % point the logit is 0, and e times rarer is one logit more."""
    random = np.random.default_rng(0)
    scale = scale_of_good(random.gumbel(3.0, 0.8, 20_000))
    rare = 3.0 - 0.8 * math.log(-math.log(1 - RARE))
    assert scale.logit(np.array([rare]))[0] == pytest.approx(0.0, abs=0.1)
    assert 1 / scale.slope == pytest.approx(0.8, rel=0.03)


def test_good_parts_all_alike_give_a_finite_scale() -> None:
    """No spread at all, or two images: the scale is finite and rises."""
    for strange in ([1.0, 1.0, 1.0], [0.2, 0.9]):
        scale = scale_of_good(np.array(strange))
        assert 0 < scale.slope < 10
        assert math.isfinite(scale.offset)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 30), st.floats(0, 50))
def test_with_defects_probabilities_mean_the_share_of_the_sample(seed: int, good: int, bad: int, apart: float) -> None:
    """However far both kinds lie apart: order kept, slope within its bounds, the mean is that of smoothed truths."""
    random = np.random.default_rng(seed)
    strange = np.concatenate((random.gumbel(1, 1, good), random.gumbel(1 + apart, 1, bad)))
    defective = np.arange(good + bad) >= good
    before = Scale(1.3, -4.0)
    scale = scale_of_both(before, strange, defective)
    assert 0.1 * 1.3 - 1e-9 <= scale.slope <= 2.0 * 1.3 + 1e-9
    share = 1 / (1 + np.exp(-scale.logit(strange)))
    wanted = (bad * (bad + 1) / (bad + 2) + good / (good + 2)) / (good + bad)
    assert share.mean() == pytest.approx(wanted, abs=1e-6)


def tiny_detector(*, grey: bool = False) -> tuple[Detector, Tensor]:
    """A detector of random features over 64×48 pixels that has learned from twelve noisy images, and these."""
    torch.manual_seed(0)
    shape = (12, 48, 64, 1 if grey else 3)
    pixels = torch.randint(90, 130, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    patches = Patches(build_network("compact", 2, SCRATCH), "compact", height=48, width=64, dimensions=128, seed=0)
    read = patches.read(pixels).flatten(0, 2)
    patches.settle(read.mean(0), read.var(0))
    learner = Memory(patches.dimensions, 48, 0)
    learner.add(patches(pixels), torch.arange(12))
    detector = Detector(patches, learner.finish())
    apart = learner.leave_out(patches(pixels), torch.arange(12))
    detector.expect(apart)
    detector.calibrate(scale_of_good(detector.strangeness(apart)))
    return detector.eval(), pixels


@pytest.mark.parametrize("grey", [False, True])
def test_the_map_is_on_the_scale_of_the_score(*, grey: bool) -> None:
    """The highest value of the map is the defect probability, and it lies where the image was painted over."""
    detector, pixels = tiny_detector(grey=grey)
    spoiled = pixels[:4].clone()
    spoiled[:, 8:24, 40:56] = 255
    scores, shown = detector(spoiled)
    assert shown.shape == (4, 6, 8)
    assert torch.equal(scores[:, 0], torch.zeros(4))
    probability = defect_probability(scores.numpy(), 0)
    assert np.allclose(shown.flatten(1).amax(1).numpy(), probability, atol=1e-5)
    assert (probability > 0.5).all()
    row, column = divmod(int(shown[0].argmax()), 8)
    assert 0 <= row <= 4, "painted are rows 1 and 2; a place sees two cells around it"
    assert 3 <= column <= 7, "painted are columns 5 and 6"
    assert (defect_probability(detector(pixels)[0].numpy(), 0) < 0.5).mean() > 0.8


def test_no_image_is_called_defective_with_certainty() -> None:
    """Whatever comes in, the probability stays below 1, and what is stranger scores higher."""
    detector, pixels = tiny_detector()
    detector.calibrate(Scale(500.0, 0.0))
    worse = torch.stack([pixels[0]] * 3)
    for row, value in enumerate((140, 200, 255)):
        worse[row, 8:24, 8:24] = value
    probability = defect_probability(detector(worse)[0].numpy(), 0)
    assert (probability < 1.0).all()
    assert (np.diff(detector(worse)[0][:, 1].numpy()) > 0).all()


def test_levelling_leaves_a_constant_as_it_is() -> None:
    """A table of one value stays, also where it is hardly larger than the bell."""
    for shape in ((28, 28), (6, 9)):
        assert torch.allclose(levelled(torch.full(shape, 0.7)), torch.full(shape, 0.7), atol=1e-6)
