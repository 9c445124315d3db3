"""What a detector costs beside its backbone alone, both run by ONNX Runtime in turn on one thread."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort

from models.bundle import Bundle
from training.deployed import Deployed
from training.export import export_onnx
from training.network import Start, build_network


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of one image, the quickest of all turns: a plain value."""

    detector_s: float
    backbone_s: float

    @property
    def ratio(self) -> float:
        """Give how many plain forward passes the detector costs."""
        return self.detector_s / self.backbone_s


def measure_cost(bundle: Bundle, backbone: str, *, turns: int = 20) -> Cost:
    """Time the bundle's graph and a whole forward pass of its backbone at the same input, in turns.

    Weights do not matter for the time, so the backbone's are random. In turns, and the quickest counts: what else runs
    on the machine slows both alike.
    """
    size = bundle.card.input
    plain = Deployed(build_network(backbone, 2, Start(None, "for its time alone")))
    graphs = (bundle.read("model.onnx"), export_onnx(plain, size.height, size.width, size.channels))
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    sessions = [ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"]) for graph in graphs]
    pixels = np.random.default_rng(0).integers(0, 256, (1, size.height, size.width, size.channels), dtype=np.uint8)
    best = [float("inf"), float("inf")]
    for _ in range(turns):
        for which, session in enumerate(sessions):
            begun_ns = time.monotonic_ns()
            session.run(["scores"], {"pixels": pixels})
            best[which] = min(best[which], (time.monotonic_ns() - begun_ns) / 1e9)
    return Cost(*best)
