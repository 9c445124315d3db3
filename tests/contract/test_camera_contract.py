"""What every camera backend keeps: the suite that the package brings, one row per backend."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from camera_rows import NAMES, software_row
from camera_rows_devices import GIGE_NAMES, RTSP_NAMES, SDK_NAMES, UVC_NAMES, gige, rtsp, sdk, uvc
from rtsp_peer import RtspPeer

from camera.contract import CameraUnderTest
from camera.contract.suite import CameraContract


@pytest.fixture(scope="session")
def rtsp_peer() -> Iterator[RtspPeer]:
    with RtspPeer() as peer:
        yield peer


class TestCameras(CameraContract):
    """Each row below, with each check."""

    @pytest.fixture(params=(*NAMES, *GIGE_NAMES, *SDK_NAMES, *RTSP_NAMES, *UVC_NAMES))
    def camera_under_test(
        self, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[CameraUnderTest]:
        name: str = request.param
        with contextlib.ExitStack() as running:
            if name in GIGE_NAMES:
                yield gige(name, running, tmp_path)
            elif name in RTSP_NAMES:
                yield rtsp(name, request.getfixturevalue("rtsp_peer").url("h264"))
            elif name in UVC_NAMES:
                yield uvc()
            elif name in SDK_NAMES:
                yield sdk(name, tmp_path)
            else:
                yield software_row(name, tmp_path, monkeypatch)
