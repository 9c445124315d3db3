"""All settings of a GenICam device as values by name: read to keep them, and written back in whatever order works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from camera.errors import NodeError
from camera.genicam.nodes import Nodes, Value
from camera.genicam.writing import agrees, is_selector, limits, shown

_SETTINGS = ("integer", "float", "boolean", "enumeration", "string")


@dataclass(frozen=True, slots=True)
class Change:
    """A feature before and after it was written. problem: '' where the device has now what was wanted."""

    name: str
    before: Value | None
    wanted: Value
    after: Value | None
    problem: str = ""


def save_features(nodes: Nodes) -> dict[str, Value]:
    """Return every feature that can be read and written, in the device's order. Raises CameraLostError.

    Of features behind a selector it is the value where the selector stands; the selector is among them.
    """
    saved: dict[str, Value] = {}
    for name in nodes.names():
        if nodes.has(name):
            node = nodes.node(name)
            if node.kind in _SETTINGS and node.readable and node.writable and node.value is not None:
                saved[name] = node.value
    return saved


def restore_features(nodes: Nodes, saved: Mapping[str, Value]) -> list[Change]:
    """Write the values, selectors first, until no further one is taken; return all that changed or could not.

    A value that is refused may only wait for another (the offset for the width), so that the refused ones are tried
    again as long as one of them is taken. Raises CameraLostError.
    """
    before = {name: read_or_none(nodes, name) for name in saved}
    ordered = sorted(saved, key=lambda name: not is_selector(name))
    waiting = [name for name in ordered if not _stands(nodes, name, saved[name])]
    problems: dict[str, str] = {}
    while waiting:
        refused = [name for name in waiting if not _taken(nodes, name, saved[name], problems)]
        if len(refused) == len(waiting):
            break
        waiting = refused
    changes = []
    for name, wanted in saved.items():
        stands = _stands(nodes, name, wanted)
        after = read_or_none(nodes, name)
        if not stands or after != before[name]:
            problem = "" if stands else problems.get(name, "") or "another setting moved it afterwards"
            changes.append(Change(name, before[name], wanted, after, problem))
    return changes


def write_feature(nodes: Nodes, name: str, wanted: Value) -> Change:
    """Write one feature and read it back; what was not taken is told in `problem`. Raises CameraLostError."""
    before, problems = read_or_none(nodes, name), dict[str, str]()
    _taken(nodes, name, wanted, problems)
    return Change(name, before, wanted, read_or_none(nodes, name), problems.get(name, ""))


def read_or_none(nodes: Nodes, name: str) -> Value | None:
    """Return the value of a feature, None where it cannot be read now. Raises CameraLostError."""
    try:
        return nodes.get(name)
    except NodeError:
        return None


def _taken(nodes: Nodes, name: str, wanted: Value, problems: dict[str, str]) -> bool:
    """Write one and read it back; where it does not stand, note why."""
    problems.pop(name, None)
    try:
        nodes.set(name, wanted)
        node = nodes.node(name)
        if node.readable and not agrees(node, wanted, nodes.get(name)):
            problems[name] = f"the device has {shown(nodes.get(name))} instead{limits(node)}"
    except NodeError as error:
        problems[name] = str(error)
    return name not in problems


def _stands(nodes: Nodes, name: str, wanted: Value) -> bool:
    try:
        return agrees(nodes.node(name), wanted, nodes.get(name))
    except NodeError:
        return False
