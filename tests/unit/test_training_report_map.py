"""A model that shows where a defect is: its map lies beside each picture of the report."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tiny_bundle import tiny_draft, tiny_golden, tiny_model, tiny_weights

from models.bundle import write_bundle
from models.card import MapSpec
from models.session import Session, open_session
from training.metrics import Scored
from training.report.pictures import gallery


def mapped_session(out: Path) -> Session:
    """The tiny model with its features as a map: the first feature, the brightness, is the left quarter."""
    weights = tiny_weights(2, 3)
    graph = onnx.load_model_from_string(tiny_model(weights, 8, 8, 3, extra_output=True))
    graph.graph.node.append(helper.make_node("Unsqueeze", ["flat", "axis"], ["map"]))
    graph.graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), "axis"))
    graph.graph.output.pop()
    graph.graph.output.append(helper.make_tensor_value_info("map", TensorProto.FLOAT, ["N", 1, 4]))
    draft = tiny_draft(("good", "bad"), 8, 8, 3).model_copy(update={"map": MapSpec(height=1, width=4)})
    golden = tiny_golden(weights, 8, 8, 3)
    return open_session(write_bundle(out, model=graph.SerializeToString(), draft=draft, golden=golden))


def test_gallery_lays_the_map_over_a_second_picture(tmp_path: Path) -> None:
    """A white image is red where the map is hot, and the picture beside it is as it was."""
    session = mapped_session(tmp_path / "mapped")
    pixels = np.full((1, 8, 8, 3), 255, np.uint8)
    scored = Scored(session.run(pixels), np.array([1]), ("p",), 0)

    def load(chosen: object) -> NDArray[np.uint8]:
        return pixels

    shown = gallery([0], ["white.png"], ["bad"], scored, session, load)
    pictures = re.findall(r'base64,([^"]+)"', shown)
    plain, heated = (
        cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR).astype(int) for text in pictures
    )
    assert plain.min() > 250
    hot = heated[:, 0, 2] - heated[:, 0, 0]
    assert hot.min() > 60
    assert "where the model sees a defect" in shown
