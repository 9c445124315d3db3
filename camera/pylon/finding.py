"""Which Basler devices there are, and one of them for a configuration."""

from __future__ import annotations

import os
from typing import Any

from pypylon import genicam, pylon

from camera.choice import the_one
from camera.device import Device
from camera.errors import CameraOpenError, Cause

EMULATION = "BaslerCamEmu"
_SWITCH = "PYLON_CAMEMU"  # how many emulated cameras there are; pylon reads it at each enumeration


def enumerate_devices(emulated: bool) -> list[Any]:
    """Return pylon's descriptions of the real devices, or of the emulated ones. Raises genicam.GenericException."""
    if emulated:
        os.environ.setdefault(_SWITCH, "1")
        wanted = pylon.DeviceInfo()
        wanted.SetDeviceClass(EMULATION)
        return list(pylon.TlFactory.GetInstance().EnumerateDevices([wanted]))
    found = pylon.TlFactory.GetInstance().EnumerateDevices()
    return [info for info in found if info.GetDeviceClass() != EMULATION]


def described(info: Any) -> Device:
    """Return what discovery shows of a device."""
    address = str(info.GetIpAddress()) if info.IsIpAddressAvailable() else ""
    factory = pylon.TlFactory.GetInstance()
    try:
        is_free = bool(factory.IsDeviceAccessible(info))
    except genicam.GenericException:
        is_free = False
    return Device(
        backend="pylon",
        id=str(info.GetFullName()),
        vendor=str(info.GetVendorName()) if info.IsVendorNameAvailable() else "",
        model=str(info.GetModelName()),
        serial=str(info.GetSerialNumber()) if info.IsSerialNumberAvailable() else "",
        user_name=str(info.GetUserDefinedName()) if info.IsUserDefinedNameAvailable() else "",
        address=address if address not in ("N/A", "0.0.0.0") else "",
        state="free" if is_free else "held",
        hint="" if is_free else "another program holds it, or its address is in another network",
    )


def find(camera: str, device: str, emulated: bool) -> Any:
    """Return pylon's description of the one device that answers to a name. Raises CameraOpenError."""
    try:
        found = enumerate_devices(emulated)
    except genicam.GenericException as error:
        raise CameraOpenError(
            f"camera '{camera}': pylon cannot look for devices: {error}", Cause.INSTALLATION
        ) from error
    seen = [described(info) for info in found]
    return found[seen.index(the_one(camera, seen, device))]
