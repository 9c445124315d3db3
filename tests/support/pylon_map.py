"""The node map of pylon's emulated camera as `Nodes`: a real GenICam description behind the settings' tests."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from camera.errors import NodeError
from camera.genicam.nodes import Kind, Node, Value

_KINDS: dict[int, Kind] = {2: "integer", 3: "boolean", 4: "command", 5: "float", 6: "string", 9: "enumeration"}


class PylonMap:
    """One open emulated camera."""

    def __init__(self, node_map: object) -> None:
        from pypylon import genicam

        self._map, self._genicam = node_map, genicam

    def names(self) -> Sequence[str]:
        nodes = [found for found in self._map.GetNodes() if found.Node.IsFeature()]
        return [found.Node.GetName() for found in nodes if self._kind(found) != "other"]

    def has(self, name: str) -> bool:
        try:
            found = self._map.GetNode(name)
        except self._genicam.GenericException:
            return False
        return found is not None and self._genicam.IsImplemented(found)

    def node(self, name: str) -> Node:
        found, kind = self._find(name), self._kind(self._find(name))
        readable, writable = self._genicam.IsReadable(found), self._genicam.IsWritable(found)
        try:
            number = kind in ("integer", "float") and readable
            return Node(
                name=name,
                kind=kind,
                readable=readable and kind != "command",
                writable=writable,
                value=self.get(name) if readable and kind != "command" else None,
                minimum=found.GetMin() if number else None,
                maximum=found.GetMax() if number else None,
                increment=found.GetInc() if number and (kind == "integer" or found.HasInc()) else None,
                unit=found.GetUnit() if number else "",
                entries=tuple(found.Symbolics) if kind == "enumeration" else (),
                streamable=found.Node.IsStreamable(),
            )
        except self._genicam.GenericException as error:
            raise NodeError(f"{name}: {error}") from error

    def get(self, name: str) -> Value:
        found = self._find(name)
        try:
            value: Value = found.ToString() if self._kind(found) == "enumeration" else found.GetValue()
        except self._genicam.GenericException as error:
            raise NodeError(f"{name}: {error}") from error
        return value

    def set(self, name: str, value: Value) -> None:
        found = self._find(name)
        try:
            if self._kind(found) == "enumeration":
                found.FromString(str(value))
            else:
                found.SetValue(value)
        except (self._genicam.GenericException, TypeError) as error:
            raise NodeError(f"{name} = {value!r}: {error}") from error

    def execute(self, name: str) -> None:
        try:
            self._find(name).Execute()
        except self._genicam.GenericException as error:
            raise NodeError(f"{name}: {error}") from error

    def _find(self, name: str):  # noqa: ANN202 - a node of the SDK
        if not self.has(name):
            raise NodeError(f"{name}: the device has no such feature")
        return self._map.GetNode(name)

    def _kind(self, found: object) -> Kind:
        return _KINDS.get(found.Node.GetPrincipalInterfaceType(), "other")


@contextmanager
def emulated_camera() -> Iterator[PylonMap]:
    """Open the first emulated camera of this process."""
    os.environ["PYLON_CAMEMU"] = "1"
    from pypylon import pylon

    kind = pylon.DeviceInfo()
    kind.SetDeviceClass("BaslerCamEmu")
    factory = pylon.TlFactory.GetInstance()
    camera = pylon.InstantCamera(factory.CreateDevice(factory.EnumerateDevices([kind])[0]))
    camera.Open()
    try:
        yield PylonMap(camera.GetNodeMap())
    finally:
        camera.Close()
