"""GenTL producers: where they are, what they see, and a device of one opened."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from ctypes import byref, c_uint8
from dataclasses import dataclass
from pathlib import Path

from camera.device import Device
from camera.errors import CameraOpenError, Cause
from camera.gentl.binding import EXCLUSIVE, Binding, Code, DeviceInfo, GentlError, Handle

ENVIRONMENT = "GENICAM_GENTL64_PATH"
_UPDATE_MS = 1_000
_FREE = 1  # DEVICE_ACCESS_STATUS of GenTL
_HELD = (3, 4, 5, 6)

_producers: dict[str, Producer] = {}
_lock = threading.RLock()


@dataclass(frozen=True, slots=True)
class Seen:
    """A device as a producer sees it, and the way to it."""

    producer: str
    interface: str
    id: str
    vendor: str
    model: str
    serial: str
    user_name: str
    status: int

    def as_device(self) -> Device:
        """Return it as what discovery shows."""
        held = self.status in _HELD
        return Device(
            backend="genicam",
            id=self.id,
            vendor=self.vendor,
            model=self.model,
            serial=self.serial,
            user_name=self.user_name,
            state="held" if held else "free" if self.status == _FREE else "unknown",
            hint="another program, or another camera of this one, holds it; end that" if held else "",
        )


class Producer:
    """One loaded producer with its interfaces, shared by all cameras of the process that use it.

    GenTL allows to open the system and each interface once in a process. The last one to let go closes all.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.users = 0
        try:
            self.binding = Binding(path)
        except (OSError, AttributeError) as error:
            raise CameraOpenError(
                f"GenTL producer {path!r} cannot be loaded ({error}); install the vendor's package, or name its .cti "
                "file in `producer`",
                Cause.INSTALLATION,
            ) from error
        self._system = Handle()
        self._interfaces: dict[str, Handle] = {}

    def open(self) -> None:
        """Open the producer's system. Raises GentlError."""
        try:
            self.binding.call("GCInitLib")
        except GentlError as error:
            if error.code != Code.RESOURCE_IN_USE:  # somebody else in this process has begun already
                raise
        self._system = self.binding.opened("TLOpen")

    def close(self) -> None:
        """Close the interfaces and the system; what the producer says about it is of no use any more."""
        for interface in self._interfaces.values():
            _quietly(self.binding, "IFClose", interface)
        self._interfaces.clear()
        _quietly(self.binding, "TLClose", self._system)
        _quietly(self.binding, "GCCloseLib")

    def devices(self) -> list[Seen]:
        """Return what is connected now. Raises GentlError."""
        binding = self.binding
        binding.call("TLUpdateInterfaceList", self._system, byref(c_uint8()), _UPDATE_MS)
        found: list[Seen] = []
        for place in range(binding.number("TLGetNumInterfaces", self._system)):
            name = binding.text("TLGetInterfaceID", self._system, place)
            interface = self.interface(name)
            binding.call("IFUpdateDeviceList", interface, byref(c_uint8()), _UPDATE_MS)
            count = binding.number("IFGetNumDevices", interface)
            found += [self._seen(name, binding.text("IFGetDeviceID", interface, index)) for index in range(count)]
        return found

    def open_device(self, seen: Seen) -> Handle:
        """Open a device for nobody else. Raises GentlError."""
        return self.binding.opened("IFOpenDevice", self.interface(seen.interface), seen.id.encode(), EXCLUSIVE)

    def interface(self, name: str) -> Handle:
        """Return an interface, opened when it is first asked for. Raises GentlError."""
        handle = self._interfaces.get(name)
        if handle is None:
            handle = self._interfaces[name] = self.binding.opened("TLOpenInterface", self._system, name.encode())
        return handle

    def _seen(self, interface: str, device: str) -> Seen:
        def text(what: DeviceInfo) -> str:
            value = self.binding.info("IFGetDeviceInfo", self.interface(interface), device.encode(), what)
            return value if isinstance(value, str) else ""

        return Seen(
            producer=self.path,
            interface=interface,
            id=device,
            vendor=text(DeviceInfo.VENDOR),
            model=text(DeviceInfo.MODEL),
            serial=text(DeviceInfo.SERIAL_NUMBER),
            user_name=text(DeviceInfo.USER_DEFINED_NAME),
            status=self.binding.integer(
                "IFGetDeviceInfo", self.interface(interface), device.encode(), DeviceInfo.ACCESS_STATUS
            )
            or 0,
        )


def claim(path: str) -> Producer:
    """Return the opened producer of a file; each claim needs a `release`. Raises CameraOpenError."""
    with _lock:
        producer = _producers.get(path)
        if producer is None:
            producer = Producer(path)
            try:
                producer.open()
            except GentlError as error:
                raise CameraOpenError(
                    f"GenTL producer {path!r} does not start ({error}); install the vendor's package anew",
                    Cause.INSTALLATION,
                ) from error
            _producers[path] = producer
        producer.users += 1
        return producer


def devices_of(producer: Producer) -> list[Seen]:
    """Return what a claimed producer sees now; one thread of the process at a time. Raises GentlError."""
    with _lock:
        return producer.devices()


def release(producer: Producer) -> None:
    """Let go of a producer that was claimed."""
    with _lock:
        producer.users -= 1
        if producer.users == 0:
            del _producers[producer.path]
            producer.close()


def producer_files(named: str) -> list[str]:
    """Return the producers to look at: the named file, the .cti files of the named folder, or the system's.

    The system's are those in the folders of GENICAM_GENTL64_PATH (GenTL 1.6, 2.3).
    """
    folders = [named] if named else os.environ.get(ENVIRONMENT, "").split(os.pathsep)
    files: list[str] = []
    for folder in (Path(folder).expanduser() for folder in folders if folder):
        files += sorted(str(file.resolve()) for file in folder.glob("*.cti")) if folder.is_dir() else [str(folder)]
    return list(dict.fromkeys(files))


def all_devices(named: str = "") -> list[Seen]:
    """Return the devices of all producers; one that does not load or does not answer has none."""
    found: list[Seen] = []
    for file in producer_files(named):
        try:
            producer = claim(file)
        except CameraOpenError:
            continue
        try:
            found += devices_of(producer)
        except GentlError:
            pass
        finally:
            release(producer)
    return found


def _quietly(binding: Binding, name: str, *arguments: object) -> None:
    with suppress(GentlError):
        binding.call(name, *arguments)
