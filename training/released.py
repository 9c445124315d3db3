"""The released bundle that a retraining starts from: its weights, its settings and its classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx
import torch
from onnx import numpy_helper

from models.bundle import Bundle
from models.card import Card
from training.errors import SettingsError, WeightsError
from training.network import ARCHITECTURES, Start, Weights, build_network
from training.settings import TrainSettings

_NETWORK = "network."  # training.deployed.Deployed calls it so
# The weights are the bundle's own, the task follows from the card, the device is that of the machine.
_NOT_KEPT = frozenset({"weights", "task", "device"})


def settings_of(card: Card) -> dict[str, object]:
    """Return the settings that a bundle was trained with, as far as they are settings of this release."""
    kept = {name: value for name, value in card.provenance.settings.items() if name in TrainSettings.model_fields}
    settings: dict[str, object] = {name: value for name, value in kept.items() if name not in _NOT_KEPT}
    return {"height": card.input.height, "width": card.input.width, "backbone": card.provenance.network} | settings


def refuse_other_task(card: Card, asked: str | None) -> None:
    """Raise SettingsError where another task is asked for than the bundle's."""
    if asked not in (None, card.task):
        raise SettingsError(
            f"--task {asked}: the bundle '{card.name}' is for {card.task} — a retraining keeps the task — leave --task "
            "out, or train anew without --from"
        )


def refuse_lost_classes(card: Card, classes: tuple[str, ...]) -> None:
    """Raise SettingsError where the images lack a class of the bundle, or call the good one otherwise."""
    lost = [name for name in card.classes if name not in classes]
    if card.task == "classify" and (lost or classes[0] != card.good_class):
        raise SettingsError(
            f"--data, --add: no image of {', '.join(lost) or card.good_class} — the bundle '{card.name}' tells "
            f"{', '.join(card.classes)} apart, new defects may come, none may go — give the old images with --data, or "
            "train anew without --from"
        )


def start_from(bundle: Bundle, classes: tuple[str, ...], settings: TrainSettings) -> Start:
    """Return the bundle's own weights, with a row of zeros in the head for each class that is new to it.

    Raises WeightsError where its graph does not hold them under their names (quantised, or exported before they were
    kept), or where another network is asked for.
    """
    card = bundle.card
    if card.provenance.network not in ARCHITECTURES or settings.backbone != card.provenance.network:
        raise WeightsError(
            f"--from {bundle.path}: its network is {card.provenance.network}, --backbone {settings.backbone} — weights "
            "belong to one network — leave --backbone out, or train anew without --from"
        )
    found = weights_of(bundle)
    blank = build_network(settings.backbone, len(card.classes), Start(None, "")).state_dict()
    # BatchNorm's count of batches is no part of a graph, and nothing depends on it.
    wanted = {name: value for name, value in blank.items() if not name.endswith(".num_batches_tracked")}
    missing = sorted(name for name, value in wanted.items() if name not in found or found[name].shape != value.shape)
    if missing:
        raise WeightsError(
            f"--from {bundle.path}: its graph does not hold {len(missing)} of {len(wanted)} tensors under their names "
            f"({', '.join(missing[:3])}{', …' if len(missing) > 3 else ''}) — graphs that are quantised, or older than "
            "retraining, do not — give the bundle that it was made from, or train anew without --from"
        )
    weights: dict[str, torch.Tensor] = {name: found.get(name, value) for name, value in blank.items()}
    head = ARCHITECTURES[settings.backbone].head
    for name in (f"{head}.weight", f"{head}.bias"):
        weights[name] = _grown(weights[name], card.classes, classes)
    return Start(weights, f"retrained: bundle '{card.name}', sha256 of its card {bundle.digest}", keeps_head=True)


def weights_of(bundle: Bundle) -> Weights:
    """Return the tensors of the network by their names in it, in the precision of the graph."""
    found = tensors_of(bundle)
    return {name.removeprefix(_NETWORK): value for name, value in found.items() if name.startswith(_NETWORK)}


def tensors_of(bundle: Bundle) -> Weights:
    """Return all tensors that the graph holds, by their names in the exported module.

    The exporter keeps one copy of tensors that are equal and gives it the other names by an Identity node.
    """
    graph = onnx.load_model_from_string(bundle.read("model.onnx")).graph
    arrays: dict[str, Any] = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in arrays:
            arrays[node.output[0]] = arrays[node.input[0]]
    return {name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for name, tensor in arrays.items()}


def _grown(rows: torch.Tensor, before: tuple[str, ...], classes: tuple[str, ...]) -> torch.Tensor:
    """Return the head's rows in the order of the new classes."""
    place: Mapping[str, int] = {name: index for index, name in enumerate(before)}
    grown = torch.zeros((len(classes), *rows.shape[1:]), dtype=rows.dtype)
    for index, name in enumerate(classes):
        if name in place:
            grown[index] = rows[place[name]]
    return grown
