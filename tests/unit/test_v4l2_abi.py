"""Our structures and request numbers of Video4Linux2 against the kernel's own header, compiled."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest

from camera.v4l2 import abi
from camera.v4l2.formats import KNOWN, RAW, bytes_per_pixel

HEADER = Path("/usr/include/linux/videodev2.h")

STRUCTURES: dict[type[ctypes.Structure], tuple[str, tuple[str, ...]]] = {
    abi.Capability: ("v4l2_capability", ("driver", "card", "bus_info", "version", "capabilities", "device_caps")),
    abi.FormatDescription: ("v4l2_fmtdesc", ("index", "type", "flags", "description", "pixelformat")),
    abi.PixFormat: (
        "v4l2_pix_format",
        ("width", "height", "pixelformat", "field", "bytesperline", "sizeimage", "colorspace", "priv", "xfer_func"),
    ),
    abi.Format: ("v4l2_format", ("type", "fmt")),
    abi.RequestBuffers: ("v4l2_requestbuffers", ("count", "type", "memory", "capabilities")),
    abi.Buffer: (
        "v4l2_buffer",
        ("index", "type", "bytesused", "flags", "field", "timestamp", "timecode", "sequence", "memory", "m", "length"),
    ),
    abi.Fraction: ("v4l2_fract", ("numerator", "denominator")),
    abi.StreamParameters: ("v4l2_streamparm", ("type", "parm")),
    abi.Control: ("v4l2_control", ("id", "value")),
    abi.QueryControl: (
        "v4l2_queryctrl",
        ("id", "type", "name", "minimum", "maximum", "step", "default_value", "flags"),
    ),
    abi.QueryMenu: ("v4l2_querymenu", ("id", "index", "name")),
}
PATHS = {"v4l2_streamparm": "parm.capture.timeperframe", "v4l2_buffer": "timestamp.tv_usec"}
REQUESTS = (
    *("QUERYCAP", "ENUM_FMT", "G_FMT", "S_FMT", "REQBUFS", "QUERYBUF", "QBUF", "DQBUF", "STREAMON", "STREAMOFF"),
    *("G_PARM", "S_PARM", "G_CTRL", "S_CTRL", "QUERYCTRL", "QUERYMENU"),
)
CONSTANTS = {
    "CAPTURE": "V4L2_BUF_TYPE_VIDEO_CAPTURE",
    "MEMORY_MMAP": "V4L2_MEMORY_MMAP",
    "FIELD_NONE": "V4L2_FIELD_NONE",
    **{name: f"V4L2_{name}" for name in vars(abi) if name.startswith(("CAP_", "BUF_FLAG_", "CTRL_"))},
    **{
        name: f"V4L2_CID_{name}"
        for name in (
            *("AUTO_WHITE_BALANCE", "AUTOGAIN", "GAIN", "HUE_AUTO", "WHITE_BALANCE_TEMPERATURE", "AUTOBRIGHTNESS"),
            *("BRIGHTNESS", "HUE", "EXPOSURE_AUTO", "EXPOSURE_ABSOLUTE", "EXPOSURE_AUTO_PRIORITY", "FOCUS_ABSOLUTE"),
            *("FOCUS_AUTO", "ISO_SENSITIVITY", "ISO_SENSITIVITY_AUTO"),
        )
    },
}
CONSTANTS["CAP_TIMEPERFRAME"] = "V4L2_CAP_TIMEPERFRAME"
FORMATS = {
    "YUYV": "YUYV",
    "UYVY": "UYVY",
    "GREY": "GREY",
    "Y10": "Y10",
    "Y12": "Y12",
    "Y16": "Y16",
    "RGGB": "SRGGB8",
    "GRBG": "SGRBG8",
    "GBRG": "SGBRG8",
    "BA81": "SBGGR8",
    "RG10": "SRGGB10",
    "BA10": "SGRBG10",
    "GB10": "SGBRG10",
    "BG10": "SBGGR10",
    "RG12": "SRGGB12",
    "BA12": "SGRBG12",
    "GB12": "SGBRG12",
    "BG12": "SBGGR12",
    "RG16": "SRGGB16",
    "GR16": "SGRBG16",
    "GB16": "SGBRG16",
    "BYR2": "SBGGR16",
    "RGB3": "RGB24",
    "BGR3": "BGR24",
    "MJPG": "MJPEG",
    "JPEG": "JPEG",
}


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """What the compiler makes of the header: names and numbers."""
    assert HEADER.exists(), "scripts/system-packages installs linux-libc-dev with g++"
    compiler = shutil.which("g++")
    assert compiler is not None, "scripts/system-packages installs g++"
    wanted = [(f"sizeof {name}", f"sizeof(struct {name})") for name, _ in STRUCTURES.values()]
    for name, fields in STRUCTURES.values():
        wanted += [(f"{name}.{field}", f"offsetof(struct {name}, {field})") for field in fields]
    wanted += [(f"{name}:{path}", f"offsetof(struct {name}, {path})") for name, path in PATHS.items()]
    wanted += [(name, f"VIDIOC_{name}") for name in REQUESTS]
    wanted += list(CONSTANTS.items())
    wanted += [(code, f"V4L2_PIX_FMT_{macro}") for code, macro in FORMATS.items()]
    lines = "\n".join(f'printf("%s=%llu\\n", "{name}", (unsigned long long)({text}));' for name, text in wanted)
    folder = tmp_path_factory.mktemp("header")
    (folder / "a.cc").write_text(
        f"#include <cstddef>\n#include <cstdio>\n#include <sys/time.h>\n#include <linux/videodev2.h>\n"
        f"int main() {{\n{lines}\n}}\n"
    )
    command = [compiler, "-Wno-invalid-offsetof", "-o", str(folder / "a"), str(folder / "a.cc")]
    subprocess.run(command, check=True, timeout=120)
    said = subprocess.run([str(folder / "a")], capture_output=True, text=True, check=True, timeout=30).stdout
    return {name: int(number) for name, _, number in (line.partition("=") for line in said.splitlines())}


def test_structures_are_the_kernels(header: dict[str, int]) -> None:
    """Each structure has the kernel's size, and each field its place."""
    for ours, (name, fields) in STRUCTURES.items():
        assert ctypes.sizeof(ours) == header[f"sizeof {name}"], name
        for field in fields:
            assert getattr(ours, field).offset == header[f"{name}.{field}"], f"{name}.{field}"
    inner = abi.StreamParameters.parm.offset + 8
    assert inner == header["v4l2_streamparm:parm.capture.timeperframe"]
    assert abi.Buffer.timestamp.offset + 8 == header["v4l2_buffer:timestamp.tv_usec"]


def test_requests_and_constants_are_the_kernels(header: dict[str, int]) -> None:
    """Every request number, flag and control number is the header's."""
    for name in (*REQUESTS, *CONSTANTS):
        assert getattr(abi, name) == header[name], name


def test_formats_are_the_kernels(header: dict[str, int]) -> None:
    """Every four-character code is the header's, there and back; all that are read are among those compared."""
    assert set(FORMATS) == set(KNOWN)
    for code in KNOWN:
        assert abi.fourcc(code) == header[code], code
        assert abi.fourcc_text(header[code]) == code
    assert abi.fourcc_text(header["Y16"] | 1 << 31) == "Y16-BE"
    assert {bytes_per_pixel(code) for code in RAW} == {1, 2, 3}
