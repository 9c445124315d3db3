"""How far a picture is off those of the training: the distance, its limit from held-out pieces, and its graph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.cut import cut_tiles
from training.cutting import Cutting
from training.deployed import Deployed
from training.export import export_onnx
from training.material import Part
from training.network import ARCHITECTURES, Start, build_network
from training.novelty import fit_novelty, shrunk_covariance
from training.novelty_limit import FEWEST, WIDENED, hold, lay_out, tried_on
from training.segment.deployed import DeployedSegmenter
from training.segment.network import Segmenter

SIDE = 64
FRESH = Start(None, "")


def pictures(count: int, seed: int = 0, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, SIDE, SIDE, channels), np.uint8)


def fitted(backbone: str = "compact") -> Deployed:
    """A network with random weights that tells how far pictures are off a few that it was shown."""
    torch.manual_seed(0)
    model = Deployed(build_network(backbone, 2, FRESH), ARCHITECTURES[backbone].middle).eval()
    with torch.inference_mode():
        features = model.features(torch.from_numpy(pictures(12))).numpy()
    model.novelty = fit_novelty(features, np.arange(12) % 2)
    return model


def said(graph: bytes, pixels: np.ndarray) -> list[np.ndarray]:
    return list(onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"]).run(None, {"pixels": pixels}))


def test_the_distance_is_that_of_mahalanobis_to_the_nearest_class() -> None:
    """Against the formula with the inverse of the covariance, written out, per feature."""
    random = np.random.default_rng(1)
    truth = np.arange(300) % 3
    features = (random.normal(size=(300, 6)) @ random.normal(size=(6, 6)) + 4.0 * truth[:, None]).astype(np.float32)
    means = np.stack([features[truth == index].mean(axis=0) for index in range(3)]).astype(np.float64)
    inverse = np.linalg.inv(shrunk_covariance(features - means[truth]))
    asked = random.normal(size=(20, 6)).astype(np.float32) * 5
    off = asked[:, None] - means
    wanted = np.sqrt(np.einsum("ncd,de,nce->nc", off, inverse, off).min(axis=1) / 6)
    told = fit_novelty(features, truth)(torch.from_numpy(asked)[:, :, None, None]).numpy()
    np.testing.assert_allclose(told, wanted, rtol=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 40), st.integers(1, 30), st.integers(0, 99))
def test_the_covariance_is_one_for_any_few_samples(count: int, size: int, seed: int) -> None:
    """Symmetric, of the sample's own total variance, with nothing below zero, also for fewer samples than features."""
    centred = np.random.default_rng(seed).normal(size=(count, size))
    found = shrunk_covariance(centred)
    np.testing.assert_allclose(found, found.T)
    assert np.trace(found) == pytest.approx((centred**2).sum() / count)
    assert np.linalg.eigvalsh(found).min() > -1e-12


def test_features_that_never_differ_give_numbers() -> None:
    """What is as it always was lies at 0, anything else far off, and what is no number is no number."""
    still = np.ones((8, 4), np.float32)
    novelty = fit_novelty(still, np.zeros(8, np.intp))
    asked = torch.tensor([[1.0, 1, 1, 1], [1, 1, 2, 1], [1, float("nan"), 1, 1], [1, float("inf"), 1, 1]])
    told = novelty(asked[:, :, None, None]).numpy()
    assert told[0] == 0.0
    assert told[1] > 1e3
    assert np.isnan(told[2:]).all()


def test_the_limit_is_the_furthest_held_out_piece_put_further_off() -> None:
    """A piece is as far off as the furthest of its images; the bound counts pieces, not images."""
    values = np.linspace(0.5, 2.0, 2 * FEWEST, dtype=np.float32)
    groups = [f"piece {index // 2}" for index in range(2 * FEWEST)]
    spec = lay_out(values, groups)
    assert spec is not None
    assert spec.pieces == FEWEST
    assert spec.bound == 1.0 / (FEWEST + 1)
    assert spec.limit == pytest.approx(2.0 * WIDENED)
    assert lay_out(values[2:], groups[2:]) is None
    assert lay_out(np.where(values > 1.9, np.nan, values).astype(np.float32), groups) is None


def test_a_further_piece_is_beyond_the_unwidened_limit_as_seldom_as_promised() -> None:
    """In 2,000 draws of exchangeable pieces, within the binomial spread of four deviations."""
    random = np.random.default_rng(5)
    groups = [str(index) for index in range(FEWEST)]
    hits = 0
    for _ in range(2000):
        drawn = random.lognormal(size=FEWEST + 1).astype(np.float32)
        spec = lay_out(drawn[:-1], groups)
        assert spec is not None
        hits += drawn[-1] > spec.limit / spec.widened
    share = 1.0 / (FEWEST + 1)
    assert abs(hits / 2000 - share) < 4 * np.sqrt(share * (1 - share) / 2000)


def test_too_few_pieces_leave_the_model_as_it_was() -> None:
    """Nothing is told, and the graph has no further output; with enough the limit is told as 1."""
    model = fitted()
    few = Part(pictures(4), np.zeros(4, np.intp), ("a", "b", "c", "d"))
    assert hold(model, np.ones(4, np.float32), few) is None
    assert model.novelty is None
    model = fitted()
    many = replace(few, groups=tuple(str(index) for index in range(FEWEST)))
    spec = hold(model, np.linspace(0.1, 1.5, FEWEST, dtype=np.float32), many)
    assert spec is not None
    assert spec.limit == 1.0
    assert model.novelty is not None
    assert float(model.novelty.limit) == pytest.approx(1.5 * WIDENED)
    truth = np.array([0, 0, 1, 1])
    shares = tried_on(spec, np.array([0.5, 1.1, np.nan, 1.0], np.float32), replace(few, truth=truth), 0)
    assert shares.good_beyond is not None
    assert shares.good_beyond.numerator == 1
    assert shares.defects_beyond is not None
    assert shares.defects_beyond.numerator == 1


@pytest.mark.parametrize("backbone", sorted(ARCHITECTURES))
def test_the_graph_tells_what_the_model_tells_in_any_batch(backbone: str) -> None:
    """Scores and novelty of ONNX Runtime are those of torch, and those of each picture by itself."""
    model, pixels = fitted(backbone), pictures(5, seed=3)
    with torch.inference_mode():
        scores, novelty = (one.numpy() for one in model(torch.from_numpy(pixels)))
    graph = export_onnx(model, SIDE, SIDE, 3, with_novelty=True)
    told = said(graph, pixels)
    np.testing.assert_allclose(told[0], scores, atol=1e-3)
    np.testing.assert_allclose(told[1], novelty, rtol=1e-3)
    alone = np.concatenate([said(graph, pixels[row : row + 1])[1] for row in range(5)])
    np.testing.assert_allclose(alone, told[1], rtol=1e-4)


def test_of_tiles_the_strangest_counts() -> None:
    """The novelty of a cut picture is the largest of its tiles, in the graph as in torch."""
    inner = fitted()
    cut = cut_tiles(96, 128, SIDE)
    model = Cutting(inner, cut, 2, 3).eval()
    pixels = np.random.default_rng(2).integers(0, 256, (3, 96, 128, 3), np.uint8)
    with torch.inference_mode():
        novelty = model(torch.from_numpy(pixels))[2].numpy()
        each = [inner(torch.from_numpy(pixels[:, y : y + h, x : x + w]))[1].numpy() for x, y, w, h in cut.boxes]
    np.testing.assert_allclose(novelty, np.max(each, axis=0), rtol=1e-4)
    told = said(export_onnx(model, 96, 128, 3, with_map=True, with_novelty=True), pixels)
    np.testing.assert_allclose(told[2], novelty, rtol=1e-3)


@pytest.mark.parametrize("backbone", ["compact", "resnet18"])
def test_a_segmenting_model_tells_it_too(backbone: str) -> None:
    """Beside its map, from the same features of its backbone."""
    torch.manual_seed(0)
    model = DeployedSegmenter(Segmenter(backbone, 2, FRESH, SIDE, SIDE), 2).eval()
    pixels = pictures(4, seed=7)
    with torch.inference_mode():
        model.novelty = fit_novelty(model.features(torch.from_numpy(pictures(9))).numpy(), np.arange(9) % 2)
        scores, places, novelty = (one.numpy() for one in model(torch.from_numpy(pixels)))
    told = said(export_onnx(model, SIDE, SIDE, 3, with_map=True, with_novelty=True), pixels)
    for given_by_graph, wanted in zip(told, (scores, places, novelty), strict=True):
        np.testing.assert_allclose(given_by_graph, wanted, rtol=1e-3, atol=1e-3)
