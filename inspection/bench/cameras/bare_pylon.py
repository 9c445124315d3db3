"""The bare loop of pylon: `python -m inspection.bench.cameras.bare_pylon JSON`; retrieves, looks at it and releases."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import numpy as np

from inspection.bench.cameras.tally import WARM_UP_S, Ring, Tally

_BUFFERS = 10


def main(asked: dict[str, Any]) -> dict[str, Any]:
    """Open the emulated camera, receive for so long, and return what came."""
    os.environ["PYLON_CAMEMU"] = "1"
    from pypylon import pylon

    wanted = pylon.DeviceInfo()
    wanted.SetDeviceClass("BaslerCamEmu")
    factory = pylon.TlFactory.GetInstance()
    camera = pylon.InstantCamera(factory.CreateDevice(factory.EnumerateDevices([wanted])[0]))
    camera.Open()
    camera.Width.Value, camera.Height.Value = asked["width"], asked["height"]
    camera.PixelFormat.Value = "Mono8"
    camera.ExposureTimeAbs.Value = 100.0
    camera.AcquisitionFrameRateEnable.Value = True
    camera.AcquisitionFrameRateAbs.Value = asked["rate_hz"]
    camera.MaxNumBuffer.Value = _BUFFERS
    camera.StartGrabbing(pylon.GrabStrategy_OneByOne, pylon.GrabLoop_ProvidedByUser)
    tally, last = Tally(), -1
    ring = Ring(asked["width"] * asked["height"]) if asked.get("copies") else None
    until_s = time.monotonic() + WARM_UP_S + asked["seconds"]
    while time.monotonic() < until_s:
        result = camera.RetrieveResult(500, pylon.TimeoutHandling_Return)
        if not result.IsValid():
            continue
        number = int(result.BlockID)
        lost, last = (0 if last < 0 else number - last - 1), number
        if result.GrabSucceeded():
            if ring is not None:
                ring.copy(np.frombuffer(result.GetMemoryView(), np.uint8).ctypes.data)
            tally.frame(None, lost)
        else:
            tally.broke(lost)
        result.Release()
    found = tally.result()
    camera.StopGrabbing()
    camera.Close()
    return found


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
