"""The GenICam description of the camera without hardware: only what it does, and what it remembers."""

from __future__ import annotations

from camera.genicam.pfnc import CODES

# Registers that Aravis's fake camera acts on (arvfakecamera.h).
WIDTH, HEIGHT, OFFSET_X, OFFSET_Y = 0x100, 0x104, 0x130, 0x134
SENSOR_HEIGHT, SENSOR_WIDTH, PIXEL_FORMAT = 0x118, 0x11C, 0x128
ACQUISITION_MODE, ACQUISITION, FRAME_PERIOD_US = 0x12C, 0x124, 0x138
GAIN, GAIN_AUTO, EXPOSURE_US = 0x110, 0x114, 0x120
TRIGGER_MODE, TRIGGER_SOURCE, TRIGGER_ACTIVATION, TRIGGER_SOFTWARE = 0x300, 0x304, 0x308, 0x30C
# Of GigE Vision.
USER_NAME, USER_NAME_SIZE = 0xE8, 16
# Of our own.
LATCH, CLOCK_NS, TRIGGER_SELECTOR = 0x8000, 0x8008, 0x8010

FORMATS = ("Mono8", "Mono16", "BayerRG8", "BayerGR8", "BayerGB8", "BayerBG8", "RGB8")
LEAST_SIZE, MOST_SIZE = (32, 4), (4096, 4096)

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<RegisterDescription ModelName="Fake" VendorName="Aravis" ToolTip="A camera without hardware"
  StandardNameSpace="GEV" SchemaMajorVersion="1" SchemaMinorVersion="0" SchemaSubMinorVersion="1"
  MajorVersion="1" MinorVersion="0" SubMinorVersion="0"
  ProductGuid="5A4D3C2B-0001-4D1E-9F00-000000000001" VersionGuid="5A4D3C2B-0002-4D1E-9F00-000000000002"
  xmlns="http://www.genicam.org/GenApi/Version_1_0">
"""


def _register(name: str, address: int, length: int = 4, access: str = "RW") -> str:
    return (
        f'<IntReg Name="{name}Reg"><Address>0x{address:x}</Address><Length>{length}</Length>'
        f"<AccessMode>{access}</AccessMode><pPort>Device</pPort><Cachable>NoCache</Cachable>"
        "<Sign>Unsigned</Sign><Endianess>BigEndian</Endianess></IntReg>\n"
    )


def _integer(name: str, address: int, least: int, most: str, step: int = 1, access: str = "RW") -> str:
    """Describe a whole number; most: a number, or the name of the feature that limits it."""
    limit = f"<Max>{most}</Max>" if most.isdigit() else f"<pMax>{most}</pMax>"
    return (
        f'<Integer Name="{name}" NameSpace="Standard"><pValue>{name}Reg</pValue><Min>{least}</Min>{limit}'
        f"<Inc>{step}</Inc></Integer>\n{_register(name, address, access=access)}"
    )


def _float(name: str, address: int, to: str, back: str, least: float, most: float, unit: str) -> str:
    """Describe a number kept as a whole one; to: of FROM (what is set) to the register, back: of TO."""
    return (
        f'<Float Name="{name}" NameSpace="Standard"><pValue>{name}Conversion</pValue><Min>{least}</Min>'
        f"<Max>{most}</Max><Unit>{unit}</Unit></Float>\n"
        f'<Converter Name="{name}Conversion"><FormulaTo>{to}</FormulaTo><FormulaFrom>{back}</FormulaFrom>'
        f"<pValue>{name}Reg</pValue></Converter>\n{_register(name, address)}"
    )


def _enumeration(name: str, address: int, entries: dict[str, int]) -> str:
    listed = "".join(
        f'<EnumEntry Name="{entry}" NameSpace="Standard"><Value>{value}</Value></EnumEntry>'
        for entry, value in entries.items()
    )
    return (
        f'<Enumeration Name="{name}" NameSpace="Standard">{listed}<pValue>{name}Reg</pValue></Enumeration>\n'
        f"{_register(name, address)}"
    )


def _command(name: str, address: int, value: int, shared: str = "") -> str:
    register = shared or f"{name}Reg"
    command = (
        f'<Command Name="{name}" NameSpace="Standard"><pValue>{register}</pValue>'
        f"<CommandValue>{value}</CommandValue></Command>\n"
    )
    return command if shared else command + _register(name, address)


def _string(name: str, address: int, length: int, access: str = "RO") -> str:
    return (
        f'<StringReg Name="{name}" NameSpace="Standard"><Address>0x{address:x}</Address><Length>{length}</Length>'
        f"<AccessMode>{access}</AccessMode><pPort>Device</pPort></StringReg>\n"
    )


def _payload_size() -> str:
    return (
        '<IntSwissKnife Name="PayloadSize" NameSpace="Standard"><pVariable Name="W">WidthReg</pVariable>'
        '<pVariable Name="H">HeightReg</pVariable><pVariable Name="F">PixelFormatReg</pVariable>'
        "<Formula>W * H * ((F &gt;&gt; 16) &amp; 255) / 8</Formula></IntSwissKnife>\n"
    )


def _device() -> dict[str, str]:
    clock = (
        '<Integer Name="TimestampLatchValue" NameSpace="Standard"><pValue>TimestampLatchValueReg</pValue></Integer>\n'
    )
    return {
        "DeviceVendorName": _string("DeviceVendorName", 0x48, 32),
        "DeviceModelName": _string("DeviceModelName", 0x68, 32),
        "DeviceVersion": _string("DeviceVersion", 0x88, 32),
        "DeviceSerialNumber": _string("DeviceSerialNumber", 0xD8, 16),
        "DeviceUserID": _string("DeviceUserID", USER_NAME, USER_NAME_SIZE, "RW"),
        "TimestampLatch": _command("TimestampLatch", LATCH, 1),
        "TimestampLatchValue": clock + _register("TimestampLatchValue", CLOCK_NS, 8, "RO"),
    }


def _image_format() -> dict[str, str]:
    least_width, least_height = LEAST_SIZE
    return {
        "SensorWidth": _integer("SensorWidth", SENSOR_WIDTH, 0, str(MOST_SIZE[0]), access="RO"),
        "SensorHeight": _integer("SensorHeight", SENSOR_HEIGHT, 0, str(MOST_SIZE[1]), access="RO"),
        "Width": _integer("Width", WIDTH, least_width, "SensorWidth", 4),
        "Height": _integer("Height", HEIGHT, least_height, "SensorHeight", 2),
        "OffsetX": _integer("OffsetX", OFFSET_X, 0, "SensorWidth", 2),
        "OffsetY": _integer("OffsetY", OFFSET_Y, 0, "SensorHeight", 2),
        "PixelFormat": _enumeration("PixelFormat", PIXEL_FORMAT, {name: CODES[name] for name in FORMATS}),
    }


def _acquisition() -> dict[str, str]:
    return {
        "AcquisitionMode": _enumeration("AcquisitionMode", ACQUISITION_MODE, {"Continuous": 1}),
        "AcquisitionStart": _command("AcquisitionStart", ACQUISITION, 1),
        "AcquisitionStop": _command("AcquisitionStop", ACQUISITION, 0, shared="AcquisitionStartReg"),
        "AcquisitionFrameRate": _float(
            "AcquisitionFrameRate", FRAME_PERIOD_US, "1000000 / FROM", "1000000 / TO", 0.1, 1000, "Hz"
        ),
        "ExposureTime": _float("ExposureTime", EXPOSURE_US, "FROM", "TO", 10, 10_000_000, "us"),
        "TriggerSelector": _enumeration("TriggerSelector", TRIGGER_SELECTOR, {"FrameStart": 0}),
        "TriggerMode": _enumeration("TriggerMode", TRIGGER_MODE, {"Off": 0, "On": 1}),
        "TriggerSource": _enumeration("TriggerSource", TRIGGER_SOURCE, {"Line1": 0, "Software": 1}),
        "TriggerActivation": _enumeration("TriggerActivation", TRIGGER_ACTIVATION, {"RisingEdge": 0}),
        "TriggerSoftware": _command("TriggerSoftware", TRIGGER_SOFTWARE, 1),
    }


def _analog() -> dict[str, str]:
    return {
        "Gain": _float("Gain", GAIN, "FROM * 10", "TO / 10.0", 0, 24, "dB"),
        "GainAuto": _enumeration("GainAuto", GAIN_AUTO, {"Off": 0, "Once": 1, "Continuous": 2}),
    }


def _categories() -> dict[str, dict[str, str]]:
    """Return the features by category, each with its description."""
    return {
        "DeviceControl": _device(),
        "ImageFormatControl": _image_format(),
        "AcquisitionControl": _acquisition(),
        "AnalogControl": _analog(),
        "TransportLayerControl": {"PayloadSize": _payload_size()},
    }


def description() -> str:
    """Return the description as XML (GenICam GenApi schema 1.0)."""
    categories = _categories()
    parts = [_HEAD, _listing("Root", categories)]
    for name, features in categories.items():
        parts += [_listing(name, features), *features.values()]
    parts.append('<Port Name="Device" NameSpace="Standard"/>\n</RegisterDescription>\n')
    return "".join(parts)


def _listing(name: str, features: dict[str, str] | dict[str, dict[str, str]]) -> str:
    listed = "".join(f"<pFeature>{feature}</pFeature>" for feature in features)
    return f'<Category Name="{name}" NameSpace="Standard">{listed}</Category>\n'
