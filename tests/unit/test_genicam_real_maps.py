"""The same settings on the node maps of other makers: a GenTL producer's and a GigE Vision camera's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from gige import FakeProcess, network, require_aravis
from producers import tlsimu

from camera import Camera, CameraOpenError, make_camera
from camera.genicam.clock import latch_clock
from camera.genicam.options import GenicamOptions
from camera.genicam.saved import read_saved, restore_features, save_features, write_saved
from camera.genicam.settings import apply, check


@contextmanager
def gentl() -> Iterator[Camera]:
    with make_camera(
        "genicam", "top", {"producer": tlsimu(), "device": "SN_InterfaceA_0", "own_process": False}
    ) as camera:
        yield camera


@contextmanager
def gige() -> Iterator[Camera]:
    require_aravis()
    with (
        network(),
        FakeProcess("SETTINGS"),
        make_camera("aravis", "top", {"device": "SETTINGS", "own_process": False}) as camera,
    ):
        yield camera


@pytest.mark.parametrize("opened", [gentl, gige])
def test_settings_stand_come_back_and_are_refused(
    opened: Callable[[], AbstractContextManager[Camera]], tmp_path: Path
) -> None:
    """A window and a software trigger stand; the saved text undoes them; what the device lacks is told at once."""
    with opened() as camera:
        nodes = camera.nodes
        assert nodes is not None
        before = save_features(nodes)
        write_saved(before, tmp_path / "top.toml")
        applied = apply(nodes, GenicamOptions(roi=(0, 0, 256, 128), trigger="software"), "top")
        got = {one.feature: one.got for one in applied}
        assert (got["Width"], got["Height"], got["TriggerMode"], got["TriggerSource"]) == (256, 128, "On", "Software")
        assert check(nodes, applied) == []
        nodes.set("Height", 64)
        assert check(nodes, applied) == ["Height = 128: the device has 64 now"]
        restore_features(nodes, read_saved(tmp_path / "top.toml"), "top")
        assert save_features(nodes) == before
        with pytest.raises(CameraOpenError) as caught:
            apply(nodes, GenicamOptions(trigger="encoder", trigger_divider=3, reverse_x=True, ptp=True), "top")
        for part in ("neither Encoder0", "no feature ReverseX", "no feature PtpEnable"):
            assert part in str(caught.value)


def test_the_clock_of_a_gige_vision_camera_runs() -> None:
    """Each latch shows its time in nanoseconds, which goes on and never back."""
    with gige() as camera:
        assert camera.nodes is not None
        first = latest = latch_clock(camera.nodes)
        assert first is not None
        until = time.monotonic() + 30
        while latest == first and time.monotonic() < until:  # this one shows a new time every some milliseconds
            latest = latch_clock(camera.nodes)
        assert latest is not None
        assert 0 < first < latest
