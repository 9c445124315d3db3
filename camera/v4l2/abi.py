"""The structures and request numbers of Video4Linux2 that the driver uses (linux/videodev2.h), for 64-bit Linux."""

from __future__ import annotations

import ctypes
from ctypes import c_char, c_int32, c_long, c_uint8, c_uint32, c_void_p

CAPTURE = 1  # V4L2_BUF_TYPE_VIDEO_CAPTURE
MEMORY_MMAP = 1
FIELD_NONE = 1
CAP_VIDEO_CAPTURE = 0x00000001
CAP_STREAMING = 0x04000000
CAP_DEVICE_CAPS = 0x80000000
CAP_TIMEPERFRAME = 0x1000
BUF_FLAG_ERROR = 0x00000040
BUF_FLAG_TIMESTAMP_MASK = 0x0000E000
BUF_FLAG_TIMESTAMP_MONOTONIC = 0x00002000
CTRL_FLAG_DISABLED = 0x0001
CTRL_FLAG_READ_ONLY = 0x0004
CTRL_FLAG_WRITE_ONLY = 0x0040
CTRL_FLAG_NEXT_CTRL = 0x80000000
CTRL_TYPE_INTEGER, CTRL_TYPE_BOOLEAN, CTRL_TYPE_MENU, CTRL_TYPE_INTEGER_MENU = 1, 2, 3, 9
SEQUENCE_BITS = 32
_BIG_ENDIAN = 0x80000000  # of a format's code

AUTO_WHITE_BALANCE = 0x0098090C
AUTOGAIN = 0x00980912
GAIN = 0x00980913
HUE_AUTO = 0x00980919
WHITE_BALANCE_TEMPERATURE = 0x0098091A
AUTOBRIGHTNESS = 0x00980920
BRIGHTNESS = 0x00980900
HUE = 0x00980903
EXPOSURE_AUTO = 0x009A0901
EXPOSURE_ABSOLUTE = 0x009A0902
EXPOSURE_AUTO_PRIORITY = 0x009A0903
FOCUS_ABSOLUTE = 0x009A090A
FOCUS_AUTO = 0x009A090C
ISO_SENSITIVITY = 0x009A0917
ISO_SENSITIVITY_AUTO = 0x009A0918


class Capability(ctypes.Structure):
    """What a node is and can do."""

    _fields_ = (
        ("driver", c_char * 16),
        ("card", c_char * 32),
        ("bus_info", c_char * 32),
        ("version", c_uint32),
        ("capabilities", c_uint32),
        ("device_caps", c_uint32),
        ("reserved", c_uint32 * 3),
    )


class FormatDescription(ctypes.Structure):
    """One of the pixel formats that a node offers."""

    _fields_ = (
        ("index", c_uint32),
        ("type", c_uint32),
        ("flags", c_uint32),
        ("description", c_char * 32),
        ("pixelformat", c_uint32),
        ("mbus_code", c_uint32),
        ("reserved", c_uint32 * 3),
    )


class PixFormat(ctypes.Structure):
    """Size and layout of a picture."""

    _fields_ = tuple(
        (name, c_uint32)
        for name in (
            "width",
            "height",
            "pixelformat",
            "field",
            "bytesperline",
            "sizeimage",
            "colorspace",
            "priv",
            "flags",
            "ycbcr_enc",
            "quantization",
            "xfer_func",
        )
    )


class _FormatUnion(ctypes.Union):
    _fields_ = (("pix", PixFormat), ("raw_data", c_uint8 * 200), ("_window", c_void_p))


class Format(ctypes.Structure):
    """The format of a stream."""

    _fields_ = (("type", c_uint32), ("fmt", _FormatUnion))


class RequestBuffers(ctypes.Structure):
    """How many buffers are asked for, and granted."""

    _fields_ = (
        ("count", c_uint32),
        ("type", c_uint32),
        ("memory", c_uint32),
        ("capabilities", c_uint32),
        ("reserved", c_uint32),
    )


class _Timeval(ctypes.Structure):
    _fields_ = (("tv_sec", c_long), ("tv_usec", c_long))


class _Timecode(ctypes.Structure):
    _fields_ = (("type", c_uint32), ("flags", c_uint32), ("digits", c_uint8 * 8))


class _BufferUnion(ctypes.Union):
    _fields_ = (("offset", c_uint32), ("userptr", c_void_p))


class Buffer(ctypes.Structure):
    """One buffer on its way to the driver or back."""

    _fields_ = (
        ("index", c_uint32),
        ("type", c_uint32),
        ("bytesused", c_uint32),
        ("flags", c_uint32),
        ("field", c_uint32),
        ("timestamp", _Timeval),
        ("timecode", _Timecode),
        ("sequence", c_uint32),
        ("memory", c_uint32),
        ("m", _BufferUnion),
        ("length", c_uint32),
        ("reserved2", c_uint32),
        ("request_fd", c_int32),
    )


class Fraction(ctypes.Structure):
    """Seconds a frame, as a fraction."""

    _fields_ = (("numerator", c_uint32), ("denominator", c_uint32))


class _CaptureParameters(ctypes.Structure):
    _fields_ = (
        ("capability", c_uint32),
        ("capturemode", c_uint32),
        ("timeperframe", Fraction),
        ("extendedmode", c_uint32),
        ("readbuffers", c_uint32),
        ("reserved", c_uint32 * 4),
    )


class _StreamUnion(ctypes.Union):
    _fields_ = (("capture", _CaptureParameters), ("raw_data", c_uint8 * 200))


class StreamParameters(ctypes.Structure):
    """The frame rate of a stream."""

    _fields_ = (("type", c_uint32), ("parm", _StreamUnion))


class Control(ctypes.Structure):
    """The value of one control."""

    _fields_ = (("id", c_uint32), ("value", c_int32))


class QueryControl(ctypes.Structure):
    """What one control is, and its limits."""

    _fields_ = (
        ("id", c_uint32),
        ("type", c_uint32),
        ("name", c_char * 32),
        ("minimum", c_int32),
        ("maximum", c_int32),
        ("step", c_int32),
        ("default_value", c_int32),
        ("flags", c_uint32),
        ("reserved", c_uint32 * 2),
    )


class QueryMenu(ctypes.Structure):
    """One entry of a control that is a menu."""

    _pack_ = 1
    _fields_ = (("id", c_uint32), ("index", c_uint32), ("name", c_char * 32), ("reserved", c_uint32))


def _request(direction: int, number: int, size: int) -> int:
    return direction << 30 | size << 16 | ord("V") << 8 | number


def _read_write(number: int, kind: type[ctypes.Structure]) -> int:
    return _request(3, number, ctypes.sizeof(kind))


QUERYCAP = _request(2, 0, ctypes.sizeof(Capability))
ENUM_FMT = _read_write(2, FormatDescription)
G_FMT = _read_write(4, Format)
S_FMT = _read_write(5, Format)
REQBUFS = _read_write(8, RequestBuffers)
QUERYBUF = _read_write(9, Buffer)
QBUF = _read_write(15, Buffer)
DQBUF = _read_write(17, Buffer)
STREAMON = _request(1, 18, ctypes.sizeof(c_int32))
STREAMOFF = _request(1, 19, ctypes.sizeof(c_int32))
G_PARM = _read_write(21, StreamParameters)
S_PARM = _read_write(22, StreamParameters)
G_CTRL = _read_write(27, Control)
S_CTRL = _read_write(28, Control)
QUERYCTRL = _read_write(36, QueryControl)
QUERYMENU = _read_write(37, QueryMenu)


def fourcc(code: str) -> int:
    """Return the number of a four-character code, shorter ones padded with spaces."""
    return int.from_bytes(code.ljust(4).encode("ascii"), "little")


def fourcc_text(number: int) -> str:
    """Return the four-character code of a number, as people write it."""
    code = (number & ~_BIG_ENDIAN).to_bytes(4, "little").decode("latin-1").rstrip()
    return f"{code}-BE" if number & _BIG_ENDIAN else code
