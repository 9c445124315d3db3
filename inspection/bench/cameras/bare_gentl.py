"""The bare loop of GenTL, `python -m inspection.bench.cameras.bare_gentl JSON`: waits for the event, queues again."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np

from camera.gentl.binding import INFINITE, NEW_BUFFER, BufferInfo, StreamInfo
from camera.gentl.nodes import GentlNodes
from camera.gentl.producer import claim, devices_of
from inspection.bench.cameras.tally import WARM_UP_S, Ring, Tally

_BUFFERS = 10


def main(asked: dict[str, Any]) -> dict[str, Any]:
    """Open the device, receive for so long, and return what came."""
    producer = claim(asked["producer"])
    sdk = producer.binding
    device = producer.open_device(next(one for one in devices_of(producer) if one.serial == asked["device"]))
    port = sdk.opened("DevGetPort", device)
    nodes = GentlNodes(sdk, port, lambda: False)
    for name in ("Width", "Height"):
        nodes.set(name, asked[name.lower()])
    stream = sdk.opened("DevOpenDataStream", device, sdk.text("DevGetDataStreamID", device, 0).encode())
    size = sdk.integer("DSGetInfo", stream, StreamInfo.PAYLOAD_SIZE) or int(nodes.get("PayloadSize"))
    memory = [np.zeros(size, np.uint8) for _ in range(_BUFFERS)]
    for buffer in memory:
        announced = sdk.opened("DSAnnounceBuffer", stream, buffer.ctypes.data, size, None)
        sdk.call("DSQueueBuffer", stream, announced)
    event = sdk.opened("GCRegisterEvent", stream, NEW_BUFFER)
    sdk.call("DSStartAcquisition", stream, 0, INFINITE)
    nodes.execute("AcquisitionStart")
    tally = Tally()
    ring = Ring(asked["width"] * asked["height"]) if asked.get("copies") else None
    until_s = time.monotonic() + WARM_UP_S + asked["seconds"]
    underruns = sdk.integer("DSGetInfo", stream, StreamInfo.NUM_UNDERRUN) or 0
    while time.monotonic() < until_s:
        filled = sdk.next_buffer(event, 500)
        if filled is None:
            continue
        if sdk.integer("DSGetBufferInfo", stream, filled, BufferInfo.IS_INCOMPLETE):
            tally.broke(0)
        else:
            if ring is not None:
                ring.copy(sdk.integer("DSGetBufferInfo", stream, filled, BufferInfo.BASE) or 0)
            tally.frame(None, 0)
        sdk.call("DSQueueBuffer", stream, filled)
    tally.lost = (sdk.integer("DSGetInfo", stream, StreamInfo.NUM_UNDERRUN) or 0) - underruns
    result = tally.result()
    nodes.execute("AcquisitionStop")
    sdk.call("DSStopAcquisition", stream, 0)
    return result


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))), flush=True)
