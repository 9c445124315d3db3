"""Whether cameras that shall follow the network's clock (PTP, IEEE 1588) do so."""

from __future__ import annotations

from collections.abc import Iterator

from camera.backends import make_camera
from camera.errors import CameraError, Cause
from inspection.config import StationConfig
from inspection.config.cameras import CameraSection
from inspection.doctor.finding import Finding

_FOLLOWS = ("Slave",)
_FINDS_ITS_MASTER = ("Listening", "Uncalibrated", "PreMaster", "Initializing")


def look_at_clocks(config: StationConfig) -> Iterator[Finding]:
    """Ask each camera of a station that has ptp = true; it is opened as it is, and nothing is written to it."""
    for section in config.cameras:
        if section.options.get("ptp"):
            yield _look_at(section)


def _look_at(section: CameraSection) -> Finding:
    try:
        options = {**section.options, "leave_as_is": True, "ptp": False}
        with make_camera(section.backend, section.name, options) as camera:
            return finding_of(section.name, camera.ptp_status())
    except CameraError as error:
        if error.cause is Cause.HELD:
            text = "it is in use: the station that runs shows it beside its counters"
            return Finding(f"camera {section.name}: clock", "note", text)
        return Finding(f"camera {section.name}: clock", "note", f"it cannot be asked: {error}")


def finding_of(camera: str, status: str | None) -> Finding:
    """Return what a PTP status means for a camera that has ptp = true. status: None for a device without."""
    what = f"camera {camera}: clock"
    if status is None:
        return Finding(what, "problem", "the device has no PTP clock", "leave out ptp in its section")
    if status in _FOLLOWS:
        return Finding(what, "ok", f"PTP {status}: it follows the network's clock")
    if status in _FINDS_ITS_MASTER:
        step = "ask again in 10 s; if it stays so, start a master on this computer: ptp4l -i INTERFACE -m"
        return Finding(what, "note", f"PTP {status}: it looks for the network's clock", step)
    step = (
        "a station writes ptp when it starts; then a master is needed on its network: ptp4l -i INTERFACE -m on this "
        "computer, or a switch that is one"
    )
    return Finding(what, "problem", f"PTP {status}: it follows no clock", step)
