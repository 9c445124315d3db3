"""A GenICam device of registers in memory: its description goes through the reference GenApi, as a camera's does."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from genicam import genapi

from camera.errors import NodeError
from camera.genicam.nodes import Kind, Node, Value

_SLOT = 8  # bytes of a register
_MOST = 16  # entries of a selector


@dataclass(frozen=True)
class Feature:
    """One feature of the description. kind: float, integer, boolean, command, or a tuple: an enumeration's entries."""

    kind: str | tuple[str, ...]
    value: Value = 0
    least: float = 0
    most: float = 1_000_000
    step: float | None = None
    selector: str = ""
    access: str = "RW"


@dataclass
class RegisterDevice:
    """The features in registers. on_write: what the device does with a value that is written, by feature."""

    features: Mapping[str, Feature]
    on_write: Mapping[str, Callable[[RegisterDevice, float], float | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.memory = bytearray(_SLOT * _MOST * len(self.features))
        self.places = {name: at * _SLOT * _MOST for at, name in enumerate(self.features)}
        for name, feature in self.features.items():
            for at in range(_MOST):
                self.store(name, self._number(name, feature.value), at)
        self._port = _Port(self)
        self.map = genapi.NodeMap()
        self.map.load_xml_from_string(_description(self))
        self.map.connect(self._port, "Device")
        self.nodes = RegisterNodes(self.map)

    def store(self, name: str, value: float, at: int = 0) -> None:
        """Put a value into a register, as the device itself does."""
        packed = struct.pack("<d", value) if self.features[name].kind == "float" else struct.pack("<q", int(value))
        place = self.places[name] + at * _SLOT
        self.memory[place : place + _SLOT] = packed

    def loaded(self, name: str, at: int = 0) -> float:
        """Return the value of a register."""
        place = self.places[name] + at * _SLOT
        kind = "<d" if self.features[name].kind == "float" else "<q"
        return struct.unpack(kind, self.memory[place : place + _SLOT])[0]  # type: ignore[no-any-return]

    def written(self, address: int, data: bytes) -> None:
        name = max((name for name, place in self.places.items() if place <= address), key=self.places.__getitem__)
        value = struct.unpack("<d" if self.features[name].kind == "float" else "<q", data)[0]
        if name in self.on_write:
            value = self.on_write[name](self, value)
        if value is not None:
            self.store(name, value, (address - self.places[name]) // _SLOT)

    def _number(self, name: str, value: Value) -> float:
        kind = self.features[name].kind
        return kind.index(str(value)) if isinstance(kind, tuple) and value else float(value or 0)


class _Port(genapi.AbstractPort):  # type: ignore[misc]
    def __init__(self, device: RegisterDevice) -> None:
        super().__init__()
        self._device = device

    def is_open(self) -> bool:
        return True

    def get_access_mode(self) -> Any:
        return genapi.EAccessMode.RW

    def read(self, address: int, length: int) -> bytes:
        return bytes(self._device.memory[address : address + length])

    def write(self, address: int, value: bytes) -> None:
        self._device.written(address, bytes(value))


def _description(device: RegisterDevice) -> str:
    rows = [_feature(name, feature, device.places[name]) for name, feature in device.features.items()]
    listed = "".join(f"<pFeature>{name}</pFeature>" for name in device.features)
    return (
        '<?xml version="1.0" encoding="UTF-8"?><RegisterDescription ModelName="Registers" VendorName="Tests" '
        'StandardNameSpace="None" SchemaMajorVersion="1" SchemaMinorVersion="1" SchemaSubMinorVersion="0" '
        'MajorVersion="1" MinorVersion="0" SubMinorVersion="0" ToolTip="" '
        'ProductGuid="11111111-2222-3333-4444-555555555555" VersionGuid="11111111-2222-3333-4444-555555555556" '
        'xmlns="http://www.genicam.org/GenApi/Version_1_1">'
        f'<Category Name="Root" NameSpace="Standard">{listed}</Category>{"".join(rows)}'
        '<Port Name="Device" NameSpace="Standard"></Port></RegisterDescription>'
    )


def _feature(name: str, feature: Feature, address: int) -> str:
    register = "FloatReg" if feature.kind == "float" else "IntReg"
    index = f'<pIndex Offset="{_SLOT}">{feature.selector}_Reg</pIndex>' if feature.selector else ""
    sign = "" if register == "FloatReg" else "<Sign>Signed</Sign>"
    under = (
        f'<{register} Name="{name}_Reg"><Address>{address}</Address>{index}<Length>{_SLOT}</Length>'
        f"<AccessMode>{feature.access}</AccessMode><pPort>Device</pPort><Cachable>NoCache</Cachable>{sign}"
        f"<Endianess>LittleEndian</Endianess></{register}>"
    )
    value = f"<pValue>{name}_Reg</pValue>"
    match feature.kind:
        case "float" | "integer":
            tag = feature.kind.capitalize()
            plain = float if feature.kind == "float" else int
            step = f"<Inc>{plain(feature.step)}</Inc>" if feature.step else ""
            body = f"{value}<Min>{plain(feature.least)}</Min><Max>{plain(feature.most)}</Max>{step}"
        case "boolean":
            tag, body = "Boolean", f"{value}<OnValue>1</OnValue><OffValue>0</OffValue>"
        case "command":
            tag, body = "Command", f"{value}<CommandValue>1</CommandValue>"
        case entries:
            tag = "Enumeration"
            body = "".join(
                f'<EnumEntry Name="{entry}"><Value>{at}</Value></EnumEntry>' for at, entry in enumerate(entries)
            )
            body += value
    return f'<{tag} Name="{name}" NameSpace="Standard">{body}</{tag}>{under}'


_KINDS: dict[str, Kind] = {
    "IInteger": "integer",
    "IFloat": "float",
    "IBoolean": "boolean",
    "IEnumeration": "enumeration",
    "IString": "string",
    "ICommand": "command",
}


class RegisterNodes:
    """The `Nodes` of a node map of the reference GenApi."""

    def __init__(self, node_map: Any) -> None:
        self._map = node_map

    def names(self) -> Sequence[str]:
        root = self._map.get_node("Root")
        return [found.node.name for found in root.features]

    def has(self, name: str) -> bool:
        return bool(self._map.has_node(name))

    def node(self, name: str) -> Node:
        found, kind = self._find(name)
        mode = found.get_access_mode()
        readable = mode in (genapi.EAccessMode.RO, genapi.EAccessMode.RW) and kind != "command"
        number = kind in ("integer", "float") and readable
        has_step = number and (kind == "integer" or found.inc_mode == genapi.EIncMode.fixedIncrement)
        return Node(
            name=name,
            kind=kind,
            readable=readable,
            writable=mode in (genapi.EAccessMode.WO, genapi.EAccessMode.RW),
            value=self.get(name) if readable else None,
            minimum=found.min if number else None,
            maximum=found.max if number else None,
            increment=found.inc if has_step else None,
            entries=tuple(found.symbolics) if kind == "enumeration" else (),
        )

    def get(self, name: str) -> Value:
        found, _ = self._find(name)
        try:
            return found.value  # type: ignore[no-any-return]
        except genapi.GenericException as error:
            raise NodeError(f"{name}: {error}") from error

    def set(self, name: str, value: Value) -> None:
        found, kind = self._find(name)
        try:
            found.value = str(value) if kind == "enumeration" else value
        except (genapi.GenericException, TypeError) as error:
            raise NodeError(f"{name} = {value!r}: {error}") from error

    def execute(self, name: str) -> None:
        found, kind = self._find(name)
        if kind != "command":
            raise NodeError(f"{name} is a {kind} and cannot be executed")
        found.execute()

    def _find(self, name: str) -> tuple[Any, Kind]:
        if not self.has(name):
            raise NodeError(f"{name}: the device has no such feature")
        found = self._map.get_node(name)
        return found, _KINDS.get(type(found).__name__, "other")
