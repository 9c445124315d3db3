"""A GigE Vision camera without hardware, in a process of its own: `python -m camera.aravis.fake --serial CAM1`.

It speaks the real protocols over UDP and shows a numbered test picture, or images of a folder. Commands on its
standard input: `trigger` (as a wired photo-eye would), `lose N` (of 1000 packets), `expose N` (µs from now on, whatever
was written: a device that forgets), `exit`. One line on its standard output once it runs. It needs libaravis-0.8.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import os
import select
import signal
import socket
import stat
import struct
import sys
import tempfile
import time
from collections.abc import Sequence
from ctypes import POINTER, byref, c_char_p, c_double, c_int, c_uint32, c_void_p
from pathlib import Path

import cv2

from camera.aravis import fake_description as at
from camera.aravis.fake_pictures import Pictures
from camera.aravis.gvcp import PORT
from camera.frame import Pixels
from camera.genicam.pfnc import name_of

_SOFTWARE = 1  # of the register of the trigger's source
_POLL_HZ = 500.0  # how often the camera looks whether a trigger came
_TICK_S = 0.002  # how often its clock register moves; far less than an exposure
_CLOCK_BEGINS_NS = 1_000_000_000
_FILL = ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_uint32, c_uint32, c_uint32)
_FUNCTIONS = {
    "arv_gv_fake_camera_new_full": (c_void_p, (c_char_p, c_char_p, c_char_p)),
    "arv_gv_fake_camera_is_running": (c_int, (c_void_p,)),
    "arv_gv_fake_camera_get_fake_camera": (c_void_p, (c_void_p,)),
    "arv_fake_camera_set_fill_pattern": (None, (c_void_p, _FILL, c_void_p)),
    "arv_fake_camera_set_trigger_frequency": (None, (c_void_p, c_double)),
    "arv_fake_camera_write_register": (c_int, (c_void_p, c_uint32, c_uint32)),
    "arv_fake_camera_read_register": (c_int, (c_void_p, c_uint32, POINTER(c_uint32))),
    "arv_fake_camera_write_memory": (c_int, (c_void_p, c_uint32, c_uint32, c_char_p)),
    "arv_buffer_get_image_width": (c_int, (c_void_p,)),
    "arv_buffer_get_image_height": (c_int, (c_void_p,)),
    "arv_buffer_get_data": (c_void_p, (c_void_p, c_void_p)),
    "arv_buffer_set_timestamp": (None, (c_void_p, ctypes.c_uint64)),
}


class FakeCamera:
    """One camera on one address; made and commanded by the main thread, pictures are drawn on one of Aravis."""

    def __init__(self, interface: str, serial: str, size: tuple[int, int], pictures: Pictures) -> None:
        """Begin to answer. Raises OSError where the address is none of this host's or has a camera already."""
        self._aravis = ctypes.CDLL("libaravis-0.8.so.0")
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(self._aravis, name)
            function.restype, function.argtypes = result, list(arguments)
        self._pictures, self._drawn, self._began_ns = pictures, 0, time.monotonic_ns()
        taken = _is_taken(interface)
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as description:
            description.write(at.description())
            description.flush()
            self._camera = self._aravis.arv_gv_fake_camera_new_full(
                interface.encode(), serial.encode(), description.name.encode()
            )
        if taken or not self._aravis.arv_gv_fake_camera_is_running(self._camera):
            raise OSError(
                f"no camera can run at {interface}: an address of this host is needed that has none yet — look with "
                "`ip address` and `ss -lunp sport = 3956`"
            )
        self._inner = self._aravis.arv_gv_fake_camera_get_fake_camera(self._camera)
        self._fill = _FILL(self._draw)  # kept: the library calls it for as long as it runs
        self._aravis.arv_fake_camera_set_fill_pattern(self._inner, self._fill, None)
        self._aravis.arv_fake_camera_set_trigger_frequency(self._inner, _POLL_HZ)
        width, height = size
        for address, value in (
            (at.WIDTH, width),
            (at.HEIGHT, height),
            (at.SENSOR_WIDTH, max(2048, width)),
            (at.SENSOR_HEIGHT, max(2048, height)),
            (at.GAIN_AUTO, 0),
        ):
            self._write(address, value)

    def name(self, user_name: str) -> None:
        """Give the camera a user name of up to 15 characters."""
        text = user_name.encode()[: at.USER_NAME_SIZE - 1].ljust(at.USER_NAME_SIZE, b"\0")
        self._aravis.arv_fake_camera_write_memory(self._inner, at.USER_NAME, len(text), text)

    def lose(self, per_mille: float) -> None:
        """Lose so many of 1000 packets from now on."""
        gobject = ctypes.CDLL("libgobject-2.0.so.0")
        ratio = c_double(per_mille / 1000)
        gobject.g_object_set(c_void_p(self._camera), c_char_p(b"gvsp-lost-ratio"), ratio, c_void_p(None))

    def expose(self, exposure_us: int) -> None:
        """Expose for another time from now on, as a device does that was set by hand or has forgotten."""
        self._write(at.EXPOSURE_US, exposure_us)

    def trigger(self) -> bool:
        """Expose once, as at an edge on its line; return whether it did: it may not wait for one, or not acquire."""
        source = self._read(at.TRIGGER_SOURCE)
        if not self._read(at.TRIGGER_MODE) or not self._read(at.ACQUISITION):
            return False
        self._write(at.TRIGGER_SOURCE, _SOFTWARE)  # the only source that the library acts on, for a moment
        self._write(at.TRIGGER_SOFTWARE, 1)
        until = time.monotonic() + 1.0
        while self._read(at.TRIGGER_SOFTWARE) and time.monotonic() < until:
            time.sleep(1 / _POLL_HZ)
        taken = not self._read(at.TRIGGER_SOFTWARE)
        self._write(at.TRIGGER_SOFTWARE, 0)
        self._write(at.TRIGGER_SOURCE, source)
        return taken

    def tick(self) -> None:
        """Let its clock show the time, and forget a trigger that came while it acquires nothing."""
        if not self._read(at.ACQUISITION):
            self._write(at.TRIGGER_SOFTWARE, 0)
        self._aravis.arv_fake_camera_write_memory(self._inner, at.CLOCK_NS, 8, struct.pack(">Q", self._now_ns()))

    def _draw(self, buffer: int, _data: int | None, exposure_us: int, _gain: int, code: int) -> None:
        """Put the next picture into the buffer, stamped with the begin of its exposure.

        A triggered one takes as long as its exposure; the library answers nothing meanwhile.
        """
        if self._read(at.TRIGGER_MODE):
            time.sleep(exposure_us * 1e-6)
        exposed_ns = max(1, self._now_ns() - 1000 * exposure_us)
        self._drawn += 1
        width = self._aravis.arv_buffer_get_image_width(buffer)
        height = self._aravis.arv_buffer_get_image_height(buffer)
        region = (self._read(at.OFFSET_X), self._read(at.OFFSET_Y), width, height)
        picture = self._pictures.picture(self._drawn, name_of(code), region)
        self._aravis.arv_buffer_set_timestamp(buffer, exposed_ns)
        ctypes.memmove(self._aravis.arv_buffer_get_data(buffer, None), picture.ctypes.data, picture.nbytes)

    def _now_ns(self) -> int:
        return time.monotonic_ns() - self._began_ns + _CLOCK_BEGINS_NS

    def _write(self, address: int, value: int) -> None:
        self._aravis.arv_fake_camera_write_register(self._inner, address, value)

    def _read(self, address: int) -> int:
        value = c_uint32()
        self._aravis.arv_fake_camera_read_register(self._inner, address, byref(value))
        return value.value


def _is_taken(interface: str) -> bool:
    """Tell whether a camera runs at this address; the library would share it, and mix the two up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((interface, PORT))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def _images(folder: Path) -> list[Pixels]:
    """Return the images of a folder in the order of the numbers in their names, as RGB."""
    names = sorted(folder.iterdir(), key=lambda file: (len(file.name), file.name))
    read = [cv2.imread(str(file), cv2.IMREAD_COLOR_RGB) for file in names if file.is_file()]
    return [image for image in read if image is not None]  # type: ignore[misc]


def _size(text: str) -> tuple[int, int]:
    width, height = (int(part) for part in text.lower().split("x"))
    least, most = at.LEAST_SIZE, at.MOST_SIZE
    if not (least[0] <= width <= most[0] and least[1] <= height <= most[1]) or width % 4 or height % 2:
        raise argparse.ArgumentTypeError(f"{text}: {least[0]}x{least[1]} to {most[0]}x{most[1]}, in steps of 4 and 2")
    return width, height


def _obey(camera: FakeCamera) -> None:
    """Take commands from the standard input, a line each, until `exit`; the end of a pipe is one, too."""
    inlet = sys.stdin.fileno()
    is_pipe = stat.S_ISFIFO(os.fstat(inlet).st_mode) or stat.S_ISSOCK(os.fstat(inlet).st_mode)
    listened = [inlet] if is_pipe or os.isatty(inlet) else []
    rest = b""
    while True:
        camera.tick()
        if not select.select(listened, [], [], _TICK_S)[0]:
            continue
        received = os.read(inlet, 4096)
        if not received:
            return
        *lines, rest = (rest + received).split(b"\n")
        for line in lines:
            match line.decode(errors="replace").split():
                case ["trigger"]:
                    print("exposed" if camera.trigger() else "not exposed: it waits for no trigger now", flush=True)
                case ["lose", per_mille] if per_mille.replace(".", "", 1).isdigit():
                    camera.lose(float(per_mille))
                    print(f"loses {per_mille} of 1000 packets", flush=True)
                case ["expose", exposure_us] if exposure_us.isdecimal():
                    camera.expose(int(exposure_us))
                    print(f"exposes for {exposure_us} µs", flush=True)
                case ["exit"]:
                    return
                case _:
                    print("known are: trigger, lose N, expose N, exit", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one camera until it is told to end; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m camera.aravis.fake", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--serial", required=True, help="serial number, up to 15 characters")
    parser.add_argument("--interface", default="127.0.0.1", help="one of this computer's addresses, or a port's name")
    parser.add_argument("--images", type=Path, help="a folder of images to show in turn; absent: numbered pictures")
    parser.add_argument("--lose-packets", type=float, default=0.0, metavar="N", help="of 1000 packets")
    parser.add_argument("--size", type=_size, default=(512, 512), metavar="WxH", help="picture at the start")
    parser.add_argument("--user-name", default="", help="a name that a user would give it")
    chosen = parser.parse_args(arguments)
    images = _images(chosen.images) if chosen.images else []
    if chosen.images and not images:
        print(f"{chosen.images}: no image that can be read is in this folder; name another", file=sys.stderr)
        return 2
    try:
        camera = FakeCamera(chosen.interface, chosen.serial, chosen.size, Pictures(images))
    except OSError as error:
        print(f"{error}", file=sys.stderr)
        return 1
    camera.name(chosen.user_name)
    camera.lose(chosen.lose_packets)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    print(f"ready: camera {chosen.serial} at {chosen.interface}", flush=True)
    _obey(camera)
    sys.stdout.flush()
    os._exit(0)  # the library's thread draws pictures through Python for as long as the process lives


if __name__ == "__main__":
    sys.exit(main())
