"""Which GigE Vision and USB3 Vision cameras are there, and which of them a name means."""

from __future__ import annotations

import dataclasses
import ipaddress

from camera.aravis.binding import Library, library, text_of
from camera.aravis.gvcp import Registers
from camera.choice import the_one
from camera.device import Device
from camera.errors import CameraOpenError, Cause

_GIGE = "GigEVision"


def devices() -> list[Device]:
    """Return every camera that answers within a second, and whether somebody controls it; disturbs none.

    Raises CameraOpenError where libaravis is not installed.
    """
    return [_asked(device, is_gige) for device, is_gige in _listed(library())]


def find(camera: str, wanted: str) -> Device:
    """Return the camera that `wanted` names (serial number, user name, address or id; '' means the only one).

    The network is asked anew each time: a camera that came back at another address is found there. Raises
    CameraOpenError (ABSENT) that lists what is there.
    """
    if _is_address(wanted):  # it is asked directly, also where broadcasts do not come
        device = _asked(Device("aravis", wanted, address=wanted), is_gige=True)
        if device.state == "unreachable":
            raise CameraOpenError(f"camera '{camera}': nothing answers at {wanted}; {device.hint}", Cause.ABSENT)
        return device
    return the_one(camera, devices(), wanted)


def _is_address(wanted: str) -> bool:
    try:
        return ipaddress.ip_address(wanted).version == 4
    except ValueError:
        return False


def _listed(aravis: Library) -> list[tuple[Device, bool]]:
    """Return what the library finds now, and which of it is a GigE Vision camera."""
    aravis.arv_update_device_list()
    found = []
    for index in range(aravis.arv_get_n_devices()):
        is_gige = text_of(aravis.arv_get_device_protocol(index)) == _GIGE
        device = Device(
            backend="aravis",
            id=text_of(aravis.arv_get_device_id(index)),
            vendor=text_of(aravis.arv_get_device_vendor(index)),
            model=text_of(aravis.arv_get_device_model(index)),
            serial=text_of(aravis.arv_get_device_serial_nbr(index)),
            address=text_of(aravis.arv_get_device_address(index)) if is_gige else "",
        )
        found.append((device, is_gige))
    return found


def _asked(device: Device, is_gige: bool) -> Device:
    """Return the device with its user name and its state, as its registers tell."""
    if not is_gige:
        return device
    try:
        with Registers(device.address) as registers:
            user_name, controller = registers.user_name(), registers.controller()
    except OSError as error:
        hint = (
            f"it was seen but does not answer now ({error}): check its power and cable; if those are well, give it "
            "an address in the subnet of this computer's port"
        )
        return dataclasses.replace(device, state="unreachable", hint=hint)
    if controller is None:
        return dataclasses.replace(device, user_name=user_name, state="free")
    hint = f"{controller} controls it: end that program, or unplug the camera for a moment"
    return dataclasses.replace(device, user_name=user_name, state="held", hint=hint)
