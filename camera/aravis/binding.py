"""The functions of libaravis-0.8 and GObject that the driver calls, declared for ctypes and loaded when first asked."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from ctypes import POINTER, c_char_p, c_double, c_int, c_int64, c_size_t, c_uint, c_uint64, c_ulong, c_void_p
from typing import Any

from camera.errors import CameraError, CameraOpenError, Cause

INSTALL = "apt install libaravis-0.8-0"


class GError(ctypes.Structure):
    """GLib's error: which family, which one of it, and its text."""

    _fields_ = (("domain", ctypes.c_uint32), ("code", c_int), ("message", c_char_p))


class GSList(ctypes.Structure):
    """GLib's singly linked list; `next` is the address of the next cell, or None."""

    _fields_ = (("data", c_void_p), ("next", c_void_p))


class AravisError(CameraError):
    """A call of the library failed. family: "device", "gc" (its description), or "" for any other; code: within it."""

    def __init__(self, text: str, family: str = "", code: int = -1) -> None:
        super().__init__(text)
        self.family, self.code = family, code


_FAILS = True  # the function's last argument is a GError**
_ARAVIS: dict[str, tuple[Any, tuple[Any, ...], bool]] = {
    "arv_update_device_list": (None, (), False),
    "arv_get_n_devices": (c_uint, (), False),
    "arv_get_device_id": (c_char_p, (c_uint,), False),
    "arv_get_device_address": (c_char_p, (c_uint,), False),
    "arv_get_device_vendor": (c_char_p, (c_uint,), False),
    "arv_get_device_model": (c_char_p, (c_uint,), False),
    "arv_get_device_serial_nbr": (c_char_p, (c_uint,), False),
    "arv_get_device_protocol": (c_char_p, (c_uint,), False),
    "arv_open_device": (c_void_p, (c_char_p,), _FAILS),
    "arv_device_error_quark": (ctypes.c_uint32, (), False),
    "arv_gc_error_quark": (ctypes.c_uint32, (), False),
    "arv_device_read_memory": (c_int, (c_void_p, c_uint64, ctypes.c_uint32, c_void_p), _FAILS),
    "arv_device_create_chunk_parser": (c_void_p, (c_void_p,), False),
    "arv_chunk_parser_get_integer_value": (c_int64, (c_void_p, c_void_p, c_char_p), _FAILS),
    "arv_chunk_parser_get_float_value": (c_double, (c_void_p, c_void_p, c_char_p), _FAILS),
    "arv_device_create_stream": (c_void_p, (c_void_p, c_void_p, c_void_p), _FAILS),
    "arv_device_get_genicam": (c_void_p, (c_void_p,), False),
    "arv_device_is_feature_implemented": (c_int, (c_void_p, c_char_p), _FAILS),
    "arv_device_execute_command": (None, (c_void_p, c_char_p), _FAILS),
    "arv_device_get_boolean_feature_value": (c_int, (c_void_p, c_char_p), _FAILS),
    "arv_device_set_boolean_feature_value": (None, (c_void_p, c_char_p, c_int), _FAILS),
    "arv_device_get_string_feature_value": (c_char_p, (c_void_p, c_char_p), _FAILS),
    "arv_device_set_string_feature_value": (None, (c_void_p, c_char_p, c_char_p), _FAILS),
    "arv_device_get_integer_feature_value": (c_int64, (c_void_p, c_char_p), _FAILS),
    "arv_device_set_integer_feature_value": (None, (c_void_p, c_char_p, c_int64), _FAILS),
    "arv_device_get_integer_feature_bounds": (None, (c_void_p, c_char_p, POINTER(c_int64), POINTER(c_int64)), _FAILS),
    "arv_device_get_integer_feature_increment": (c_int64, (c_void_p, c_char_p), _FAILS),
    "arv_device_get_float_feature_value": (c_double, (c_void_p, c_char_p), _FAILS),
    "arv_device_set_float_feature_value": (None, (c_void_p, c_char_p, c_double), _FAILS),
    "arv_device_get_float_feature_bounds": (None, (c_void_p, c_char_p, POINTER(c_double), POINTER(c_double)), _FAILS),
    "arv_device_get_float_feature_increment": (c_double, (c_void_p, c_char_p), _FAILS),
    "arv_device_dup_available_enumeration_feature_values_as_strings": (
        c_void_p,
        (c_void_p, c_char_p, POINTER(c_uint)),
        _FAILS,
    ),
    "arv_gv_device_get_type": (c_size_t, (), False),
    "arv_gv_device_is_controller": (c_int, (c_void_p,), False),
    "arv_gv_device_auto_packet_size": (c_uint, (c_void_p,), _FAILS),
    "arv_gv_device_set_packet_size": (None, (c_void_p, c_int), _FAILS),
    "arv_gv_device_get_packet_size": (c_uint, (c_void_p,), _FAILS),
    "arv_gv_device_set_packet_size_adjustment": (None, (c_void_p, c_int), False),
    "arv_gv_device_set_stream_options": (None, (c_void_p, c_int), False),
    "arv_gv_device_get_interface_address": (c_void_p, (c_void_p,), False),
    "arv_gc_get_node": (c_void_p, (c_void_p, c_char_p), False),
    "arv_gc_category_get_features": (POINTER(GSList), (c_void_p,), False),
    "arv_gc_category_get_type": (c_size_t, (), False),
    "arv_gc_feature_node_get_type": (c_size_t, (), False),
    "arv_gc_feature_node_get_actual_access_mode": (c_int, (c_void_p,), False),
    "arv_gc_feature_node_get_visibility": (c_int, (c_void_p,), False),
    "arv_gc_feature_node_get_description": (c_char_p, (c_void_p,), False),
    "arv_gc_feature_node_is_available": (c_int, (c_void_p,), _FAILS),
    "arv_gc_feature_node_is_locked": (c_int, (c_void_p,), _FAILS),
    "arv_gc_integer_get_unit": (c_char_p, (c_void_p,), False),
    "arv_gc_float_get_unit": (c_char_p, (c_void_p,), False),
    "arv_dom_node_get_node_name": (c_char_p, (c_void_p,), False),
    "arv_stream_push_buffer": (None, (c_void_p, c_void_p), False),
    "arv_stream_try_pop_buffer": (c_void_p, (c_void_p,), False),
    "arv_stream_timeout_pop_buffer": (c_void_p, (c_void_p, c_uint64), False),
    "arv_gv_stream_get_port": (ctypes.c_uint16, (c_void_p,), False),
    "arv_stream_get_info_uint64_by_name": (c_uint64, (c_void_p, c_char_p), False),
    "arv_buffer_new": (c_void_p, (c_size_t, c_void_p), False),
    "arv_buffer_get_status": (c_int, (c_void_p,), False),
    "arv_buffer_get_payload_type": (c_int, (c_void_p,), False),
    "arv_buffer_get_frame_id": (c_uint64, (c_void_p,), False),
    "arv_buffer_set_frame_id": (None, (c_void_p, c_uint64), False),
    "arv_buffer_get_timestamp": (c_uint64, (c_void_p,), False),
    "arv_buffer_set_timestamp": (None, (c_void_p, c_uint64), False),
    "arv_buffer_get_data": (c_void_p, (c_void_p, POINTER(c_size_t)), False),
    "arv_buffer_get_image_width": (c_int, (c_void_p,), False),
    "arv_buffer_get_image_height": (c_int, (c_void_p,), False),
    "arv_buffer_get_image_pixel_format": (ctypes.c_uint32, (c_void_p,), False),
    "arv_buffer_get_image_padding": (None, (c_void_p, POINTER(c_int), POINTER(c_int)), False),
}
_GOBJECT: dict[str, tuple[Any, tuple[Any, ...], bool]] = {
    "g_object_unref": (None, (c_void_p,), False),
    "g_type_check_instance_is_a": (c_int, (c_void_p, c_size_t), False),
    "g_signal_connect_data": (c_ulong, (c_void_p, c_char_p, c_void_p, c_void_p, c_void_p, c_int), False),
    "g_signal_handler_disconnect": (None, (c_void_p, c_ulong), False),
}
_GLIB: dict[str, tuple[Any, tuple[Any, ...], bool]] = {
    "g_free": (None, (c_void_p,), False),
    "g_error_free": (None, (POINTER(GError),), False),
}
_GIO: dict[str, tuple[Any, tuple[Any, ...], bool]] = {
    "g_inet_socket_address_get_address": (c_void_p, (c_void_p,), False),
    "g_inet_address_to_string": (c_void_p, (c_void_p,), False),
}
_SONAMES = ("libaravis-0.8.so.0", "libgobject-2.0.so.0", "libglib-2.0.so.0", "libgio-2.0.so.0")
_SWAPPED = 2  # G_CONNECT_SWAPPED: the handler is called with its own data first


class Library:
    """The bound functions, by their C names: a call that fails raises AravisError. From any thread."""

    def __init__(self) -> None:
        """Load the libraries. Raises OSError where one is missing, AttributeError where it is another version."""
        loaded = [ctypes.CDLL(name) for name in _SONAMES]
        self._glib = loaded[2]
        for library, table in zip(loaded, (_ARAVIS, _GOBJECT, _GLIB, _GIO), strict=True):
            for name, (result, arguments, fails) in table.items():
                function = getattr(library, name)
                function.restype = result
                function.argtypes = [*arguments, POINTER(POINTER(GError))] if fails else list(arguments)
                setattr(self, name, self._raising(function) if fails else function)
        self._set = loaded[1].g_object_set  # variadic: its arguments are converted at each call
        self._increase = ctypes.cast(self._glib.g_atomic_int_inc, c_void_p)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        raise AttributeError(f"{name} is not declared in {__name__}")

    def _raising(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            error = POINTER(GError)()
            result = function(*arguments, ctypes.byref(error))
            if error:
                self._raise(error)
            return result

        return call

    def _raise(self, error: Any) -> None:
        domain, code, message = error.contents.domain, error.contents.code, error.contents.message
        self.g_error_free(error)
        families = {self.arv_device_error_quark(): "device", self.arv_gc_error_quark(): "gc"}
        raise AravisError((message or b"no reason was given").decode(errors="replace"), families.get(domain, ""), code)

    def set_property(self, instance: int, name: str, value: int | float) -> None:
        """Set an object's property of type int, uint, enumeration, boolean or double."""
        typed = c_double(value) if isinstance(value, float) else c_int(value)
        self._set(c_void_p(instance), c_char_p(name.encode()), typed, c_void_p(None))

    def count_signal(self, instance: int, signal: str, counter: c_int) -> int:
        """Let each emission of a signal increase `counter` by one; return the handler's number.

        The library emits it on a thread of its own: the handler is a function of GLib, so that no Python runs there.
        `counter` must live until the handler is disconnected.
        """
        data = ctypes.cast(ctypes.byref(counter), c_void_p)
        return int(self.g_signal_connect_data(instance, signal.encode(), self._increase, data, None, _SWAPPED))

    def inet_address(self, socket_address: int | None) -> str:
        """Return the address of a GInetSocketAddress, as people write it; '' for none."""
        if not socket_address:
            return ""
        text = self.g_inet_address_to_string(self.g_inet_socket_address_get_address(socket_address))
        try:
            return (ctypes.string_at(text) or b"").decode()
        finally:
            self.g_free(text)


@functools.cache
def library() -> Library:
    """Return the library, loaded at the first call. Raises CameraOpenError where it is not installed."""
    try:
        return Library()
    except (OSError, AttributeError) as error:
        raise CameraOpenError(
            f"libaravis cannot be loaded ({error}); GigE Vision and USB3 Vision cameras need version 0.8.20 or newer; "
            f"install it with: {INSTALL}",
            Cause.INSTALLATION,
        ) from error


def text_of(value: bytes | None) -> str:
    """Return what the library gave as text, '' for none."""
    return "" if value is None else value.decode(errors="replace")
