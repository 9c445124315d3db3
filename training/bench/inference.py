"""What a model costs in ONNX Runtime beside one plain pass of its backbone at the same input."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch

from models.bundle import load_bundle
from training.deployed import Deployed
from training.export import export_onnx
from training.network import ARCHITECTURES, Start, build_network

TARGET = 3.0
_WARM = 3


def measure_inference(bundle: Path, *, repeats: int) -> dict[str, object]:
    """Time both graphs in turn, batch 1, one thread; ratio: median over the turns. Raises ModelError."""
    loaded = load_bundle(bundle)
    size, backbone = loaded.card.input, str(loaded.card.provenance.settings.get("backbone"))
    if backbone not in ARCHITECTURES:
        return {"state": "not run", "why": f"the bundle's backbone '{backbone}' is not one of ours"}
    torch.manual_seed(0)
    plain = Deployed(build_network(backbone, 2, Start(None, "random weights: only its time counts"))).eval()
    sessions = [
        _session(loaded.read("model.onnx")),
        _session(export_onnx(plain, size.height, size.width, size.channels)),
    ]
    shape = (1, size.height, size.width, size.channels)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    taken_s: tuple[list[float], list[float]] = ([], [])
    for turn in range(repeats + _WARM):
        for session, times in zip(sessions, taken_s, strict=True):
            began_ns = time.monotonic_ns()
            session.run(["scores"], {"pixels": pixels})
            if turn >= _WARM:
                times.append((time.monotonic_ns() - began_ns) / 1e9)
    return {
        "state": "measured",
        "task": loaded.card.task,
        "network": loaded.card.provenance.network,
        "plain": backbone,
        "input": f"{size.width}x{size.height}x{size.channels}",
        "model_ms": round(1000 * statistics.median(taken_s[0]), 2),
        "plain_ms": round(1000 * statistics.median(taken_s[1]), 2),
        "ratio": round(statistics.median(a / b for a, b in zip(*taken_s, strict=True)), 3),
        "target": TARGET,
        "repeats": repeats,
    }


def _session(graph: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
