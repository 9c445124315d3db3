"""The networks to choose from, how they start, and which of their layers stay as they were."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
import torchvision
from torch import Tensor, nn

from training.compact import Compact
from training.errors import WeightsError

Weights = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Architecture:
    """How a backbone is built: a plain value.

    head: path of the last linear layer. middle: path of features half-way, which still tell any thing from any
    other; the later ones tell only what they were fitted to tell. frozen: modules that pretrained
    weights are good enough for (edges, textures); leaving them out halves the cost of a step on a CPU.
    """

    head: str
    middle: str
    frozen: tuple[str, ...] = ()


def _features(count: int) -> tuple[str, ...]:
    return tuple(f"features.{index}" for index in range(count))


ARCHITECTURES: dict[str, Architecture] = {
    "mobilenet_v2": Architecture("classifier.1", "features.10", _features(7)),
    "mobilenet_v3_small": Architecture("classifier.3", "features.6", _features(4)),
    "mobilenet_v3_large": Architecture("classifier.3", "features.10", _features(7)),
    "resnet18": Architecture("fc", "layer3", ("conv1", "bn1", "layer1")),
    "efficientnet_b0": Architecture("classifier.1", "features.5", _features(3)),
    "compact": Architecture("head", "features.4"),
}


@dataclass(frozen=True, slots=True)
class Start:
    """What the fitting starts from: a plain value. `weights` is None for a network from scratch.

    keeps_head: the weights are those of a whole network with the same classes, head and all.
    """

    weights: Weights | None
    told: str
    keeps_head: bool = False


def build_network(backbone: str, classes: int, start: Start) -> nn.Module:
    """Build a network from RGB (n, 3, h, w) to logits (n, classes); its head is new unless the start keeps one.

    With weights, everything but the head is loaded and the early layers are frozen. Raises WeightsError.
    """
    architecture = ARCHITECTURES[backbone]
    if backbone == "compact":
        network: nn.Module = Compact(classes)
    else:
        network = torchvision.models.get_model(backbone, weights=None, num_classes=classes)
    if start.weights is not None:
        _load(network, start.weights, backbone, keeps_head=start.keeps_head)
        for name in architecture.frozen:
            network.get_submodule(name).requires_grad_(False)
    return network


def head_of(network: nn.Module, backbone: str) -> nn.Linear:
    """Give the last linear layer."""
    return cast(nn.Linear, network.get_submodule(ARCHITECTURES[backbone].head))


def choose_start(backbone: str, weights: Path | str | None) -> Start:
    """Get the weights that were asked for: a state dict file, torchvision's own ('download'), or none.

    Raises WeightsError with the file or the reason of the failed download.
    """
    if weights is None:
        return Start(None, "from scratch: random weights, nothing pretrained")
    if backbone == "compact" and weights == "download":
        raise WeightsError(
            "--weights download: the network 'compact' is our own and has no pretrained weights — torchvision's "
            "backbones have — leave --weights out or choose another --backbone"
        )
    if weights == "download":
        return _download(backbone)
    return _read(Path(weights))


def _download(backbone: str) -> Start:
    try:
        known = torchvision.models.get_model_weights(backbone).DEFAULT
        state = known.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        raise WeightsError(
            f"--weights download: torchvision's weights of {backbone} could not be fetched ({error}) — this needs the "
            "internet once — go online, give a state dict with --weights FILE, or leave --weights out to start from "
            "scratch"
        ) from error
    return Start(state, f"pretrained: torchvision {known}, downloaded")


def _read(file: Path) -> Start:
    try:
        data = file.read_bytes()
        state = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise WeightsError(
            f"--weights {file}: cannot be read ({error.strerror or error}) — a state dict saved by torch.save is "
            "needed — check the path"
        ) from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        # torch's own text is left out: it advises to load the file without the protection against foreign code.
        raise WeightsError(
            f"--weights {file}: is no state dict — a file with tensors only, saved by "
            "torch.save(model.state_dict(), file), is needed — save it so, or use --weights download"
        ) from error
    if not isinstance(state, dict) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(
            f"--weights {file}: holds {type(state).__name__}, not a state dict of tensors — save the model with "
            "torch.save(model.state_dict(), file)"
        )
    return Start(state, f"pretrained: {file.name}, sha256 {hashlib.sha256(data).hexdigest()}")


def _load(network: nn.Module, weights: Weights, backbone: str, *, keeps_head: bool) -> None:
    """Copy all tensors, the head's only where it is kept, in float32; refuse when a name or a shape differs."""
    head = ARCHITECTURES[backbone].head + "."
    wanted, given = (
        {name: tensor for name, tensor in tensors.items() if keeps_head or not name.startswith(head)}
        for tensors in (network.state_dict(), weights)
    )
    missing, foreign = sorted(set(wanted) - set(given)), sorted(set(given) - set(wanted))
    shaped = sorted(name for name in set(wanted) & set(given) if wanted[name].shape != given[name].shape)
    if missing or foreign or shaped:
        parts = [
            f"{len(names)} {what} ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})"
            for names, what in ((missing, "missing"), (foreign, "unknown"), (shaped, "of another shape"))
            if names
        ]
        raise WeightsError(
            f"--weights do not fit {backbone}: tensors {'; '.join(parts)} — all {len(wanted)} of the backbone must "
            "fit — give the weights of this network or choose the --backbone that they belong to"
        )
    own: dict[str, Any] = network.state_dict()
    with torch.no_grad():
        for name, tensor in given.items():
            own[name].copy_(tensor)
