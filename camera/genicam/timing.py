"""What a device says about its own pace: how long it exposes, and how soon the next picture is due."""

from __future__ import annotations

from camera.errors import NodeError
from camera.genicam.nodes import Nodes

_LEAST_SILENCE_S, _SILENT_FRAMES = 2.0, 5
_TOLERANCE = 0.01  # of the exposure: two clocks, and what the sensor makes of the setting
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
