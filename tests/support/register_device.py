"""A GenICam device of registers in memory: its description goes through the reference GenApi, as a camera's does."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from genicam import genapi

from camera.genicam.genapi_nodes import GenapiNodes, snake
from camera.genicam.nodes import Value

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
        self.nodes = GenapiNodes(self.map, snake, (genapi.GenericException, RuntimeError), lambda: False)

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
