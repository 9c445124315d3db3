"""The bare loop of Aravis, `python -m inspection.bench.cameras.bare_aravis JSON`: pops, reads the status, gives back.

Settings that lose nothing where anything loses nothing: the largest packets, and the largest socket buffer that the
kernel grants.
"""

from __future__ import annotations

import ctypes
import json
import sys
import time
from pathlib import Path
from typing import Any

from camera.aravis.binding import library
from inspection.bench.cameras.tally import WARM_UP_S, Ring, Tally

_BUFFERS = 20
_PACKET_BYTES = 9000
_FIXED, _NO_PACKET_SOCKET = 0, 1
_IDS = 0xFFFF  # 16-bit numbers that never are 0


def main(asked: dict[str, Any]) -> dict[str, Any]:
    """Open the camera, receive for so long, and return what came; `hold`: tell that it is held, until the pipe ends."""
    sdk = library()
    sdk.arv_update_device_list()
    device = sdk.arv_open_device(_id_of(sdk, asked["device"]))
    for name, value in (("Width", asked["width"]), ("Height", asked["height"])):
        sdk.arv_device_set_integer_feature_value(device, name.encode(), value)
    sdk.arv_device_set_string_feature_value(device, b"PixelFormat", b"Mono8")
    sdk.arv_device_set_string_feature_value(device, b"TriggerMode", b"Off")
    sdk.arv_device_set_float_feature_value(device, b"ExposureTime", 500.0)
    sdk.arv_device_set_float_feature_value(device, b"AcquisitionFrameRate", float(asked["rate_hz"]))
    sdk.arv_gv_device_set_packet_size(device, _PACKET_BYTES)
    sdk.arv_gv_device_set_stream_options(device, _NO_PACKET_SOCKET)
    stream = sdk.arv_device_create_stream(device, None, None)
    sdk.set_property(stream, "socket-buffer", _FIXED)
    sdk.set_property(stream, "socket-buffer-size", int(Path("/proc/sys/net/core/rmem_max").read_text()))
    size = asked["width"] * asked["height"]
    for _ in range(_BUFFERS):
        sdk.arv_stream_push_buffer(stream, sdk.arv_buffer_new(size, None))
    sdk.arv_device_execute_command(device, b"AcquisitionStart")
    if asked.get("hold"):
        print("held", flush=True)
        sys.stdin.read()
        result = {}
    else:
        result = _receive(sdk, stream, asked)
    sdk.arv_device_execute_command(device, b"AcquisitionStop")
    sdk.g_object_unref(stream)
    sdk.g_object_unref(device)
    return result


def _id_of(sdk: Any, serial: str) -> bytes:
    for place in range(sdk.arv_get_n_devices()):
        if (sdk.arv_get_device_serial_nbr(place) or b"").decode() == serial:
            found: bytes = sdk.arv_get_device_id(place)
            return found
    raise SystemExit(f"no camera {serial} is on this network")


def _receive(sdk: Any, stream: int, asked: dict[str, Any]) -> dict[str, Any]:
    tally = Tally(asked.get("offset_ns"))
    ring = Ring(asked["width"] * asked["height"]) if asked.get("copies") else None
    until_s = time.monotonic() + WARM_UP_S + asked["seconds"]
    last = None
    while time.monotonic() < until_s:
        buffer = sdk.arv_stream_timeout_pop_buffer(stream, ctypes.c_uint64(500_000))
        if not buffer:
            continue
        number = sdk.arv_buffer_get_frame_id(buffer)
        lost = 0 if last is None else (number - last - 1) % _IDS
        last = number
        if sdk.arv_buffer_get_status(buffer) == 0:
            if ring is not None:
                ring.copy(sdk.arv_buffer_get_data(buffer, ctypes.byref(ctypes.c_size_t())))
            tally.frame(sdk.arv_buffer_get_timestamp(buffer), lost)
        else:
            tally.broke(0)
        sdk.arv_stream_push_buffer(stream, buffer)
    return tally.result()


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
