"""Which one of the connected cameras a configuration means."""

from __future__ import annotations

from collections.abc import Sequence

from camera.device import Device
from camera.errors import CameraOpenError, Cause


def the_one(camera: str, devices: Sequence[Device], wanted: str) -> Device:
    """Return the device that answers to `wanted`; '' stands for the only one that there is.

    Raises CameraOpenError as `not_one` makes it, when none or more than one answers.
    """
    found = [device for device in devices if not wanted or device.answers_to(wanted)]
    if len(found) != 1:
        raise not_one(camera, devices, wanted)
    return found[0]


def not_one(camera: str, devices: Sequence[Device], wanted: str) -> CameraOpenError:
    """Return why no single device is meant, with what is there: none answers (ABSENT), or several do (REFUSED)."""
    count = sum(1 for device in devices if not wanted or device.answers_to(wanted))
    to = f" to '{wanted}'" if wanted else ""
    there = "; ".join(map(_described, devices)) or "none"
    if count:
        what, cause = f"{count} cameras answer{to}", Cause.REFUSED
        remedy = "set device to the serial number of one of them, or to its id"
    else:
        what, cause = f"no camera answers{to}", Cause.ABSENT
        remedy = "check its power, cable and address, or set device to the serial number of one that is there"
    return CameraOpenError(f"camera '{camera}': {what} — there are: {there} — {remedy}", cause)


def _described(device: Device) -> str:
    words = (device.vendor, device.model, device.serial or device.id, device.user_name and f"'{device.user_name}'")
    where = f" at {device.address}" if device.address else ""
    return " ".join(word for word in words if word) + where + ("" if device.state == "free" else f" ({device.state})")
