"""The tiny bundle with a map: its features, (N, 1, 4), as the second output of its graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tiny_bundle import FILTERS, tiny_draft, tiny_golden, tiny_model, tiny_weights

from models.bundle import Bundle, write_bundle
from models.card import MapSpec


def with_map(model: bytes) -> bytes:
    """Give the tiny model's features as its map, (N, 1, features)."""
    graph = onnx.load_model_from_string(model)
    graph.graph.node.append(helper.make_node("Unsqueeze", ["flat", "axis"], ["map"]))
    graph.graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), "axis"))
    graph.graph.output.pop()
    graph.graph.output.append(helper.make_tensor_value_info("map", TensorProto.FLOAT, ["N", 1, FILTERS]))
    onnx.checker.check_model(graph)
    return graph.SerializeToString()


def write_mapped_bundle(out: Path) -> Bundle:
    """Write a bundle of 8×8 RGB whose model has a map."""
    weights = tiny_weights(2, 3)
    return write_bundle(
        out,
        model=with_map(tiny_model(weights, 8, 8, 3, extra_output=True)),
        draft=tiny_draft(("good", "bad"), 8, 8, 3).model_copy(update={"map": MapSpec(height=1, width=FILTERS)}),
        golden=tiny_golden(weights, 8, 8, 3),
    )
