"""A small real bundle for tests: convolution, pooling and a linear layer whose score follows the image's brightness."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.bundle import write_bundle
from models.card import CardDraft, DataOrigin, InputSpec, Metrics, Provenance, Rate, Threshold, Tolerance
from models.golden import Golden

FILTERS = 4
STEEPNESS = 20.0


def write_tiny_bundle(
    out: Path,
    classes: Sequence[str] = ("good", "bad"),
    height: int = 32,
    width: int = 32,
    channels: int = 3,
    seed: int = 0,
    overwrite: bool = False,
) -> Path:
    """Write a bundle (a zip when `out` ends in .zip) whose defect probability rises with the mean brightness.

    An image of mean grey 127.5 lies at 0.5; a black one near 0, a white one near 1. With more than one defect class the
    first of them always wins. height and width >= 3; classes[0] is the good class.
    """
    weights = tiny_weights(len(classes), channels, seed)
    golden = tiny_golden(weights, height, width, channels, seed)
    draft = tiny_draft(classes, height, width, channels)
    write_bundle(
        out, model=tiny_model(weights, height, width, channels), draft=draft, golden=golden, overwrite=overwrite
    )
    return out


def tiny_weights(class_count: int, channels: int, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Make the weights: filter 0 is a mean over 3×3 pixels and all channels, the others hardly count."""
    noise = np.random.default_rng(seed)
    kernel = noise.normal(0, 0.1, (FILTERS, channels, 3, 3)).astype(np.float32)
    kernel[0] = 1.0 / (9 * channels)
    linear = noise.normal(0, 0.01, (class_count, FILTERS)).astype(np.float32)
    bias = np.zeros(class_count, np.float32)
    linear[0, 0], bias[0] = -STEEPNESS, STEEPNESS / 2
    for index in range(1, class_count):
        linear[index, 0], bias[index] = STEEPNESS, -STEEPNESS / 2 - 5.0 * (index - 1)
    return {"kernel": kernel, "linear": linear, "bias": bias}


def tiny_model(
    weights: dict[str, NDArray[np.float32]],
    height: int,
    width: int,
    channels: int,
    *,
    batch: int | str = "N",
    input_name: str = "pixels",
    input_type: int = TensorProto.UINT8,
    output_name: str = "scores",
    extra_output: bool = False,
) -> bytes:
    """Serialise the graph; the keywords make the wrong graphs that a loader must refuse."""
    nodes = [
        helper.make_node("Cast", [input_name], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["float", "full_scale"], ["unit"]),
        helper.make_node("Transpose", ["unit"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "kernel"], ["features"], kernel_shape=[3, 3]),
        helper.make_node("Relu", ["features"], ["active"]),
        helper.make_node("GlobalAveragePool", ["active"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "linear", "bias"], [output_name], transB=1),
    ]
    count = len(weights["bias"])
    outputs = [helper.make_tensor_value_info(output_name, TensorProto.FLOAT, [batch, count])]
    if extra_output:
        outputs.append(helper.make_tensor_value_info("flat", TensorProto.FLOAT, [batch, FILTERS]))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(input_name, input_type, [batch, height, width, channels])],
        outputs,
        [numpy_helper.from_array(array, name) for name, array in weights.items()]
        + [numpy_helper.from_array(np.array(255, np.float32), "full_scale")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def tiny_scores(weights: dict[str, NDArray[np.float32]], inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Compute the graph's scores in NumPy, independently of any runtime: uint8 (n, H, W, C) -> float32 (n, classes)."""
    planes = inputs.astype(np.float64).transpose(0, 3, 1, 2) / 255
    windows = sliding_window_view(planes, (3, 3), axis=(2, 3))
    features = np.maximum(np.einsum("nchwij,fcij->nfhw", windows, weights["kernel"].astype(np.float64)), 0)
    pooled = features.mean(axis=(2, 3))
    scores: NDArray[np.float32] = (pooled @ weights["linear"].astype(np.float64).T + weights["bias"]).astype(np.float32)
    return scores


def tiny_golden(
    weights: dict[str, NDArray[np.float32]], height: int, width: int, channels: int, seed: int = 0
) -> Golden:
    """Make six inputs of rising brightness with noise, and their scores from NumPy."""
    noise = np.random.default_rng(seed + 1)
    levels = np.linspace(10, 245, 6)[:, None, None, None]
    inputs = np.clip(levels + noise.normal(0, 8, (6, height, width, channels)), 0, 255).astype(np.uint8)
    return Golden(inputs=inputs, scores=tiny_scores(weights, inputs))


def tiny_draft(classes: Sequence[str], height: int, width: int, channels: int) -> CardDraft:
    """Write a card for the tiny model; its figures are those of a made-up sample of 40 images, all judged rightly."""
    pixel_format: Literal["Mono8", "RGB8"] = "Mono8" if channels == 1 else "RGB8"
    none_of_20 = Rate(value=0.0, low=0.0, high=0.16843, numerator=0, denominator=20)
    return CardDraft(
        name="tiny",
        classes=tuple(classes),
        good_class=classes[0],
        input=InputSpec(height=height, width=width, channels=1 if channels == 1 else 3, pixel_format=pixel_format),
        threshold=Threshold(
            value=0.5,
            target_escape=0.01,
            target_met=False,
            statement="20 defects: 0 escapes still means up to 16.8 %.",
            validation_escape=none_of_20,
        ),
        tolerance=Tolerance(score_abs=1e-3),
        data=DataOrigin(
            name="brightness",
            digest=hashlib.sha256(b"brightness").hexdigest(),
            counts={"test": dict.fromkeys(classes, 20)},
        ),
        metrics=Metrics(escape=none_of_20, overkill=none_of_20),
        provenance=Provenance(
            created_wall=datetime(2026, 1, 1, tzinfo=UTC), tool="tests", network="tiny", weights="by hand", seed=0
        ),
    )
