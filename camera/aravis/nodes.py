"""The GenICam features of one open device, read and written through Aravis by their names."""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Callable, Sequence
from ctypes import POINTER, byref, c_double, c_int64, c_uint
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, cast

from camera.aravis.binding import AravisError, GSList, Library, text_of
from camera.errors import CameraLostError, Cause, NodeError
from camera.genicam.nodes import Kind, Node, Value

# ArvDeviceError: what means that nobody answers or that control is gone, not that one feature is at fault.
_GONE = {2: "it is not connected", 4: "the transfer failed", 5: "it did not answer", 10: "control of it is lost"}
_KINDS: dict[str, Kind] = {
    "Integer": "integer",
    "IntReg": "integer",
    "MaskedIntReg": "integer",
    "StructEntry": "integer",
    "IntConverter": "integer",
    "IntSwissKnife": "integer",
    "Float": "float",
    "FloatReg": "float",
    "Converter": "float",
    "SwissKnife": "float",
    "Boolean": "boolean",
    "Enumeration": "enumeration",
    "String": "string",
    "StringReg": "string",
    "Command": "command",
}
_READ_ONLY, _WRITE_ONLY = 0, 1
Visibility = Literal["beginner", "expert", "guru", "invisible"]
_VISIBILITIES: dict[int, Visibility] = {0: "invisible", 1: "guru", 2: "expert"}

_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")


def _asks(
    method: Callable[Concatenate[AravisNodes, _Arguments], _Answer],
) -> Callable[Concatenate[AravisNodes, _Arguments], _Answer]:
    """Have `AravisNodes.end` wait for the method, and the method refuse what comes after `end`."""

    @functools.wraps(method)
    def asked(nodes: AravisNodes, /, *arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Answer:
        with nodes._changed:
            if nodes._ended:
                raise nodes._gone()
            nodes._in_flight += 1
        try:
            return method(nodes, *arguments, **named)
        finally:
            with nodes._changed:
                nodes._in_flight -= 1
                nodes._changed.notify_all()

    return asked


class AravisNodes:
    """The `Nodes` of one device, from any thread; a call to a dead device blocks for up to 2.5 s.

    The library computes features without a lock of its own, and a station triggers, looks at the clock and checks
    settings each in a thread: `asking` is held for each call, by whoever makes a stream, too.

    camera: its name in texts. device: the ArvDevice, owned by the camera and alive until `end` has returned. is_gone:
    says that the device is lost, so that nothing asks (and waits for) it any more.
    """

    def __init__(self, library: Library, device: int, camera: str, is_gone: Callable[[], bool]) -> None:
        self._library, self._device, self._camera, self._is_gone = library, device, camera, is_gone
        self._description = library.arv_device_get_genicam(device)
        self.asking = threading.Lock()
        self._changed = threading.Condition()
        self._in_flight = 0
        self._ended = False

    def end(self) -> None:
        """Refuse every further call, and wait for those of other threads: the device may be freed after that."""
        with self._changed:
            self._ended = True
            while self._in_flight:
                self._changed.wait()

    @_asks
    def names(self) -> Sequence[str]:
        """Return the names of all features below the root category, in the order of the device's description."""
        found: dict[str, None] = {}
        seen: dict[str, None] = {}
        self._walk("Root", found, seen)
        return list(found)

    @_asks
    def has(self, name: str) -> bool:
        """Return whether the feature is there and implemented."""
        if self._kind(name) is None:
            return False
        try:
            return bool(self._call(name, "arv_device_is_feature_implemented"))
        except NodeError:
            return False

    @_asks
    def node(self, name: str) -> Node:
        """Return what the feature is, may be and is now."""
        kind = self._known(name)
        library, at = self._library, self._at(name)
        access = self._access(at)
        available = self._flag(name, library.arv_gc_feature_node_is_available, at)
        locked = self._flag(name, library.arv_gc_feature_node_is_locked, at)
        readable = available and access != _WRITE_ONLY and kind not in ("command", "other")
        minimum, maximum, increment = self._limits(name, kind) if readable else (None, None, None)
        unit = {"integer": library.arv_gc_integer_get_unit, "float": library.arv_gc_float_get_unit}.get(kind)
        return Node(
            name=name,
            kind=kind,
            readable=readable,
            writable=available and not locked and access != _READ_ONLY and kind != "other",
            value=self._value_or_none(name) if readable else None,
            minimum=minimum,
            maximum=maximum,
            increment=increment,
            unit=text_of(unit(at)) if unit else "",
            entries=self._entries(name) if kind == "enumeration" and available else (),
            visibility=_VISIBILITIES.get(library.arv_gc_feature_node_get_visibility(at), "beginner"),
            description=text_of(library.arv_gc_feature_node_get_description(at)),
        )

    @_asks
    def get(self, name: str) -> Value:
        """Return the value; of an enumeration the name of the entry."""
        match self._known(name):
            case "integer":
                return int(self._call(name, "arv_device_get_integer_feature_value"))
            case "float":
                return float(self._call(name, "arv_device_get_float_feature_value"))
            case "boolean":
                return bool(self._call(name, "arv_device_get_boolean_feature_value"))
            case "enumeration" | "string":
                return text_of(self._call(name, "arv_device_get_string_feature_value"))
            case kind:
                raise self._wrong(f"{name} is a {kind} and has no value; execute it or name another feature")

    @_asks
    def set(self, name: str, value: Value) -> None:
        """Set the value; of an enumeration by the name of the entry."""
        kind = self._known(name)
        if kind in ("integer", "float") and isinstance(value, (int, float)):
            self._set_number(name, kind, value)
        elif kind == "boolean" and value in (0, 1):
            self._write(name, value, "arv_device_set_boolean_feature_value", int(value))
        elif kind == "enumeration" and isinstance(value, str):
            entries = self._entries(name)
            if value not in entries:
                raise self._wrong(f"{name} = {value!r} — one of {', '.join(entries)} — set it to one of them")
            self._write(name, value, "arv_device_set_string_feature_value", value.encode())
        elif kind == "string" and isinstance(value, str):
            self._write(name, value, "arv_device_set_string_feature_value", value.encode())
        else:
            raise self._wrong(f"{name} = {value!r} is not of its kind — {kind} — give it a value of that kind")

    @_asks
    def execute(self, name: str) -> None:
        """Execute a command, and return when the device has taken it."""
        kind = self._known(name)
        if kind != "command":
            raise self._wrong(f"{name} is a {kind} and cannot be executed — a command is needed — set it instead")
        self._call(name, "arv_device_execute_command")

    def _set_number(self, name: str, kind: Kind, value: float) -> None:
        if kind == "integer" and value != int(value):
            raise self._wrong(f"{name} = {value!r} — a whole number is needed — round it")
        minimum, maximum, _ = self._limits(name, kind)
        if (minimum is not None and value < minimum) or (maximum is not None and value > maximum):
            raise self._wrong(f"{name} = {value!r} — {minimum} to {maximum} at present — set it to one of these")
        typed_value = int(value) if kind == "integer" else float(value)
        self._write(name, value, f"arv_device_set_{kind}_feature_value", typed_value)

    def _write(self, name: str, value: Value, function: str, *arguments: Any) -> None:
        at = self._at(name)
        if self._access(at) == _READ_ONLY:
            raise self._wrong(f"{name} = {value!r}: it is read-only; leave it out")
        if self._flag(name, self._library.arv_gc_feature_node_is_locked, at):
            raise self._wrong(f"{name} = {value!r}: the device does not let it be written now; stop the camera first")
        self._call(name, function, *arguments)

    def _walk(self, name: str, found: dict[str, None], seen: dict[str, None]) -> None:
        at = self._at(name)
        if not at or name in seen:
            return
        seen[name] = None
        if not self._library.g_type_check_instance_is_a(at, self._library.arv_gc_category_get_type()):
            if name != "Root":
                found[name] = None
            return
        cell = self._library.arv_gc_category_get_features(at)
        while cell:
            self._walk(ctypes.string_at(cell.contents.data).decode(), found, seen)
            cell = ctypes.cast(cell.contents.next, POINTER(GSList)) if cell.contents.next else None

    def _at(self, name: str) -> int | None:
        if self._ended or self._is_gone():
            raise self._gone()
        return cast("int | None", self._library.arv_gc_get_node(self._description, name.encode()))

    def _kind(self, name: str) -> Kind | None:
        """Return the kind of feature; None where there is none of this name (or it is a category)."""
        at = self._at(name)
        library = self._library
        if not at or not library.g_type_check_instance_is_a(at, library.arv_gc_feature_node_get_type()):
            return None
        element = text_of(library.arv_dom_node_get_node_name(at))
        return None if element == "Category" else _KINDS.get(element, "other")

    def _known(self, name: str) -> Kind:
        kind = self._kind(name)
        if kind is None:
            raise self._wrong(f"the device has no feature {name}; `lineward cameras show` lists those that it has")
        return kind

    def _limits(self, name: str, kind: Kind) -> tuple[Any, Any, Any]:
        """Return minimum, maximum and increment, each None where the device does not say (or means no limit)."""
        if kind not in ("integer", "float"):
            return None, None, None
        low, high = (c_int64(), c_int64()) if kind == "integer" else (c_double(), c_double())
        try:
            self._call(name, f"arv_device_get_{kind}_feature_bounds", byref(low), byref(high))
        except NodeError:
            return None, None, None
        try:
            step = self._call(name, f"arv_device_get_{kind}_feature_increment")
        except NodeError:
            step = None
        unlimited = 2**63 - 1 if kind == "integer" else 1e300
        return (
            low.value if -unlimited < low.value else None,
            high.value if high.value < unlimited else None,
            step if step and (kind == "integer" or step > 1e-300) else None,
        )

    def _entries(self, name: str) -> tuple[str, ...]:
        count = c_uint()
        function = "arv_device_dup_available_enumeration_feature_values_as_strings"
        listed = self._call(name, function, byref(count))
        if not listed:
            return ()
        try:
            texts = ctypes.cast(listed, POINTER(ctypes.c_char_p))
            return tuple(text_of(texts[place]) for place in range(count.value))
        finally:
            self._library.g_free(listed)

    def _value_or_none(self, name: str) -> Value | None:
        try:
            return self.get(name)
        except NodeError:
            return None

    def _access(self, at: int | None) -> int:
        with self.asking:
            return int(self._library.arv_gc_feature_node_get_actual_access_mode(at))

    def _flag(self, name: str, function: Callable[..., Any], at: int | None) -> bool:
        try:
            with self.asking:
                return bool(function(at))
        except AravisError as error:
            raise self._meaning(name, error) from error

    def _call(self, name: str, function: str, *arguments: Any) -> Any:
        try:
            with self.asking:
                return getattr(self._library, function)(self._device, name.encode(), *arguments)
        except AravisError as error:
            raise self._meaning(name, error) from error

    def _gone(self) -> CameraLostError:
        return CameraLostError(f"camera '{self._camera}': it is gone; close it and open it again", Cause.CONTROL_LOST)

    def _meaning(self, name: str, error: AravisError) -> NodeError | CameraLostError:
        if error.family == "device" and error.code in _GONE:
            return CameraLostError(
                f"camera '{self._camera}': {_GONE[error.code]} when {name} was asked for ({error}); check its cable, "
                "power and address",
                Cause.CONTROL_LOST,
            )
        return self._wrong(f"{name}: {error}; look at what it allows with `lineward cameras show`")

    def _wrong(self, text: str) -> NodeError:
        return NodeError(f"camera '{self._camera}': {text}", Cause.REFUSED)
