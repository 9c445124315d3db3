"""Static quantisation of an exported graph to 8-bit integers, in the form that runs fastest on a CPU."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

# What computes. What only moves values (Slice, Reshape …) stays as it is: OpenVINO 2026.4 crashed, and the process with
# it, when it compiled tiles and places that were cut out of integers.
_QUANTISED = (
    "Add", "AveragePool", "Clip", "Concat", "Conv", "Gemm", "GlobalAveragePool", "LeakyRelu", "MatMul", "MaxPool",
    "Mul", "Relu", "Resize", "Sigmoid",
)  # fmt: skip
_CALIBRATED_AT_ONCE = 4
_NOVELTY = "/novelty/"  # in the names of the nodes of `training.novelty.Novelty`


def quantise(graph: bytes, pixels: NDArray[np.uint8]) -> bytes:
    """Return an ONNX graph in QDQ form: weights int8 per channel, activations uint8, calibrated on some pixels.

    pixels: uint8 (n, height, width, channels). With int8 activations the same networks ran 2.5 to 4 times slower on
    ONNX Runtime's CPU provider.
    """
    with tempfile.TemporaryDirectory(prefix="lineward-quantise-") as folder:
        source, prepared, result = (str(Path(folder) / name) for name in ("a.onnx", "b.onnx", "c.onnx"))
        Path(source).write_bytes(graph)
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            result,
            _Pixels(pixels),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(_QUANTISED),
            per_channel=True,
            # An activation is cut off at what the calibration has seen: a strange picture would be no further off.
            nodes_to_exclude=[node.name for node in onnx.load(prepared).graph.node if _NOVELTY in node.name],
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return Path(result).read_bytes()


class _Pixels(CalibrationDataReader):  # type: ignore[misc]  # the package has no types
    """Gives the calibration what it asks for: batches of pixels, once."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self._batches: Iterator[NDArray[np.uint8]] = iter(
            [pixels[start : start + _CALIBRATED_AT_ONCE] for start in range(0, len(pixels), _CALIBRATED_AT_ONCE)]
        )

    def get_next(self) -> dict[str, Any] | None:
        """Return the next batch as the graph's input, None when there is none."""
        batch = next(self._batches, None)
        return None if batch is None else {"pixels": batch}
