"""The controller's firmware in this process: bytes and inputs in, bytes and switchings out, on a clock handed in."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any, NamedTuple

from inspection.ejector.controller.build import library
from inspection.ejector.controller.errors import ControllerBuildError
from inspection.ejector.controller.wire import State

ABI_VERSION = 1
NEVER_US = 2**64 - 1
NOWHERE = 2**63 - 1
EJECT, RUN = 0, 1
_ROOM = 8192
_EDGES = 256


class Switching(NamedTuple):
    """One switching of an output: when, which (EJECT or RUN), its logical state, and whether its pin is high."""

    us: int
    output: int
    active: bool
    high: bool


class _Edge(ctypes.Structure):
    _fields_ = (
        ("us", ctypes.c_uint64),
        ("output", ctypes.c_uint8),
        ("active", ctypes.c_uint8),
        ("level", ctypes.c_uint8),
        ("reserved", ctypes.c_uint8 * 5),
    )


_HANDLE, _U64, _I64, _SIZE, _U8P = ctypes.c_void_p, ctypes.c_uint64, ctypes.c_int64, ctypes.c_size_t, ctypes.c_char_p
_FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "lw_abi_version": (ctypes.c_uint32, ()),
    "lw_new": (_HANDLE, (ctypes.c_uint32, ctypes.c_uint16, ctypes.c_int, ctypes.c_int, _U64)),
    "lw_free": (None, (_HANDLE,)),
    "lw_advance": (None, (_HANDLE, _U64)),
    "lw_step": (None, (_HANDLE, _U64)),
    "lw_receive": (None, (_HANDLE, _U64, _U8P, _SIZE)),
    "lw_transmit": (_SIZE, (_HANDLE, _U8P, _SIZE)),
    "lw_trigger": (None, (_HANDLE, _U64)),
    "lw_presence": (None, (_HANDLE, _U64)),
    "lw_ejected": (None, (_HANDLE, _U64)),
    "lw_bin": (None, (_HANDLE, _U64, ctypes.c_int)),
    "lw_move": (None, (_HANDLE, _U64, _I64)),
    "lw_encoder": (None, (_HANDLE, _U64, _I64)),
    "lw_next_wake_us": (_U64, (_HANDLE,)),
    "lw_next_count": (_I64, (_HANDLE,)),
    "lw_state": (ctypes.c_int, (_HANDLE,)),
    "lw_in_flight": (ctypes.c_uint, (_HANDLE,)),
    "lw_flags": (ctypes.c_uint16, (_HANDLE,)),
    "lw_edges": (_SIZE, (_HANDLE, ctypes.POINTER(_Edge), _SIZE)),
    "lw_lost_edges": (_U64, (_HANDLE,)),
    "lw_encode": (_SIZE, (ctypes.c_uint8, ctypes.c_uint8, _U8P, _SIZE, _U8P)),
    "lw_reader_new": (_HANDLE, ()),
    "lw_reader_free": (None, (_HANDLE,)),
    "lw_reader_feed": (ctypes.c_int, (_HANDLE, ctypes.c_uint8, _U8P, ctypes.POINTER(_SIZE))),
    "lw_reader_bad_frames": (ctypes.c_uint32, (_HANDLE,)),
}
"""What each function of the library returns and takes."""


@cache
def load() -> Any:
    """Return the loaded library with its functions described. Raises ControllerBuildError where it cannot be built."""
    path = library()
    try:
        lib = ctypes.CDLL(str(path))
    except OSError as error:
        raise ControllerBuildError(f"{path} cannot be loaded ({error}) — remove it; it is built again") from error
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    if lib.lw_abi_version() != ABI_VERSION:
        raise ControllerBuildError(f"{path} has another interface than this program — remove it; it is built again")
    return lib


class ControllerCore:
    """One controller in this process. Not locked: one thread at a time. Times are whole µs that never go back.

    boot_id: what it calls this start of its. flags, knows_wiring: what the board remembers of the last CONFIG.
    """

    def __init__(
        self, boot_id: int, *, flags: int = 0, knows_wiring: bool = False, watchdog: bool = False, now_us: int = 0
    ) -> None:
        self._lib = load()
        self._handle = self._lib.lw_new(boot_id, flags, knows_wiring, watchdog, now_us)
        if not self._handle:
            raise MemoryError("no memory for a controller")
        self._bytes = ctypes.create_string_buffer(_ROOM)
        self._edges = (_Edge * _EDGES)()

    def __del__(self) -> None:
        handle, self._handle = getattr(self, "_handle", None), None
        if handle:
            self._lib.lw_free(handle)

    def advance(self, now_us: int) -> None:
        """Let time go on to a moment: everything that is due on the way happens at its own time."""
        self._lib.lw_advance(self._handle, now_us)

    def step(self, now_us: int) -> None:
        """Run one turn of a loop that may come late: what was due before happens now."""
        self._lib.lw_step(self._handle, now_us)

    def receive(self, now_us: int, data: bytes) -> None:
        """Hand over bytes that the serial line brought."""
        self._lib.lw_receive(self._handle, now_us, data, len(data))

    def transmit(self) -> bytes:
        """Take the bytes that the controller has to say, at most 8192 at a time."""
        size = self._lib.lw_transmit(self._handle, self._bytes, _ROOM)
        return ctypes.string_at(self._bytes, size)

    def trigger(self, now_us: int) -> None:
        """Let a part break the trigger's beam."""
        self._lib.lw_trigger(self._handle, now_us)

    def presence(self, now_us: int) -> None:
        """Let something come to the presence sensor before the ejector."""
        self._lib.lw_presence(self._handle, now_us)

    def ejected(self, now_us: int) -> None:
        """Let something come to the sensor behind the ejector."""
        self._lib.lw_ejected(self._handle, now_us)

    def bin(self, now_us: int, full: bool) -> None:
        """Set the level of the bin's sensor."""
        self._lib.lw_bin(self._handle, now_us, full)

    def move(self, now_us: int, count: int) -> None:
        """Let the belt move evenly to a count; what is due at a count on the way happens just there."""
        self._lib.lw_move(self._handle, now_us, count)

    def encoder(self, now_us: int, count: int) -> None:
        """Let the encoder be read: nothing is known of the counts in between."""
        self._lib.lw_encoder(self._handle, now_us, count)

    def next_wake_us(self) -> int | None:
        """Return when something is due by time; None for never."""
        wake_us: int = self._lib.lw_next_wake_us(self._handle)
        return None if wake_us == NEVER_US else wake_us

    def next_count(self) -> int | None:
        """Return at which count something is due; None for nowhere."""
        count: int = self._lib.lw_next_count(self._handle)
        return None if count == NOWHERE else count

    def switchings(self) -> list[Switching]:
        """Take the switchings of the outputs since the last call, oldest first."""
        taken: list[Switching] = []
        while True:
            size = self._lib.lw_edges(self._handle, self._edges, _EDGES)
            taken += [Switching(e.us, e.output, bool(e.active), bool(e.level)) for e in self._edges[:size]]
            if size < _EDGES:
                return taken

    @property
    def lost_switchings(self) -> int:
        """How many switchings found no room (65,536 are kept)."""
        return int(self._lib.lw_lost_edges(self._handle))

    @property
    def state(self) -> State:
        """The state of the controller."""
        return State(self._lib.lw_state(self._handle))

    @property
    def in_flight(self) -> int:
        """How many parts have no result yet."""
        return int(self._lib.lw_in_flight(self._handle))

    @property
    def flags(self) -> int:
        """The flags of the last CONFIG, which a board remembers over a reset."""
        return int(self._lib.lw_flags(self._handle))
