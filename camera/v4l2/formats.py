"""The pixel formats of V4L2 that are read, by their four-character codes, and their GenICam names."""

from __future__ import annotations

RAW: dict[str, str] = {
    "YUYV": "YCbCr601_422_8",
    "UYVY": "YCbCr601_422_8_CbYCrY",
    "GREY": "Mono8",
    "Y10": "Mono10",
    "Y12": "Mono12",
    "Y16": "Mono16",
    "RGGB": "BayerRG8",
    "GRBG": "BayerGR8",
    "GBRG": "BayerGB8",
    "BA81": "BayerBG8",
    "RG10": "BayerRG10",
    "BA10": "BayerGR10",
    "GB10": "BayerGB10",
    "BG10": "BayerBG10",
    "RG12": "BayerRG12",
    "BA12": "BayerGR12",
    "GB12": "BayerGB12",
    "BG12": "BayerBG12",
    "RG16": "BayerRG16",
    "GR16": "BayerGR16",
    "GB16": "BayerGB16",
    "BYR2": "BayerBG16",
    "RGB3": "RGB8",
    "BGR3": "BGR8",
}
"""Delivered as they come."""

JPEG = ("MJPG", "JPEG")
"""Decoded to RGB8."""

KNOWN = (*RAW, *JPEG)


def bytes_per_pixel(code: str) -> int:
    """Return the size of one pixel of a raw format in bytes."""
    name = RAW[code]
    if name in ("RGB8", "BGR8"):
        return 3
    return 1 if name.endswith("8") and not name.startswith("YCbCr") else 2
