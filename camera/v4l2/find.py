"""Which cameras the kernel knows: its own list (sysfs), and what each node says of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from camera.choice import the_one
from camera.device import Device
from camera.errors import CameraOpenError, Cause
from camera.v4l2 import abi
from camera.v4l2.node import VideoNode

SYSFS = Path("/sys/class/video4linux")
DEV = Path("/dev")


@dataclass(frozen=True, slots=True)
class _Usb:
    vendor: str = ""
    product: str = ""
    serial: str = ""


def devices(sysfs: Path = SYSFS, dev: Path = DEV) -> list[Device]:
    """Return every node that takes pictures; nodes of metadata, of outputs and of other kinds are left out."""
    nodes = [entry for entry in sysfs.iterdir() if entry.name.startswith("video")] if sysfs.is_dir() else []
    found = (_device(entry, dev) for entry in sorted(nodes, key=lambda entry: int(entry.name[5:] or 0)))
    return [device for device in found if device is not None]


def node_of(wanted: str, camera: str, sysfs: Path = SYSFS, dev: Path = DEV) -> str:
    """Return the node of a camera by path, by the name of its link in /dev/v4l, or by serial number; '': the only one.

    Raises CameraOpenError, with the cameras that are there.
    """
    if wanted.startswith("/"):
        return wanted
    for folder in ("by-id", "by-path"):
        link = dev / "v4l" / folder / wanted
        if wanted and link.exists():
            return str(link)
    return the_one(camera, devices(sysfs, dev), wanted).address


def _device(entry: Path, dev: Path) -> Device | None:
    path = str(dev / entry.name)
    usb = _usb(entry)
    name = _text(entry / "name")
    card, state, hint = name, "free", ""
    try:
        with VideoNode(path, entry.name) as node:
            capability = node.capability()
            caps = capability.capabilities
            caps = capability.device_caps if caps & abi.CAP_DEVICE_CAPS else caps
            if not (caps & abi.CAP_VIDEO_CAPTURE and caps & abi.CAP_STREAMING):
                return None
            card = capability.card.decode("utf-8", "replace") or name
            if node.is_held():
                state, hint = "held", f"end the program that streams from it: fuser -v {path}"
    except CameraOpenError as error:
        if error.cause == Cause.REFUSED:
            return None
        state, hint = ("held" if error.cause == Cause.HELD else "unknown"), str(error)
    return Device(
        backend="uvc",
        id=_link(path, dev) or path,
        vendor=usb.vendor,
        model=card or usb.product,
        serial=usb.serial,
        address=path,
        state="held" if state == "held" else "free" if state == "free" else "unknown",
        hint=hint,
    )


def _usb(entry: Path) -> _Usb:
    """Read the USB device that the node's interface belongs to, where it is one."""
    interface = (entry / "device").resolve()
    parent = interface.parent
    if not (parent / "idVendor").exists():
        return _Usb()
    vendor = _text(parent / "manufacturer") or _text(parent / "idVendor")
    return _Usb(vendor, _text(parent / "product"), _text(parent / "serial"))


def _link(path: str, dev: Path) -> str:
    """Return the name in /dev/v4l/by-id that leads to the node, '' where none does."""
    folder = dev / "v4l" / "by-id"
    links = folder.iterdir() if folder.is_dir() else iter(())
    return min((link.name for link in links if str(link.resolve()) == path), default="")


def _text(file: Path) -> str:
    try:
        return re.sub(r"\s+", " ", file.read_text("utf-8", "replace")).strip()
    except OSError:
        return ""
