"""The driver keeps what every driver of Lineward keeps."""

from __future__ import annotations

import pytest
from conftest import RunningDevice
from socketcam.device import grey

from camera.contract import CameraUnderTest
from camera.contract.suite import CameraContract


class TestSocketCamera(CameraContract):
    @pytest.fixture(params=["here", "own-process"])
    def camera_under_test(self, request: pytest.FixtureRequest, device: RunningDevice) -> CameraUnderTest:
        base = {"device": str(device.path), "own_process": request.param == "own-process"}
        on_call = {"trigger": "software"}
        return CameraUnderTest(
            "socketcam",
            {**base, "frame_rate_hz": 100.0},
            slow=on_call,
            commanded={**base, **on_call},
            shape=(48, 64),
            pixel_format="Mono8",
            grey_of=grey,
        )
