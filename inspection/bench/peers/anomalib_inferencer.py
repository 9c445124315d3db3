"""anomalib's OpenVINOInferencer, as its documentation uses it: one image a call, from one thread."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import openvino
from anomalib.deploy import OpenVINOInferencer
from load import fit, measure, read_request
from openvino import opset13
from openvino.preprocess import PrePostProcessor


def convert(model: str, out: Path) -> Path:
    """Write the model as anomalib takes it: float NCHW of 0…1 in, one number named pred_score out."""
    steps = PrePostProcessor(openvino.Core().read_model(model))
    steps.input().tensor().set_element_type(openvino.Type.f32).set_layout(openvino.Layout("NCHW"))
    steps.input().model().set_layout(openvino.Layout("NHWC"))
    to_bytes = steps.input().preprocess().convert_element_type(openvino.Type.f32).scale(1 / 255)
    to_bytes.convert_element_type(openvino.Type.u8)
    built = steps.build()
    scores = built.output(0).get_node().input_value(0)
    score = opset13.reduce_max(scores, opset13.constant([1]), False)
    score.output(0).set_names({"pred_score"})
    changed = openvino.Model([opset13.result(score)], built.get_parameters(), "anomalib")
    openvino.save_model(changed, out / "model.xml", compress_to_fp16=False)
    return out / "model.xml"


def main() -> None:
    """Load the model in the form that anomalib takes, and predict."""
    request = read_request()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # it leaves its cache in the working directory
        inferencer = OpenVINOInferencer(convert(request["model"], Path(folder)), device="CPU")
        measure(lambda frame: inferencer.predict(fit(frame, request["side"])), request | {"in_flight": 1})


if __name__ == "__main__":
    main()
