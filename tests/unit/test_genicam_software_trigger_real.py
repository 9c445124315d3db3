"""Software triggers of pylon's emulated camera, which really ignores those that come too fast."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from camera.genicam.block_ids import BlockIds
from camera.genicam.genapi_nodes import GenapiNodes, pascal
from camera.genicam.options import GenicamOptions
from camera.genicam.settings import apply
from camera.genicam.software_trigger import SoftwareTriggers


@pytest.fixture
def camera() -> Iterator[Any]:
    os.environ.setdefault("PYLON_CAMEMU", "1")
    from pypylon import genicam, pylon

    kind = pylon.DeviceInfo()
    kind.SetDeviceClass("BaslerCamEmu")
    factory = pylon.TlFactory.GetInstance()
    camera = pylon.InstantCamera(factory.CreateDevice(factory.EnumerateDevices([kind])[0]))
    camera.Open()
    nodes = GenapiNodes(camera.GetNodeMap(), pascal, (genicam.GenericException, RuntimeError), lambda: False)
    apply(nodes, GenicamOptions(trigger="software", exposure_us=1000, roi=(0, 0, 64, 64)), "emulated")
    camera.StartGrabbing(pylon.GrabStrategy_OneByOne)
    try:
        yield camera
    finally:
        camera.Close()


def taken(camera: Any, triggers: SoftwareTriggers, ids: BlockIds, timeout_ms: int) -> int | None:
    """The trigger whose picture came, None for none in time."""
    from pypylon import pylon

    with camera.RetrieveResult(timeout_ms, pylon.TimeoutHandling_Return) as result:
        if not result.IsValid():
            return None
        numbered = ids.take(result.BlockID)
        assert numbered is not None
        return triggers.take(time.monotonic_ns(), missing=numbered[1])


def test_each_trigger_has_its_picture(camera: Any) -> None:
    """A hundred triggers are a hundred pictures; those in between are refused."""
    triggers, ids = SoftwareTriggers(30_000_000_000), BlockIds(64)
    for number in range(1, 101):
        assert camera.WaitForFrameTriggerReady(10_000)
        assert triggers.fire(time.monotonic_ns()) == number
        camera.ExecuteSoftwareTrigger()
        assert all(triggers.fire(time.monotonic_ns()) is None for _ in range(20))
        assert taken(camera, triggers, ids, 10_000) == number
    assert not triggers.must_restart


def test_a_picture_beyond_what_was_fired_stops_everything(camera: Any) -> None:
    """Somebody else fires the camera: its picture is nobody's, and nothing goes on before a restart."""
    triggers, ids = SoftwareTriggers(30_000_000_000), BlockIds(64)
    camera.WaitForFrameTriggerReady(10_000)
    camera.ExecuteSoftwareTrigger()
    assert taken(camera, triggers, ids, 10_000) is None
    assert triggers.must_restart
    assert triggers.fire(time.monotonic_ns()) is None
    camera.StopGrabbing()
    camera.StartGrabbing()
    ids.restarted()
    triggers.restarted()
    camera.WaitForFrameTriggerReady(10_000)
    assert triggers.fire(time.monotonic_ns()) == 1
    camera.ExecuteSoftwareTrigger()
    assert taken(camera, triggers, ids, 10_000) == 1
