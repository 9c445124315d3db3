"""The GenICam features of a device whose driver lives in another process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from camera.genicam.nodes import Node, Value


class RemoteNodes:
    """`Nodes` over a lane of its own: a slow answer holds up no frame. Owned by an `IsolatedCamera`; any thread."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def names(self) -> Sequence[str]:
        """Return the names of all features."""
        return cast(Sequence[str], self._call("names"))

    def has(self, name: str) -> bool:
        """Return whether the feature is there."""
        return bool(self._call("has", name))

    def node(self, name: str) -> Node:
        """Return what the feature is, may be and is now."""
        return cast(Node, self._call("node", name))

    def get(self, name: str) -> Value:
        """Return the value."""
        return cast(Value, self._call("get", name))

    def set(self, name: str, value: Value) -> None:
        """Set the value."""
        self._call("set", name, value)

    def execute(self, name: str) -> None:
        """Execute a command."""
        self._call("execute", name)
