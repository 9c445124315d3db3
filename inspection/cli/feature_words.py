"""How features of a camera are written for people, and got hold of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from camera.errors import CameraOptionsError, NodeError

if TYPE_CHECKING:
    from camera.genicam.nodes import Node, Nodes, Value
    from camera.interface import Camera
    from inspection.cli.camera_choice import Choice


def nodes_of(camera: Camera, choice: Choice) -> Nodes:
    """Return the features of an open camera. Raises CameraOptionsError where its backend has none."""
    if camera.nodes is None:
        raise CameraOptionsError(
            f"camera '{choice.name}': backend '{choice.backend}' has no features; its settings are options: write them "
            "in the station's file, or as --option key=value"
        )
    return camera.nodes


def read_or_none(nodes: Nodes, name: str) -> Value | None:
    """Return the value of a feature, None where it cannot be read now. Raises CameraLostError."""
    try:
        return nodes.get(name)
    except NodeError:
        return None


def range_of(node: Node) -> str:
    """Return what values a feature takes, '' where it does not say."""
    if node.kind == "enumeration":
        return ", ".join(node.entries)
    if node.minimum is None or node.maximum is None:
        return ""
    step = f", steps of {plain(node.increment)}" if node.increment not in (None, 0, 1) else ""
    return f"{plain(node.minimum)} … {plain(node.maximum)}{step}"


def plain(value: object) -> str:
    """Return a value as a person reads it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {count}" for key, count in value.items())
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def allowed(node: Node) -> str:
    """Return what a feature takes as the end of a sentence: " (10 … 1000000 us)"."""
    allowed = "true or false" if node.kind == "boolean" else range_of(node)
    return f" ({allowed}{f' {node.unit}' if node.unit else ''})" if allowed else ""
