"""A thread that is slow to find its driver dead, while another one has long begun the next."""

from __future__ import annotations

import threading
from pathlib import Path

import psutil
import pytest
from plugin_package import install_plugin

from camera import CameraLostError, Frame, make_camera
from camera.errors import Cause
from camera.own_process.camera import IsolatedCamera
from camera.own_process.process import DriverProcess

BOUND_S = 60.0


def test_a_late_look_at_a_dead_driver_does_not_end_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says of the old driver how that ended; the new one goes on, and is not counted as ended."""
    install_plugin(tmp_path, monkeypatch, "troubled", troubled="troubled_camera:BACKEND")
    found_dead, may_look, told = threading.Event(), threading.Event(), []
    obituary = DriverProcess.obituary

    def late(process: DriverProcess) -> str:
        if threading.current_thread() is looker:
            found_dead.set()
            assert may_look.wait(BOUND_S)
        return obituary(process)

    def look() -> None:
        assert camera.nodes is not None
        try:
            camera.nodes.get("Slow")
        except CameraLostError as error:
            told.append(error)

    monkeypatch.setattr(DriverProcess, "obituary", late)
    looker = threading.Thread(target=look, daemon=True)
    camera = make_camera("troubled", "top", {"trouble": "segfault", "stage": "node"})
    assert isinstance(camera, IsolatedCamera)
    with camera:
        camera.start()
        looker.start()
        assert found_dead.wait(BOUND_S)
        camera.close()
        camera.open()
        camera.start()
        pid, restarts = camera.process_id, camera.counters()["driver_restarts"]
        may_look.set()
        looker.join(BOUND_S)
        assert [(one.cause, "SIGSEGV" in str(one)) for one in told] == [(Cause.CRASHED, True)]
        assert isinstance(camera.grab(None, BOUND_S), Frame)
        assert camera.process_id == pid
        assert psutil.pid_exists(pid or 0)
        assert camera.counters()["driver_restarts"] == restarts == 1
