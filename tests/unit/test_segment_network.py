"""The segmenting network: a map of a quarter of the input, and one graph that ONNX Runtime runs alike."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import nn

from training.export import export_onnx
from training.fitting import Fitting
from training.material import Part
from training.network import Start
from training.segment.deployed import DeployedSegmenter
from training.segment.lesson import MapLesson
from training.segment.network import Segmenter
from training.settings import TrainSettings

SCRATCH = Start(None, "random weights")


@pytest.mark.parametrize(
    ("backbone", "height", "width", "rows", "columns"),
    [("compact", 32, 48, 8, 12), ("mobilenet_v2", 50, 33, 13, 9), ("resnet18", 64, 64, 16, 16)],
)
def test_export_gives_the_same_scores_and_map_in_any_batch(
    backbone: str, height: int, width: int, rows: int, columns: int
) -> None:
    """Sizes that no stride divides, too: torch and ONNX agree, and so do batches of one and of three."""
    torch.manual_seed(0)
    model = DeployedSegmenter(Segmenter(backbone, 3, SCRATCH, height, width), 3).eval()
    model.calibrate((1.7, -0.4), (2.0, 0.3))
    graph = export_onnx(model, height, width, 1, with_map=True)
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    pixels = np.random.default_rng(0).integers(0, 256, (3, height, width, 1), np.uint8)
    scores, places = session.run(["scores", "map"], {"pixels": pixels})
    assert places.shape == (3, rows, columns)
    assert places.min() >= 0.0
    assert places.max() <= 1.0
    np.testing.assert_array_equal(scores[:, 0], 0.0)
    with torch.inference_mode():
        expected = model(torch.from_numpy(pixels))
    np.testing.assert_allclose(scores, expected[0].numpy(), atol=1e-4)
    np.testing.assert_allclose(places, expected[1].numpy(), atol=1e-4)
    for row in range(3):
        alone = session.run(["scores", "map"], {"pixels": pixels[row : row + 1]})
        np.testing.assert_allclose(alone[0][0], scores[row], atol=1e-4)
        np.testing.assert_allclose(alone[1][0], places[row], atol=1e-4)


def test_a_few_hot_cells_make_the_part_defective() -> None:
    """Pooling: a spot of one cell raises the part's score by far more than its share of the map, a large one more."""
    model = DeployedSegmenter(Segmenter("compact", 2, SCRATCH, 128, 128), 2).eval()
    logits = torch.zeros(3, 2, 32, 32)
    logits[:, 0] = 5.0
    logits[1, 1, 4, 4] = 10.0
    logits[2, 1, 4:12, 4:12] = 10.0
    with torch.inference_mode():
        clean, spot, large = model.scores(logits)[:, 1].tolist()
    assert clean == pytest.approx(-5.0, abs=1e-4)
    assert spot > clean + 5.0
    assert spot < large < 5.0


def test_pretrained_statistics_stay_and_new_layers_learn_faster() -> None:
    """With weights the backbone's BatchNorm stays in evaluation mode and its frozen layers have no gradient."""
    network = Segmenter("mobilenet_v2", 2, SCRATCH, 32, 32)
    weights = {f"features.{name}": tensor for name, tensor in network.stages.state_dict().items()}
    weights["classifier.1.weight"], weights["classifier.1.bias"] = torch.zeros(2, 1280), torch.zeros(2)
    model = DeployedSegmenter(Segmenter("mobilenet_v2", 2, Start(weights, "given"), 32, 32), 2)
    settings = TrainSettings(task="segment", threads=1)
    pixels = np.zeros((2, 32, 32, 3), np.uint8)
    part = Part(pixels, np.array([0, 1], dtype=np.intp), ("a", "b"), masks=np.zeros((2, 32, 32), np.uint8))
    fitting = Fitting(MapLesson(model, settings, part, part, pretrained=True), settings)
    fitting.lesson.train_mode()
    norms = [module for module in model.network.stages.modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms
    assert not any(norm.training for norm in norms)
    assert all(m.training for m in model.network.smooth.modules() if isinstance(m, nn.BatchNorm2d))
    assert not any(weight.requires_grad for weight in model.network.stages[:7].parameters())
    fitting._set_rate(0.1)
    slow, fast = (group["lr"] for group in fitting._optimizer.param_groups)
    assert fast == pytest.approx(10 * slow)
