"""Pixel formats as devices name them: the 32-bit codes of the GenICam PFNC, old names, and the bytes of a row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camera.errors import PixelFormatError
from camera.frame import Pixels
from camera.pixels import FORMATS
from camera.yuv import YUV

# GenICam Pixel Format Naming Convention 2.x, "PFNC 32-bit values": bits 16-23 are the bits that a pixel takes up.
CODES: dict[str, int] = {
    "Mono8": 0x01080001,
    "Mono10": 0x01100003,
    "Mono10Packed": 0x010C0004,
    "Mono10p": 0x010A0046,
    "Mono12": 0x01100005,
    "Mono12Packed": 0x010C0006,
    "Mono12p": 0x010C0047,
    "Mono16": 0x01100007,
    "BayerGR8": 0x01080008,
    "BayerRG8": 0x01080009,
    "BayerGB8": 0x0108000A,
    "BayerBG8": 0x0108000B,
    "BayerGR10": 0x0110000C,
    "BayerRG10": 0x0110000D,
    "BayerGB10": 0x0110000E,
    "BayerBG10": 0x0110000F,
    "BayerGR12": 0x01100010,
    "BayerRG12": 0x01100011,
    "BayerGB12": 0x01100012,
    "BayerBG12": 0x01100013,
    "BayerGR16": 0x0110002E,
    "BayerRG16": 0x0110002F,
    "BayerGB16": 0x01100030,
    "BayerBG16": 0x01100031,
    "BayerGR10Packed": 0x010C0026,
    "BayerRG10Packed": 0x010C0027,
    "BayerGB10Packed": 0x010C0028,
    "BayerBG10Packed": 0x010C0029,
    "BayerGR12Packed": 0x010C002A,
    "BayerRG12Packed": 0x010C002B,
    "BayerGB12Packed": 0x010C002C,
    "BayerBG12Packed": 0x010C002D,
    "BayerBG10p": 0x010A0052,
    "BayerBG12p": 0x010C0053,
    "BayerGB10p": 0x010A0054,
    "BayerGB12p": 0x010C0055,
    "BayerGR10p": 0x010A0056,
    "BayerGR12p": 0x010C0057,
    "BayerRG10p": 0x010A0058,
    "BayerRG12p": 0x010C0059,
    "RGB8": 0x02180014,
    "BGR8": 0x02180015,
    "YUV422_8_UYVY": 0x0210001F,
    "YUV422_8": 0x02100032,
    "YCbCr422_8": 0x0210003B,
    "YCbCr422_8_CbYCrY": 0x02100043,
    "YCbCr601_422_8": 0x0210003E,
    "YCbCr601_422_8_CbYCrY": 0x02100044,
}
"""Every format that the station reads, by its PFNC name."""

_UNREAD = {
    0x01080002: "Mono8s",
    0x01100025: "Mono14",
    0x02200016: "RGBa8",
    0x02200017: "BGRa8",
    0x020C001E: "YUV411_8_UYYVYY",
    0x02180020: "YUV8_UYV",
    0x0218005B: "YCbCr8",
    0x02100041: "YCbCr709_422_8",
    0x02100045: "YCbCr709_422_8_CbYCrY",
}  # named only so that a message can say what came
_NAMES = {code: name for name, code in CODES.items()} | _UNREAD

# Names of SFNC 1.x and of GigE Vision 1.x. Mono12Packed is not Mono12p: the bits lie in another order, both are read.
_OLD = {
    "RGB8Packed": "RGB8",
    "BGR8Packed": "BGR8",
    "YUV422Packed": "YUV422_8_UYVY",
    "YUV422_YUYV_Packed": "YUV422_8",
    "YUYVPacked": "YUV422_8",
    "Mono8Signed": "Mono8s",
    "RGBA8Packed": "RGBa8",
    "BGRA8Packed": "BGRa8",
}


def name_of(code: int) -> str:
    """Return the PFNC name of a 32-bit code; of one that nobody knows here, the code itself: "0x02300099"."""
    return _NAMES.get(code, f"0x{code:08X}")


def canonical(name: str) -> str:
    """Return the PFNC name of what a device calls its format; a name that is none of the old ones as it is."""
    return _OLD.get(name, name)


def named_among(wanted: str, entries: Iterable[str]) -> str | None:
    """Return what a device that offers `entries` calls the format `wanted`; None where it has no such format."""
    meant = canonical(wanted)
    return next((entry for entry in entries if canonical(entry) == meant), None)


def bits_per_pixel(pixel_format: str) -> int:
    """Return how many bits of the buffer a pixel takes up. Raises PixelFormatError for a format that is not read."""
    code = CODES.get(canonical(pixel_format))
    if code is None:
        raise PixelFormatError(
            f"pixel format {pixel_format!r} is not read — one of {', '.join(FORMATS)} — set the camera to one of them"
        )
    return code >> 16 & 0xFF


def bytes_per_row(pixel_format: str, width: int) -> int:
    """Return the bytes of one row without padding; the last byte of a packed row may be filled in part."""
    return -(-width * bits_per_pixel(pixel_format) // 8)


def frame_bytes(pixel_format: str, width: int, height: int, padding_x: int = 0, padding_y: int = 0) -> int:
    """Return the bytes of a whole frame. padding_x: bytes after each row, padding_y: bytes after the last one."""
    return (bytes_per_row(pixel_format, width) + padding_x) * height + padding_y


def image_bytes(pixel_format: str, width: int, height: int, padding_x: int = 0) -> int:
    """Return the bytes of a whole frame as `frame_bytes` does, 0 for a format that is not read."""
    try:
        return frame_bytes(pixel_format, width, height, padding_x)
    except PixelFormatError:
        return 0


def shaped(
    buffer: NDArray[Any] | bytes | bytearray | memoryview,
    pixel_format: str,
    width: int,
    height: int,
    padding_x: int = 0,
    padding_y: int = 0,
) -> Pixels:
    """Return the flat bytes of a frame as a view in the shape that `camera.frame.Frame.pixels` has; nothing is copied.

    (height, width, 3) for RGB8 and BGR8, else (height, bytes of a row) without the padding. A last row that comes
    without its padding is fine; every other size is none of this frame. Raises PixelFormatError.
    """
    flat = _flat(buffer)
    row = bytes_per_row(pixel_format, width)
    stride = row + padding_x
    whole = frame_bytes(pixel_format, width, height, padding_x, padding_y)
    if min(width, height) < 1 or min(padding_x, padding_y) < 0 or flat.size not in (whole, whole - padding_x):
        raise PixelFormatError(
            f"{flat.size} bytes came for {width}×{height} {pixel_format} — {max(whole, 0)} bytes are that"
            f"{f' with {padding_x} bytes after each row' if padding_x else ''} — this exposure has no image; compare "
            "Width, Height and PixelFormat of the device with the configuration"
        )
    if width % 2 and canonical(pixel_format) in YUV:
        raise PixelFormatError(f"{pixel_format} of {width} columns — pairs of columns are needed — make Width even")
    if canonical(pixel_format) in ("RGB8", "BGR8"):
        return np.ndarray((height, width, 3), np.uint8, flat, strides=(stride, 3, 1))
    return np.ndarray((height, row), np.uint8, flat, strides=(stride, 1))


def _flat(buffer: NDArray[Any] | bytes | bytearray | memoryview) -> Pixels:
    if isinstance(buffer, np.ndarray):
        return np.ascontiguousarray(buffer).reshape(-1).view(np.uint8)
    return np.frombuffer(buffer, np.uint8)
