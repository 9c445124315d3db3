"""What USB3 Vision and USB video cameras need: memory, permission, a port that is fast enough."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from inspection.doctor.finding import Finding

USB = Path("/sys/bus/usb/devices")
USBFS_MB = Path("/sys/module/usbcore/parameters/usbfs_memory_mb")
_ENOUGH_MB = 1000
_USB3_VISION = ("ef", "05", "00")  # class, subclass, protocol of its control interface (USB3 Vision 1.0, 3.1)
_SUPER_SPEED_MBIT = 5000


def look_at_memory() -> Iterator[Finding]:
    """Look at how much memory all USB transfers may take; without USB there is nothing to look at."""
    if not USBFS_MB.exists():
        return
    allowed_mb = int(USBFS_MB.read_text())
    enough = allowed_mb == 0 or allowed_mb >= _ENOUGH_MB
    yield Finding(
        "USB memory", "ok" if enough else "note",
        f"{allowed_mb} MB for all USB transfers" if allowed_mb else "no limit for USB transfers",
        "" if enough else f"echo {_ENOUGH_MB} > {USBFS_MB}; for good: usbcore.usbfs_memory_mb={_ENOUGH_MB} on the "
        "kernel's command line; needed only for USB3 Vision cameras",
    )  # fmt: skip


def look_at_devices() -> Iterator[Finding]:
    """Look at each USB3 Vision camera: who may open it, and how fast its port is."""
    for interface in sorted(USB.glob("*:*")) if USB.exists() else ():
        if tuple(_text(interface / f"bInterface{what}") for what in ("Class", "SubClass", "Protocol")) == _USB3_VISION:
            yield from _camera(interface.parent / interface.name.partition(":")[0])


def _camera(device: Path) -> Iterator[Finding]:
    what = " ".join(filter(None, (_text(device / "manufacturer"), _text(device / "product")))) or device.name
    node = Path(f"/dev/bus/usb/{int(_text(device / 'busnum')):03d}/{int(_text(device / 'devnum')):03d}")
    usable = os.access(node, os.R_OK | os.W_OK)
    vendor = _text(device / "idVendor")
    yield Finding(
        what, "ok" if usable else "problem", f"{node}" + ("" if usable else " (no permission)"),
        "" if usable else f'echo \'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{vendor}", MODE="0666"\' > '
        "/etc/udev/rules.d/60-cameras.rules, then plug it in again",
    )  # fmt: skip
    speed_mbit = float(_text(device / "speed") or 0)
    fast = speed_mbit >= _SUPER_SPEED_MBIT
    yield Finding(
        f"{what}: port", "ok" if fast else "problem", f"{speed_mbit:g} Mbit/s",
        "" if fast else "plug it into a USB 3 port (blue), with a USB 3 cable of at most 3 m",
    )  # fmt: skip


def look_at_video_nodes() -> Iterator[Finding]:
    """Look at who may open each /dev/video*."""
    for node in sorted(Path("/dev").glob("video*")):
        usable = os.access(node, os.R_OK | os.W_OK)
        yield Finding(
            str(node), "ok" if usable else "problem", "may be opened" if usable else "no permission",
            "" if usable else "sudo usermod -aG video $USER, then log in again",
        )  # fmt: skip


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
