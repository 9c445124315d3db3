"""From a fitted network to the bytes of an ONNX graph in which only the batch is free."""

from __future__ import annotations

import io
import warnings

import onnx
import torch
from torch import nn

OPSET = 18


def export_onnx(
    model: nn.Module, height: int, width: int, channels: int, *, with_map: bool = False, with_novelty: bool = False
) -> bytes:
    """Export to one self-contained ONNX model: "pixels" uint8 (N, h, w, c) -> "scores" float32 (N, classes).

    The weights keep their names, BatchNorm apart from its convolution, so that a retraining can start from the graph;
    ONNX Runtime joins the two when it loads it, and runs the same kernels as of a graph in which they were joined.
    with_map: the model gives (scores, map), and the graph has the output "map" float32 (N, map height, map width), too.
    with_novelty: the model gives it last, and the graph has the output "novelty" float32 (N,), too.
    """
    outputs = ["scores", *(["map"] if with_map else []), *(["novelty"] if with_novelty else [])]
    model.eval()
    buffer = io.BytesIO()
    # Two images: an example of one would let the tracer take the batch for a constant.
    example = torch.zeros((2, height, width, channels), dtype=torch.uint8)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        # Folded constants would lose their names; those of a network are none, and `training.released` looks at each.
        warnings.filterwarnings("ignore", "It is recommended that constant folding be turned off")
        torch.onnx.export(
            model,
            (example,),
            buffer,  # type: ignore[arg-type]  # the annotation names paths only; a stream is documented and works
            input_names=["pixels"],
            output_names=outputs,
            dynamic_axes={name: {0: "N"} for name in ("pixels", *outputs)},
            opset_version=OPSET,
            dynamo=False,
            training=torch.onnx.TrainingMode.PRESERVE,  # the mode of `model`, which is that of evaluation
        )
    graph = onnx.load_model_from_string(buffer.getvalue())
    graph.doc_string = ""
    onnx.checker.check_model(graph, full_check=True)
    return graph.SerializeToString()
