"""The functions of a GenTL producer (GenTL 1.6, EMVA) in Python: called without the interpreter's lock, errors raised.

The package `genicam` binds them, too, but holds the interpreter while it waits for a picture: every other thread of the
process, and with it the sign of life that the watchdog wants, stood still. Only its node maps are used here.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_char, c_char_p, c_int32, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p
from enum import IntEnum

Handle = c_void_p

_TEXT, _INT32, _BOOL8 = 1, 5, 11
_INTEGERS: dict[int, type[ctypes._SimpleCData[int]]] = {
    3: ctypes.c_int16,
    4: ctypes.c_uint16,
    5: ctypes.c_int32,
    6: ctypes.c_uint32,
    7: ctypes.c_int64,
    8: ctypes.c_uint64,
    10: ctypes.c_size_t,  # a pointer, of which only the address is of use
    12: ctypes.c_size_t,
}

INFINITE = 0xFFFFFFFFFFFFFFFF
NEW_BUFFER = 1  # the event
EXCLUSIVE = 4  # the access to a device


class Code(IntEnum):
    """What a producer says of a call that failed, as far as anybody reacts to it."""

    ERROR = -1001
    NOT_INITIALIZED = -1002
    NOT_IMPLEMENTED = -1003
    RESOURCE_IN_USE = -1004
    ACCESS_DENIED = -1005
    INVALID_HANDLE = -1006
    INVALID_ID = -1007
    NO_DATA = -1008
    INVALID_PARAMETER = -1009
    IO = -1010
    TIMEOUT = -1011
    ABORT = -1012
    NOT_AVAILABLE = -1014
    INVALID_INDEX = -1017
    BUSY = -1022


class DeviceInfo(IntEnum):
    """What can be asked of a device before it is opened."""

    VENDOR = 1
    MODEL = 2
    ACCESS_STATUS = 5
    USER_DEFINED_NAME = 6
    SERIAL_NUMBER = 7
    TIMESTAMP_FREQUENCY = 9


class StreamInfo(IntEnum):
    """What can be asked of a stream."""

    NUM_UNDERRUN = 2
    PAYLOAD_SIZE = 7
    DEFINES_PAYLOAD_SIZE = 9
    BUF_ANNOUNCE_MIN = 12


class BufferInfo(IntEnum):
    """What can be asked of a buffer that was filled."""

    BASE = 0
    TIMESTAMP = 3
    NEW_DATA = 4
    IS_INCOMPLETE = 7
    SIZE_FILLED = 9
    WIDTH = 10
    HEIGHT = 11
    X_PADDING = 14
    FRAME_ID = 16
    IMAGE_OFFSET = 18
    PAYLOAD_TYPE = 19
    PIXEL_FORMAT = 20
    PIXEL_FORMAT_NAMESPACE = 21
    DELIVERED_IMAGE_HEIGHT = 22
    DATA_SIZE = 27
    TIMESTAMP_NS = 28
    DATA_LARGER_THAN_BUFFER = 29
    CONTAINS_CHUNK_DATA = 30


class PortUrlInfo(IntEnum):
    """What can be asked of the description of a device."""

    URL = 0


class GentlError(Exception):
    """A call into a producer failed; code: of `Code`, or one of the producer's own."""

    def __init__(self, call: str, code: int, text: str) -> None:
        name = Code(code).name if code in Code.__members__.values() else "error"
        super().__init__(f"{call}: {name} ({code}){': ' + text if text else ''}")
        self.code = code


class NewBuffer(ctypes.Structure):
    """What the event of a new buffer carries."""

    _fields_ = (("buffer", c_void_p), ("user", c_void_p))


class SingleChunk(ctypes.Structure):
    """Where one chunk lies in a buffer (GenTL 1.6, SINGLE_CHUNK_DATA)."""

    _pack_ = 1
    _fields_ = (("id", c_uint64), ("offset", ctypes.c_ssize_t), ("length", c_size_t))


_INFO = (c_int32, POINTER(c_int32), c_void_p, POINTER(c_size_t))
_SIGNATURES: dict[str, tuple[type[object], ...]] = {
    "GCInitLib": (),
    "GCCloseLib": (),
    "GCGetLastError": (POINTER(c_int32), c_char_p, POINTER(c_size_t)),
    "GCReadPort": (Handle, c_uint64, c_void_p, POINTER(c_size_t)),
    "GCWritePort": (Handle, c_uint64, c_void_p, POINTER(c_size_t)),
    "GCGetPortURLInfo": (Handle, c_uint32, *_INFO),
    "GCRegisterEvent": (Handle, c_int32, POINTER(Handle)),
    "GCUnregisterEvent": (Handle, c_int32),
    "EventGetData": (Handle, c_void_p, POINTER(c_size_t), c_uint64),
    "TLOpen": (POINTER(Handle),),
    "TLClose": (Handle,),
    "TLUpdateInterfaceList": (Handle, POINTER(c_uint8), c_uint64),
    "TLGetNumInterfaces": (Handle, POINTER(c_uint32)),
    "TLGetInterfaceID": (Handle, c_uint32, c_char_p, POINTER(c_size_t)),
    "TLOpenInterface": (Handle, c_char_p, POINTER(Handle)),
    "IFClose": (Handle,),
    "IFUpdateDeviceList": (Handle, POINTER(c_uint8), c_uint64),
    "IFGetNumDevices": (Handle, POINTER(c_uint32)),
    "IFGetDeviceID": (Handle, c_uint32, c_char_p, POINTER(c_size_t)),
    "IFGetDeviceInfo": (Handle, c_char_p, *_INFO),
    "IFOpenDevice": (Handle, c_char_p, c_int32, POINTER(Handle)),
    "DevGetPort": (Handle, POINTER(Handle)),
    "DevGetDataStreamID": (Handle, c_uint32, c_char_p, POINTER(c_size_t)),
    "DevOpenDataStream": (Handle, c_char_p, POINTER(Handle)),
    "DevClose": (Handle,),
    "DSAnnounceBuffer": (Handle, c_void_p, c_size_t, c_void_p, POINTER(Handle)),
    "DSRevokeBuffer": (Handle, Handle, POINTER(Handle), POINTER(Handle)),
    "DSQueueBuffer": (Handle, Handle),
    "DSGetInfo": (Handle, *_INFO),
    "DSGetBufferInfo": (Handle, Handle, *_INFO),
    "DSGetBufferChunkData": (Handle, Handle, POINTER(SingleChunk), POINTER(c_size_t)),
    "DSStartAcquisition": (Handle, c_int32, c_uint64),
    "DSStopAcquisition": (Handle, c_int32),
    "DSFlushQueue": (Handle, c_int32),
    "DSClose": (Handle,),
}

_NEWER = ("DSGetBufferChunkData",)  # since GenTL 1.3: older producers do not have it


class Binding:
    """One producer's functions. From any thread: a producer has locks of its own (GenTL 1.6, 2.4)."""

    def __init__(self, path: str) -> None:
        self._library = ctypes.CDLL(path)
        for name, arguments in _SIGNATURES.items():
            if name in _NEWER and not hasattr(self._library, name):
                continue
            function = getattr(self._library, name)
            function.argtypes = arguments
            function.restype = c_int32

    def call(self, name: str, *arguments: object) -> None:
        """Call a function of the producer. Raises GentlError with what the producer says about it."""
        function = getattr(self._library, name, None)
        if function is None:
            raise GentlError(name, Code.NOT_IMPLEMENTED, "this producer is too old for it")
        code = function(*arguments)
        if code != 0:
            raise GentlError(name, code, self._last_error())

    def opened(self, name: str, *arguments: object) -> Handle:
        """Call a function whose last argument is the handle that it makes."""
        handle = Handle()
        self.call(name, *arguments, byref(handle))
        return handle

    def number(self, name: str, *arguments: object) -> int:
        """Call a function whose last argument is a count that it gives."""
        count = c_uint32()
        self.call(name, *arguments, byref(count))
        return count.value

    def text(self, name: str, *arguments: object) -> str:
        """Call a function whose last arguments are a text that it gives and its size."""
        size = c_size_t(0)
        self.call(name, *arguments, None, byref(size))
        buffer = ctypes.create_string_buffer(max(1, size.value))
        self.call(name, *arguments, buffer, byref(size))
        return buffer.value.decode("utf-8", "replace")

    def info(self, name: str, *arguments: object) -> int | str | None:
        """Call a function that gives a value of any type; None where this producer or device does not have it."""
        kind, size = c_int32(0), c_size_t(1024)
        buffer = (c_char * size.value)()
        try:
            self.call(name, *arguments, byref(kind), buffer, byref(size))
        except GentlError as error:
            if error.code in (Code.ERROR, Code.INVALID_HANDLE, Code.IO, Code.NOT_INITIALIZED):
                raise
            return None
        if kind.value == _TEXT:
            return buffer.value.decode("utf-8", "replace")
        if kind.value == _BOOL8:
            return int(buffer.raw[0] != 0)
        integer = _INTEGERS.get(kind.value)
        return None if integer is None else int(integer.from_buffer(buffer).value)

    def integer(self, name: str, *arguments: object) -> int | None:
        """Return a value as `info` does, None for one that is no number."""
        value = self.info(name, *arguments)
        return value if isinstance(value, int) else None

    def next_buffer(self, event: Handle, timeout_ms: int) -> int | None:
        """Wait for the next filled buffer; None when none came in time, or the wait was ended."""
        data, size = NewBuffer(), c_size_t(ctypes.sizeof(NewBuffer))
        code = self._library.EventGetData(event, byref(data), byref(size), timeout_ms)
        if code in (Code.TIMEOUT, Code.ABORT, Code.NO_DATA):
            return None
        if code != 0:
            raise GentlError("EventGetData", code, self._last_error())
        return int(data.buffer or 0)

    def read(self, port: Handle, address: int, length: int) -> bytes:
        """Read registers of a device."""
        buffer, size = ctypes.create_string_buffer(length), c_size_t(length)
        self.call("GCReadPort", port, address, buffer, byref(size))
        return buffer.raw[: size.value]

    def write(self, port: Handle, address: int, data: bytes) -> None:
        """Write registers of a device."""
        self.call("GCWritePort", port, address, data, byref(c_size_t(len(data))))

    def _last_error(self) -> str:
        code, size, buffer = c_int32(), c_size_t(1024), ctypes.create_string_buffer(1024)
        if self._library.GCGetLastError(byref(code), buffer, byref(size)) != 0:
            return ""
        return buffer.value.decode("utf-8", "replace").strip()
