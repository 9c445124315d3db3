"""The features of a GenICam device, whatever library reads its description."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

Value = bool | int | float | str
Kind = Literal["integer", "float", "boolean", "enumeration", "string", "command", "other"]


@dataclass(frozen=True, slots=True)
class Node:
    """One feature as it is now. value: None where it cannot be read; entries: of an enumeration, the usable ones.

    streamable: whether the device's description counts it among what makes up a saved state; None where it is not said.
    """

    name: str
    kind: Kind
    readable: bool
    writable: bool
    value: Value | None = None
    minimum: int | float | None = None
    maximum: int | float | None = None
    increment: int | float | None = None
    unit: str = ""
    entries: tuple[str, ...] = ()
    visibility: Literal["beginner", "expert", "guru", "invisible"] = "beginner"
    description: str = ""
    streamable: bool | None = None


class Nodes(Protocol):
    """The features of one open device. From any thread; each call may take as long as the device does.

    Every method raises NodeError for a feature that is not there or not accessible now, CameraLostError when the
    device has gone.
    """

    def names(self) -> Sequence[str]:
        """Return the names of all features that the device describes, in its own order."""
        ...

    def has(self, name: str) -> bool:
        """Return whether the feature is there and implemented; never raises NodeError."""
        ...

    def node(self, name: str) -> Node:
        """Return what the feature is, may be and is now."""
        ...

    def get(self, name: str) -> Value:
        """Return the value; of an enumeration the name of the entry."""
        ...

    def set(self, name: str, value: Value) -> None:
        """Set the value; of an enumeration by the name of the entry. NodeError names the value and the limits."""
        ...

    def execute(self, name: str) -> None:
        """Execute a command, and return when the device has taken it."""
        ...


@runtime_checkable
class CachedNodes(Nodes, Protocol):
    """Features whose values are kept on this side of the link, so that a change on the other one goes unnoticed."""

    def forget(self) -> None:
        """Ask the device itself the next time."""
        ...
