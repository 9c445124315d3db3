"""The uvc camera against the kernel's test camera (vivid); run inside the machine that test_uvc_qemu_soak boots."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from camera import Camera, CameraLostError, CameraOpenError, Frame, make_camera
from camera.errors import Cause
from camera.frame import BrokenFrame
from camera.pixels import image_of
from camera.uvc import UvcCamera, devices
from camera.v4l2.formats import RAW

DEVICE = os.environ["LINEWARD_TEST_VIVID"]
BOUND_S = 60.0
QUIET = {"timestamp_source": "Start of Exposure", "osd_text_mode": "None"}


def tell(*settings: str) -> None:
    """Set controls as an independent program does."""
    for setting in settings:
        subprocess.run(["v4l2-ctl", "-d", DEVICE, "-c", setting], check=True, timeout=BOUND_S)


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    tell("percentage_of_dropped_buffers=0", "wrap_sequence_number=0")


def uvc(**options: object) -> Camera:
    standard = {"device": DEVICE, "own_process": False, "size": (320, 180), "frame_rate_hz": 30, "controls": QUIET}
    return make_camera("uvc", "top", {**standard, **options})


def take(camera: Camera, count: int) -> list[Frame | BrokenFrame]:
    exposures = []
    for _ in range(count):
        exposure = camera.grab(None, BOUND_S)
        assert exposure is not None
        exposures.append(exposure)
    return exposures


def assert_counted_as_timed(exposures: list[Frame | BrokenFrame], rate_hz: float) -> None:
    for a, b in pairwise(exposures):
        assert b.counter - a.counter == b.lost_before + 1
        assert a.device_ns is not None
        assert b.device_ns is not None
    first, last = exposures[0], exposures[-1]
    assert first.device_ns is not None
    assert last.device_ns is not None
    timed = (last.device_ns - first.device_ns) * rate_hz / 1e9
    assert abs(last.counter - first.counter - timed) <= 1.5  # vivid computes both from the time


def test_dropped_pictures_are_gaps() -> None:
    """Half of the pictures never come: the numbers and the times of the others say how many."""
    with uvc() as camera:
        camera.start()
        tell("percentage_of_dropped_buffers=50")
        exposures = take(camera, 40)
        lost = sum(exposure.lost_before for exposure in exposures)
        assert camera.counters()["lost_frames"] == lost > 5
    assert_counted_as_timed(exposures, 30.0)


def test_a_damaged_picture_is_broken() -> None:
    """What the driver marks as damaged is no image; the next one is."""
    with uvc() as camera:
        camera.start()
        take(camera, 2)
        tell("inject_v4l2_buf_flag_error=1")
        exposures = take(camera, 20)
        broken = [exposure for exposure in exposures if isinstance(exposure, BrokenFrame)]
        assert camera.counters()["broken_frames"] == len(broken) >= 1
        assert isinstance(exposures[-1], Frame)
    assert "damaged" in broken[0].why
    assert [exposure.counter - before.counter - exposure.lost_before for before, exposure in pairwise(exposures)] == [
        1
    ] * 19


def test_numbers_that_wrap_go_on() -> None:
    """The kernel's number wraps at 32 bits: the counter does not."""
    tell("wrap_sequence_number=1")
    with uvc(frame_rate_hz=60) as camera:
        camera.start()
        exposures = take(camera, 200)
    assert exposures[-1].counter >= 200
    assert all(exposure.lost_before < 100 for exposure in exposures)
    assert all(b.counter - a.counter == b.lost_before + 1 for a, b in pairwise(exposures))


def test_an_unplugged_camera_is_lost_and_opens_again() -> None:
    """vivid acts as if it were pulled out while a grab waits: the camera is lost as absent; then it opens again."""
    camera = uvc()
    for _ in range(2):
        camera.open()
        camera.start()
        assert take(camera, 3)[0].counter == 1
        tell("disconnect=1")
        with pytest.raises(CameraLostError, match="has gone") as lost:
            take(camera, 1_000)
        assert lost.value.cause == Cause.ABSENT
        camera.close()
    with camera:
        camera.start()
        take(camera, 3)


def test_a_camera_that_is_unplugged_while_nobody_grabs_is_missed() -> None:
    """A look at an open camera that does not run finds that it has gone; at one that is there it finds nothing."""
    with uvc() as camera:
        camera.start()
        take(camera, 3)
        camera.stop()
        assert camera.check_settings() == []
        tell("disconnect=1")
        with pytest.raises(CameraLostError, match="has gone while nobody took pictures") as lost:
            camera.check_settings()
    assert lost.value.cause == Cause.ABSENT
    with uvc() as camera:
        camera.start()
        take(camera, 3)


def test_a_stream_that_its_driver_gives_up_is_lost() -> None:
    """A fatal error in the driver ends the stream: the device is there, and the text points to the kernel's log."""
    with uvc() as camera:
        camera.start()
        take(camera, 3)
        tell("inject_fatal_streaming_error=1")
        with pytest.raises(CameraLostError, match="dmesg") as lost:
            take(camera, 1_000)
    assert lost.value.cause == Cause.CONTROL_LOST


def test_silence_is_a_fault_of_a_free_running_camera_alone() -> None:
    """No picture at all: lost as silent after silence_s; where a wire triggers each one, it is idle."""
    for triggered in (False, True):
        with uvc(silence_s=0.5, triggered=triggered) as camera:
            camera.start()
            take(camera, 2)
            tell("percentage_of_dropped_buffers=100")
            while triggered and camera.grab(None, 1.0) is not None:
                pass
            if triggered:
                assert camera.grab(None, 1.0) is None
            else:
                with pytest.raises(CameraLostError, match="sent nothing") as lost:
                    take(camera, 1_000)
                assert lost.value.cause == Cause.SILENT
            tell("percentage_of_dropped_buffers=0")


def test_a_camera_that_another_program_holds_is_refused() -> None:
    """A second one that streams from the same node is told that it is held, and discovery says so, too."""
    with uvc() as camera:
        camera.start()
        (found,) = [device for device in devices() if device.address == DEVICE]
        assert found.state == "held"
        with pytest.raises(CameraOpenError, match="held by another program") as held:
            uvc().open()
        assert held.value.cause == Cause.HELD
        take(camera, 3)
    (found,) = [device for device in devices() if device.address == DEVICE]
    assert (found.state, found.model) == ("free", "vivid")


def test_a_user_without_permission_is_told_the_group() -> None:
    """Another user than root may not open the node: the text names the group."""
    os.seteuid(65_534)
    try:
        with pytest.raises(CameraOpenError, match="usermod -aG video") as refused:
            uvc().open()
    finally:
        os.seteuid(0)
    assert refused.value.cause == Cause.INSTALLATION


def test_all_formats_show_the_same_picture() -> None:
    """Each raw format that is read gives the colour bars of the others, in grey or in colour."""
    pictures = {}
    with uvc() as camera:
        assert isinstance(camera, UvcCamera)
    offered = [code for code in RAW if code in offered_formats()]
    assert {"YUYV", "UYVY", "GREY", "Y10", "Y12", "Y16", "RGB3", "BGR3"} <= set(offered)
    for code in offered:
        with uvc(pixel_format=code) as camera:
            camera.start()
            frame = take(camera, 2)[-1]
            assert isinstance(frame, Frame)
            assert frame.pixel_format == RAW[code]
            image = image_of(frame.pixels, frame.pixel_format).astype(float)
            assert image.shape[:2] == (180, 320)
            pictures[code] = image
    colour = pictures["RGB3"]
    assert np.ptp(colour.mean(axis=0)[:, 0]) > 100  # bars, indeed
    for code, image in pictures.items():
        if image.ndim == 3:
            assert np.median(np.abs(image - colour)) <= 6, code
        else:
            assert np.median(np.abs(image - pictures["GREY"])) <= 1, code


def offered_formats() -> set[str]:
    from camera.v4l2.node import VideoNode

    with VideoNode(DEVICE, "top") as node:
        return set(node.formats())


def test_settings_are_read_back_and_all_refusals_come_together() -> None:
    """Automatics are off and their values the default; what the device does not take is listed at once."""
    tell("gain_automatic=1", "gain=7")
    with uvc(controls={**QUIET, "brightness": 100, "test_pattern": "100% White"}) as camera:
        got = {setting.feature: (setting.wanted, setting.got) for setting in camera.applied}
    assert got["gain_automatic"] == (0, 0)
    assert got["gain"] == (100, 100)
    assert got["brightness"] == (100, 100)
    assert got["test_pattern"] == (6, 6)
    assert got["size"] == ("320×180", "320×180")
    assert got["frame_rate_hz"] == (30.0, 30.0)
    wrong = {"size": (641, 360), "gain": 2_000, "exposure_us": 100, "frame_rate_hz": 29}
    with pytest.raises(CameraOpenError) as refused:
        uvc(**wrong, controls={"nope": 1, "gain_automatic": True, "test_pattern": "x"}).open()
    text = str(refused.value)
    assert refused.value.cause == Cause.REFUSED
    for name in (
        "size = [641, 360]",
        "gain: gain = 2000",
        "exposure_us",
        "frame_rate_hz",
        "nope",
        "test_pattern = 'x'",
    ):
        assert name in text
    assert "gain_automatic: an automatic is off in production" in text
    with pytest.raises(CameraOpenError, match="pixel_format = 'MJPG': the camera offers YUYV"):
        uvc(pixel_format="MJPG").open()
    tell("test_pattern=0", "brightness=128")


def test_frames_keep_their_time_and_rate() -> None:
    """At 60 pictures a second none is lost, and the kernel's time lies shortly before the receipt."""
    with uvc(frame_rate_hz=60) as camera:
        camera.start()
        exposures = take(camera, 120)
    assert_counted_as_timed(exposures, 60.0)
    for exposure in exposures:
        assert exposure.device_ns is not None
        assert exposure.device_ns <= exposure.received_host_ns
    lost = sum(exposure.lost_before for exposure in exposures)
    print(f"FIGURES lost {lost} of {exposures[-1].counter} pictures at 60 Hz")
