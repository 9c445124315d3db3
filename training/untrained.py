"""`python -m training.untrained`: a bundle with random weights, for benchmarks that need a network of a given size."""

from __future__ import annotations

import argparse
import hashlib
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch

from models.bundle import write_bundle
from models.card import CardDraft, DataOrigin, InputSpec, Metrics, Provenance, Threshold, Tolerance
from models.golden import Golden
from training.deployed import Deployed
from training.export import export_onnx
from training.forward import score_pixels
from training.network import ARCHITECTURES, Start, build_network
from training.quantise import quantise

CLASSES = ("good", "defect")


def write_untrained(out: Path, backbone: str, side: int, seed: int = 0, *, int8: bool = False) -> None:
    """Write a bundle of a backbone with random weights, input side × side RGB; its verdicts mean nothing.

    int8: quantised statically. Its golden scores are those of ONNX Runtime here, with room for another processor's
    rounding of the integers.
    """
    torch.manual_seed(seed)
    model = Deployed(build_network(backbone, len(CLASSES), Start(None, "random weights"))).eval()
    pixels = np.random.default_rng(seed).integers(0, 256, (4, side, side, 3), np.uint8)
    draft = CardDraft(
        name=f"{backbone}{'-int8' if int8 else ''}-untrained",
        classes=CLASSES,
        good_class=CLASSES[0],
        input=InputSpec(height=side, width=side, channels=3, pixel_format="RGB8"),
        threshold=Threshold(value=1.0, target_escape=0.0, target_met=False, statement="random weights: for benchmarks"),
        tolerance=Tolerance(score_abs=0.2 if int8 else 1e-3),
        data=DataOrigin(name="none", digest=hashlib.sha256(b"").hexdigest(), counts={}),
        metrics=Metrics(),
        provenance=Provenance(
            created_wall=datetime.now(UTC),
            tool=f"training.untrained {version('lineward')}",
            network=backbone,
            weights="random",
            seed=seed,
            versions={"torch": version("torch")},
            settings={},
        ),
    )
    graph, scores = export_onnx(model, side, side, 3), score_pixels(model, pixels, len(pixels))
    if int8:
        graph = quantise(graph, pixels)
        (scores,) = ort.InferenceSession(graph, providers=["CPUExecutionProvider"]).run(["scores"], {"pixels": pixels})
    write_bundle(out, model=graph, draft=draft, golden=Golden(inputs=pixels, scores=scores))


def main() -> None:
    """Write the bundle that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m training.untrained", description=__doc__)
    parser.add_argument("--backbone", choices=sorted(ARCHITECTURES), default="resnet18")
    parser.add_argument("--side", type=int, default=224, help="input side in pixels (default: %(default)s)")
    parser.add_argument("--int8", action="store_true", help="quantise to 8-bit integers")
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle")
    options = parser.parse_args()
    write_untrained(options.out, options.backbone, options.side, int8=options.int8)


if __name__ == "__main__":
    main()
