"""The node map of pylon's emulated camera as `Nodes`: a real GenICam description behind the settings' tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from camera.genicam.genapi_nodes import GenapiNodes, pascal


@contextmanager
def emulated_camera() -> Iterator[GenapiNodes]:
    """Open the first emulated camera of this process."""
    os.environ.setdefault("PYLON_CAMEMU", "1")
    from pypylon import genicam, pylon

    kind = pylon.DeviceInfo()
    kind.SetDeviceClass("BaslerCamEmu")
    factory = pylon.TlFactory.GetInstance()
    camera = pylon.InstantCamera(factory.CreateDevice(factory.EnumerateDevices([kind])[0]))
    camera.Open()
    try:
        yield GenapiNodes(camera.GetNodeMap(), pascal, (genicam.GenericException, RuntimeError), lambda: False)
    finally:
        camera.Close()
