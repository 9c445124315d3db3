"""A device's own clock: what it shows now, and whether it follows the network's (PTP, IEEE 1588)."""

from __future__ import annotations

from camera.errors import NodeError
from camera.genicam.nodes import Nodes

_NS = 1_000_000_000


def latch_clock(nodes: Nodes) -> int | None:
    """Return the time that the device's clock shows now in nanoseconds; None for a device that cannot be asked.

    SFNC 2: TimestampLatch and TimestampLatchValue (nanoseconds); GigE Vision 1.x: GevTimestampControlLatch and
    GevTimestampValue, which counts ticks. Blocks for as long as the device takes.
    """
    try:
        if nodes.has("TimestampLatch") and nodes.has("TimestampLatchValue"):
            nodes.execute("TimestampLatch")
            return int(nodes.get("TimestampLatchValue"))
        if nodes.has("GevTimestampControlLatch") and nodes.has("GevTimestampValue"):
            hertz = tick_hz(nodes)
            if hertz is None:
                return None
            nodes.execute("GevTimestampControlLatch")
            return int(nodes.get("GevTimestampValue")) * _NS // hertz
    except NodeError:
        return None
    return None


def tick_hz(nodes: Nodes) -> int | None:
    """Return how often a second the time stamps of a GigE Vision 1.x device count; None where it does not say."""
    try:
        hertz = int(nodes.get("GevTimestampTickFrequency")) if nodes.has("GevTimestampTickFrequency") else 0
    except NodeError:
        return None
    return hertz if hertz > 0 else None


def ptp_status(nodes: Nodes) -> str | None:
    """Return what the device says of its PTP clock: Slave once it follows the network's; None for one without PTP."""
    for latch, status in (("PtpDataSetLatch", "PtpStatus"), ("GevIEEE1588DataSetLatch", "GevIEEE1588Status")):
        if nodes.has(status):
            try:
                if nodes.has(latch):
                    nodes.execute(latch)
                return str(nodes.get(status))
            except NodeError:
                continue
    return None
