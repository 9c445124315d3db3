"""What the contract cannot do to a device: hurt a picture, hold it, pull it out."""

from __future__ import annotations

import pytest
from conftest import RunningDevice

from camera import Camera, CameraLostError, CameraOpenError, Frame, make_camera
from camera.errors import Cause
from camera.frame import BrokenFrame

BOUND_S = 30.0


def camera_on(device: RunningDevice, own_process: bool = False) -> Camera:
    return make_camera("socketcam", "top", {"device": str(device.path), "own_process": own_process})


def grab_all(camera: Camera) -> None:
    while camera.grab(None, BOUND_S) is not None:
        pass


def test_half_a_picture_is_a_broken_frame_and_the_next_one_is_whole(device: RunningDevice) -> None:
    """Its number is known, so that its part is rejected; nothing is counted as lost."""
    with camera_on(device) as camera:
        device.say("short")
        camera.start()
        broken, whole = camera.grab(None, BOUND_S), camera.grab(None, BOUND_S)
        assert isinstance(broken, BrokenFrame)
        assert broken.why == "1536 of 3072 bytes came"
        assert isinstance(whole, Frame)
        assert (broken.counter, whole.counter, whole.lost_before) == (1, 2, 0)
        assert camera.counters() == {"frames": 1, "broken_frames": 1, "lost_frames": 0}


def test_a_camera_that_another_program_holds_is_not_opened(device: RunningDevice) -> None:
    """The error says so, and the camera can be opened once the other one has let go."""
    with camera_on(device):
        with pytest.raises(CameraOpenError, match="held by another program") as refused:
            camera_on(device).open()
        assert refused.value.cause is Cause.HELD
    camera_on(device).open()


@pytest.mark.parametrize("own_process", [False, True])
def test_a_camera_that_is_pulled_out_is_lost_and_comes_back(device: RunningDevice, own_process: bool) -> None:
    """Grab raises, close does not, nobody opens it meanwhile, and afterwards it counts from one."""
    camera = camera_on(device, own_process)
    with camera:
        camera.start()
        assert camera.grab(None, BOUND_S) is not None
        device.end()
        with pytest.raises(CameraLostError):
            grab_all(camera)
    with pytest.raises(CameraOpenError):
        camera.open()
    device.plug_in()
    with camera:
        camera.start()
        frame = camera.grab(None, BOUND_S)
        assert isinstance(frame, Frame)
        assert frame.counter == 1
