"""A real bundle whose model takes seconds over pictures of one brightness, and fails on pictures of another."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from tiny_bundle import tiny_draft, tiny_golden, tiny_model, tiny_weights

from models.bundle import write_bundle

GOOD, BAD, SLOW, FATAL = 20, 230, 172, 255
"""Grey levels: judged good, judged defective, judged slowly, and such that the model fails."""

_SIDE, _CLASSES = 32, ("good", "bad")
_MATRIX = 64
_CALIBRATION = 500


def write_moody_bundle(out: Path, slow_s: float) -> Path:
    """Write the bundle; a batch with a SLOW picture takes `slow_s` at least on this machine."""
    weights = tiny_weights(len(_CLASSES), 3)
    turns = round(slow_s / _seconds_a_turn(weights))
    write_bundle(
        out,
        model=_moody_model(weights, turns),
        draft=tiny_draft(_CLASSES, _SIDE, _SIDE, 3),
        golden=tiny_golden(weights, _SIDE, _SIDE, 3),
    )
    return out


def _seconds_a_turn(weights: dict[str, np.ndarray]) -> float:
    """Measure one turn of the model's loop: the fastest of three, so that a busy machine makes it no shorter."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(_moody_model(weights, _CALIBRATION), options, providers=["CPUExecutionProvider"])
    pictures = np.full((1, _SIDE, _SIDE, 3), SLOW, np.uint8)
    took_s = []
    for _ in range(3):
        began_s = time.perf_counter()
        session.run(None, {"pixels": pictures})
        took_s.append(time.perf_counter() - began_s)
    return min(took_s) / _CALIBRATION


def _moody_model(weights: dict[str, np.ndarray], turns: int) -> bytes:
    """Add to the tiny model a loop that SLOW pictures turn `turns` times, and a look-up that FATAL ones miss."""
    model = onnx.load_from_string(tiny_model(weights, _SIDE, _SIDE, 3, output_name="plain"))
    graph = model.graph
    graph.node.extend(
        [
            helper.make_node("ReduceMean", ["unit"], ["mean"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Greater", ["mean", "fatal_from"], ["is_fatal"]),
            helper.make_node("Cast", ["is_fatal"], ["place"], to=TensorProto.INT64),
            helper.make_node("Gather", ["one_zero", "place"], ["nothing"]),  # a table of one row: place 1 is an error
            helper.make_node("Unsqueeze", ["nothing", "axis_1"], ["nothing_more"]),
            helper.make_node("Greater", ["mean", "slow_from"], ["above"]),
            helper.make_node("Less", ["mean", "slow_to"], ["below"]),
            helper.make_node("And", ["above", "below"], ["is_slow"]),
            helper.make_node("Cast", ["is_slow"], ["slow"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMax", ["slow"], ["any_slow"], keepdims=0),
            helper.make_node("Mul", ["any_slow", "turns"], ["wanted"]),
            helper.make_node("Cast", ["wanted"], ["count"], to=TensorProto.INT64),
            helper.make_node("Loop", ["count", "", "matrix"], ["turned"], body=_loop_body()),
            helper.make_node("ReduceSum", ["turned"], ["zero"], keepdims=0),
            helper.make_node("Add", ["plain", "nothing_more"], ["almost"]),
            helper.make_node("Add", ["almost", "zero"], ["scores"]),
        ]
    )
    constants = {
        "fatal_from": np.float32(0.985),
        "one_zero": np.zeros(1, np.float32),
        "axis_1": np.array([1], np.int64),
        "slow_from": np.float32(0.65),
        "slow_to": np.float32(0.70),
        "turns": np.float32(turns),
        "matrix": np.zeros((_MATRIX, _MATRIX), np.float32),
    }
    graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items())
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", len(_CLASSES)]))
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _loop_body() -> onnx.GraphProto:
    shape = [_MATRIX, _MATRIX]
    return helper.make_graph(
        [
            helper.make_node("MatMul", ["matrix_in", "matrix_in"], ["matrix_out"]),
            helper.make_node("Identity", ["go_on_in"], ["go_on_out"]),
        ],
        "turn",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_on_in", TensorProto.BOOL, []),
            helper.make_tensor_value_info("matrix_in", TensorProto.FLOAT, shape),
        ],
        [
            helper.make_tensor_value_info("go_on_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("matrix_out", TensorProto.FLOAT, shape),
        ],
    )
