"""How a model was made, for its card: the program, the settings, the libraries and the processor."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

from models.card import Provenance
from training.conditions import Conditions
from training.hardware import choose_device, device_asked
from training.settings import TrainSettings
from training.team import present_team

_LIBRARIES = ("lineward", "torch", "torchvision", "albumentations", "onnx", "onnxruntime", "numpy")


def provenance_of(settings: TrainSettings, start: str, network: str, conditions: Conditions) -> Provenance:
    """Tell where a model comes from that was just fitted here. start: what the fitting started from."""
    values = settings.model_dump(mode="json")
    if isinstance(settings.weights, Path):
        values["weights"] = settings.weights.name
    return Provenance(
        created_wall=datetime.now(UTC),
        tool=f"lineward train {version('lineward')}",
        network=network,
        weights=start,
        seed=settings.seed,
        versions={"python": ".".join(map(str, sys.version_info[:3])), **{lib: version(lib) for lib in _LIBRARIES}},
        settings=values
        | {
            "deterministic_kernels": torch.are_deterministic_algorithms_enabled(),
            "device": choose_device(device_asked(settings)).type,
            "processes": present_team().size,
        },
        command=conditions.command,
        made_from=conditions.made_from,
    )
