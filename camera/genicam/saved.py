"""All settings of a GenICam device as a text file that a person can read, compare and bring back."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

from camera.errors import CameraOptionsError, NodeError
from camera.genicam.nodes import Node, Nodes, Value
from camera.genicam.writing import Applied, Selected, Writing, is_selector
from camera.whole_file import write_whole

Features = dict[str, Value]
_KINDS = ("integer", "float", "boolean", "enumeration", "string")
# What is no setting of pictures: how the device is reached (a restored address would take it away), what it is called,
# and what others start and stop.
_LEFT_OUT = (
    "Gev",
    "Device",
    "UserSet",
    "File",
    "TLParams",
    "Firmware",
    "LUT",
    "Sequencer",
    "Transfer",
    "Event",
    "Test",
)
_MOST_ENTRIES = 32  # of a selector: more are tables, not settings


@dataclass(frozen=True, slots=True)
class Saved:
    """The settings of one device: by name, and those behind a selector by selector, its entry and name."""

    features: Features
    selected: dict[str, dict[str, Features]]


def save_features(nodes: Nodes) -> Saved:
    """Return every setting of the device, those behind a selector for each of its entries; selectors are put back.

    By the device's description where it says which make up its state, else all that can be read and written. The
    device must acquire nothing. Raises CameraLostError.
    """
    settings = [node for node in (_look(nodes, name) for name in nodes.names()) if node is not None and _is_kept(node)]
    selectors = [node for node in (_look(nodes, name) for name in nodes.names()) if node is not None and _selects(node)]
    selected: dict[str, dict[str, Features]] = {}
    taken: set[str] = set()
    for selector in selectors:
        behind = [node.name for node in settings if node.name.startswith(_stem(selector.name))]
        if behind:
            taken.update(behind)
            selected[selector.name] = _each_entry(nodes, selector, behind)
    features = {node.name: node.value for node in settings if node.name not in taken and node.value is not None}
    return Saved(features, selected)


def restore_features(nodes: Nodes, saved: Saved, camera: str) -> tuple[Applied, ...]:
    """Write all that was saved, read it back and return it. Raises CameraOpenError (REFUSED) that lists what differs.

    A read-only feature that has the saved value is as it should be.
    """
    writing = Writing(nodes)
    for selector, entries in saved.selected.items():
        for entry, features in entries.items():
            selected: Selected = ((selector, _entry(nodes, selector, entry)),)
            for name, value in features.items():
                writing.put("", name, value, selected, exact=not isinstance(value, float))
    for name, value in saved.features.items():
        writing.put("", name, value, exact=not isinstance(value, float))
    return writing.finish(camera)


def write_saved(saved: Saved, path: Path) -> None:
    """Write the settings as TOML, a line each."""
    lines = [
        "# Settings of a camera. `features`: each by its name; `selected`: those behind a selector, by its entry.",
        "",
    ]
    lines += ["[features]", *(_line(name, value) for name, value in saved.features.items())]
    for selector, entries in saved.selected.items():
        for entry, features in entries.items():
            lines += ["", f"[selected.{selector}.{json.dumps(entry)}]"]
            lines += [_line(name, value) for name, value in features.items()]
    write_whole(path, "\n".join(lines) + "\n")


def read_saved(path: Path) -> Saved:
    """Read what `write_saved` wrote, also changed by hand. Raises CameraOptionsError that names file and place."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CameraOptionsError(f"{path}: {error} — a file of camera settings is needed — save one first") from error
    features, selected = found.get("features", {}), found.get("selected", {})
    known = isinstance(features, dict) and isinstance(selected, dict) and not set(found) - {"features", "selected"}
    tables = [features] if known else []
    for entries in selected.values() if known else ():
        known = known and isinstance(entries, dict) and all(isinstance(table, dict) for table in entries.values())
        tables += list(entries.values()) if known else []
    for name, value in (pair for table in tables for pair in table.items()):
        if not isinstance(value, (bool, int, float, str)):
            raise CameraOptionsError(f"{path}: {name} = {value!r} — a number, a text, true or false — mend the line")
    if not known:
        raise CameraOptionsError(f"{path}: holds more or other than [features] and [selected.X.Y] — save it anew")
    return Saved(features, selected)


def _look(nodes: Nodes, name: str) -> Node | None:
    try:
        return nodes.node(name) if nodes.has(name) else None
    except NodeError:
        return None


def _is_kept(node: Node) -> bool:
    usable = node.readable and node.writable and node.value is not None and node.kind in _KINDS
    named = not is_selector(node.name) and not node.name.startswith(_LEFT_OUT)
    return usable and named and node.streamable is not False


def _selects(node: Node) -> bool:
    return is_selector(node.name) and node.writable and not node.name.startswith(_LEFT_OUT)


def _stem(selector: str) -> str:
    return selector.removesuffix("Selector")


def _each_entry(nodes: Nodes, selector: Node, names: list[str]) -> dict[str, Features]:
    """Return what the features are at each entry of their selector, and put the selector back."""
    found: dict[str, Features] = {}
    entries: list[Value] = list(selector.entries)
    if selector.kind == "integer" and selector.minimum is not None and selector.maximum is not None:
        entries = list(range(int(selector.minimum), int(selector.maximum) + 1))
    for entry in entries[:_MOST_ENTRIES]:
        try:
            nodes.set(selector.name, entry)
        except NodeError:
            continue
        at = [node for node in (_look(nodes, name) for name in names) if node is not None and _is_kept(node)]
        found[str(entry)] = {node.name: node.value for node in at if node.value is not None}
    if selector.value is not None:
        nodes.set(selector.name, selector.value)
    return {entry: features for entry, features in found.items() if features}


def _entry(nodes: Nodes, selector: str, entry: str) -> Value:
    node = _look(nodes, selector)
    return int(entry) if node is not None and node.kind == "integer" and entry.lstrip("-").isdigit() else entry


def _line(name: str, value: Value) -> str:
    if isinstance(value, float):
        return f"{name} = {value!r}"
    return f"{name} = {json.dumps(value, ensure_ascii=False)}"
