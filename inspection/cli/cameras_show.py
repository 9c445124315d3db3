"""`lineward cameras show`: what a camera is, what it counts and which features it has, also into a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from camera.errors import NodeError
from inspection.cli.camera_choice import CameraArgument, Choice, OptionOption, choose_camera
from inspection.cli.camera_files import writable
from inspection.cli.feature_words import nodes_of, plain, range_of, read_or_none
from inspection.cli.json_option import JsonOption

if TYPE_CHECKING:
    from camera.genicam.nodes import Node, Nodes, Value
    from camera.interface import Camera

_TEMPERATURES = ("DeviceTemperature", "DeviceTemperatureInCelsius", "TemperatureAbs")


def show(
    camera: CameraArgument,
    option: OptionOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Those for experts and gurus, too.")] = False,
    text: Annotated[str, typer.Option("--filter", metavar="TEXT", help="Only features with this in the name.")] = "",
    save_to: Annotated[
        Path | None,
        typer.Option(metavar="FILE.TOML", help="Write all settings of the device to a file, for set --from."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the features of a camera: value, range, unit, entries. Nobody else may hold it; it is left as it is."""
    from camera.genicam.saved import save_features, write_saved

    if save_to is not None:
        writable("--save-to", save_to)
    choice = choose_camera(camera, option or ())
    with choice.make(leave_as_is=True) as opened:
        found = [] if opened.nodes is None else _features(opened.nodes, text, everything=everything)
        state = _state(opened, choice)
        if save_to is not None:
            write_saved(save_features(nodes_of(opened, choice)), save_to)
    if as_json:
        print(json.dumps({**state, "features": [asdict(node) for node in found]}))
        return
    console = Console()
    for key, value in state.items():
        if value not in (None, {}, ""):
            console.print(f"{key}: {plain(value)}", markup=False, highlight=False, soft_wrap=True)
    if found:
        console.print(_table(found))
    elif state["has_features"]:
        print("no feature is shown; --all shows those for experts, and --filter TEXT looks for a part of a name")
    if save_to is not None:
        print(f"settings written to {save_to}; `lineward cameras set` with --from brings them back")


def _state(camera: Camera, choice: Choice) -> dict[str, Any]:
    nodes = camera.nodes
    state = {
        "camera": choice.name,
        "backend": choice.backend,
        "state": "can be used",
        "has_features": nodes is not None,
    }
    for key, name in (
        ("vendor", "DeviceVendorName"),
        ("model", "DeviceModelName"),
        ("firmware", "DeviceFirmwareVersion"),
    ):
        state[key] = _value(nodes, (name,))
    state["temperature_c"] = _value(nodes, _TEMPERATURES)
    size = camera.picture_size
    state["picture"] = None if size is None else f"{size[0]}×{size[1]}"
    state["counters"] = dict(camera.counters())
    return state


def _value(nodes: Nodes | None, names: Sequence[str]) -> Value | None:
    there = (name for name in names if nodes is not None and nodes.has(name))
    return next((read_or_none(nodes, name) for name in there if nodes is not None), None)


def _features(nodes: Nodes, text: str, *, everything: bool) -> list[Node]:
    shown = ("beginner", "expert", "guru") if everything else ("beginner",)
    found = []
    for name in nodes.names():
        if text.casefold() in name.casefold() and nodes.has(name):
            try:
                node = nodes.node(name)
            except NodeError:
                continue  # it is not there in the present state of the device
            if node.visibility in shown or (text and everything) or text == name:
                found.append(node)
    return found


def _table(found: list[Node]) -> Table:
    table = Table("feature", "value", "range or entries", "access")
    for node in found:
        value = "" if node.value is None else f"{plain(node.value)} {node.unit}".strip()
        access = "command" if node.kind == "command" else f"{'r' * node.readable}{'w' * node.writable}" or "none"
        table.add_row(*map(escape, (node.name, value, range_of(node), access)))
    return table
