"""What a device says about its own pace: how long it exposes, and how soon the next picture is due."""

from __future__ import annotations

from camera.errors import NodeError
from camera.genicam.nodes import Nodes

_LEAST_SILENCE_S, _SILENT_FRAMES = 2.0, 5
_TOLERANCE = 0.01  # of the exposure: two clocks, and what the sensor makes of the setting
_UNKNOWN_S = 0.2  # for readout and transfer, where the device tells no rate
_HOST_S = 0.05  # for the host's own threads
_RATES = ("AcquisitionResultingFrameRate", "ResultingFrameRate", "ResultingFrameRateAbs", "AcquisitionFrameRate")


def least_answer_ns(nodes: Nodes) -> int:
    """Return how long a picture takes at least from its software trigger: the exposure; 0 where it is not certain.

    Only a timed exposure that nothing changes by itself is certain.
    """
    try:
        for name, certain in (("ExposureMode", "Timed"), ("ExposureAuto", "Off")):
            if nodes.has(name) and nodes.get(name) != certain:
                return 0
        for name in ("ExposureTime", "ExposureTimeAbs"):
            if nodes.has(name):
                return int(float(nodes.get(name)) * 1000 * (1 - _TOLERANCE))
    except NodeError:
        return 0
    return 0


def default_silence_s(nodes: Nodes) -> float:
    """Return five frames' time at the rate that the device says, two seconds at least."""
    for name in _RATES:
        try:
            rate_hz = float(nodes.get(name)) if nodes.has(name) else 0.0
        except NodeError:
            continue
        if rate_hz > 0:
            return max(_LEAST_SILENCE_S, _SILENT_FRAMES / rate_hz)
    return _LEAST_SILENCE_S


def frame_s(nodes: Nodes) -> float:
    """Return how long a picture takes from its trigger at most: exposure, its way out of the sensor and to the host.

    Each of the latter two takes no longer than the device's shortest time from picture to picture.
    """
    rate_hz = next((rate for name in _RATES if (rate := _number(nodes, name)) > 0), 0.0)
    exposure_us = next((us for name in ("ExposureTime", "ExposureTimeAbs") if (us := _number(nodes, name)) > 0), 0.0)
    return exposure_us * 1e-6 + (2 / rate_hz if rate_hz else _UNKNOWN_S) + _HOST_S


def _number(nodes: Nodes, name: str) -> float:
    try:
        return float(nodes.get(name)) if nodes.has(name) else 0.0
    except NodeError:
        return 0.0
