"""The uvc camera without a device: options, refusals, discovery in the kernel's folders, JPEG pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camera import CameraOpenError, CameraOptionsError, make_camera
from camera.errors import Cause
from camera.image_size import BadImageError
from camera.uvc import UvcCamera, decoded, devices
from camera.v4l2 import abi
from camera.v4l2.controls import ControlRefusedError, Limits, plain_name
from camera.v4l2.find import node_of
from camera.v4l2.node import VideoNode
from camera.v4l2.options import Options
from camera.v4l2.settings import Stream
from camera.v4l2.stream import BufferQueue


def uvc(**options: object) -> object:
    return make_camera("uvc", "top", {"own_process": False, **options})


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"pixel_format": "NV12"}, "pixel_format = 'NV12': not read; set one of YUYV"),
        ({"size": (0, 480)}, "size = .0, 480.: each side is 1 to 65535"),
        ({"exposure_us": 150}, "exposure_us = 150: the kernel counts in 100 µs"),
        ({"buffers": 1}, "buffers = 1"),
        ({"autos": "on"}, "autos = 'on'"),
        ({"bitrate": 1}, "bitrate: unknown key"),
    ],
)
def test_options_that_make_no_camera_are_refused(options: dict[str, object], text: str) -> None:
    """Each refusal names the value and what is allowed."""
    with pytest.raises(CameraOptionsError, match=text):
        uvc(**options)


def test_nodes_that_are_none_are_refused(tmp_path: Path) -> None:
    """No such node, no video device at all, a device of another kind: each has its own text and cause."""
    absent = make_camera("uvc", "top", {"own_process": False, "device": "/dev/video-none"})
    with pytest.raises(CameraOpenError, match="is not there") as missing:
        absent.open()
    assert missing.value.cause == Cause.ABSENT
    with pytest.raises(CameraOpenError, match="is no video device") as wrong:
        make_camera("uvc", "top", {"own_process": False, "device": "/dev/null"}).open()
    assert wrong.value.cause == Cause.REFUSED
    with pytest.raises(CameraOpenError, match="no camera answers to 'SER1' — there are: none") as none:
        node_of("SER1", "top", tmp_path / "sys", tmp_path / "dev")
    assert none.value.cause == Cause.ABSENT


def test_a_node_that_may_not_be_opened_is_found_with_its_usb_names(tmp_path: Path) -> None:
    """The kernel's folders give serial, maker and link of a camera whose node does not open; other nodes are none."""
    usb = tmp_path / "devices" / "1-2"
    interface = usb / "1-2:1.0"
    interface.mkdir(parents=True)
    for name, text in (("idVendor", "046d"), ("manufacturer", "Maker"), ("product", "Cam"), ("serial", "SER7")):
        (usb / name).write_text(text + "\n")
    node = tmp_path / "sys" / "video3"
    node.mkdir(parents=True)
    (node / "name").write_text("Cam: Cam\n")
    (node / "device").symlink_to(interface)
    dev = tmp_path / "dev"
    by_id = dev / "v4l" / "by-id"
    by_id.mkdir(parents=True)
    (by_id / "usb-Maker_Cam_SER7-video-index0").symlink_to(dev / "video3")
    (found,) = devices(tmp_path / "sys", dev)  # the node itself is not there: as if it was unplugged just now
    assert (found.vendor, found.serial, found.model) == ("Maker", "SER7", "Cam: Cam")
    assert found.id == "usb-Maker_Cam_SER7-video-index0"
    assert found.state == "unknown"
    assert node_of("SER7", "top", tmp_path / "sys", dev) == str(dev / "video3")
    assert node_of("", "top", tmp_path / "sys", dev) == str(dev / "video3")
    (dev / "video3").symlink_to("/dev/null")
    assert node_of(found.id, "top", tmp_path / "sys", dev) == str(by_id / found.id)
    assert devices(tmp_path / "sys", dev) == []


@settings(max_examples=40, deadline=None)
@given(st.integers(-300, 300), st.integers(1, 7), st.booleans())
def test_a_control_takes_what_its_limits_say(value: int, step: int, is_menu: bool) -> None:
    """A number is taken exactly where it lies within the limits and on a step, or is an entry of the menu."""
    entries = {1: "Manual Mode", 3: "Aperture Priority Mode"} if is_menu else {}
    control = Limits(1, "it", 3 if is_menu else 1, -100, 100, step, 0, 0, entries)
    allowed = value in entries if is_menu else -100 <= value <= 100 and (value + 100) % step == 0
    if allowed:
        assert control.number(value) == value
    else:
        with pytest.raises(ControlRefusedError, match="the camera takes"):
            control.number(value)
    if is_menu:
        assert control.number("manual mode") == 1
    with pytest.raises(ControlRefusedError):
        control.number("none of them")


def test_a_number_that_came_before_is_counted_and_no_exposure() -> None:
    """A driver that repeats the kernel's number of a picture is seen in the counters; nothing is judged twice."""
    source = UvcCamera("top", Options())
    source._node, source._queue = object.__new__(VideoNode), object.__new__(BufferQueue)
    source._queue.is_monotonic = True
    source._stream = Stream("GREY", 8, 4, 8, 8, 32, 30.0, ())
    data = np.zeros(32, np.uint8)
    counted = [source._exposure(abi.Buffer(sequence=number), data, None) for number in (5, 6, 6, 5, 8)]
    assert [None if one is None else (one.counter, one.lost_before) for one in counted] == [
        (1, 0),
        (2, 0),
        None,
        None,
        (4, 1),
    ]
    counts = source.counters()
    assert (counts["frames"], counts["unexpected_frames"], counts["lost_frames"]) == (3, 2, 1)


def test_names_of_controls_are_those_of_v4l2_ctl() -> None:
    """As the tool prints them: small letters, one underscore for everything else."""
    assert plain_name("Exposure Time, Absolute") == "exposure_time_absolute"
    assert plain_name("White Balance, Automatic") == "white_balance_automatic"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1_000))
def test_a_jpeg_that_was_cut_off_is_no_picture(cut: int) -> None:
    """A whole picture decodes, whatever fills up its buffer; a shorter one, or one of another size, does not."""
    scene = np.zeros((48, 64, 3), np.uint8)
    scene[:, 32:] = (0, 0, 255)  # red on the right, in OpenCV's order
    jpeg = np.asarray(cv2.imencode(".jpg", scene)[1], np.uint8).ravel()
    padded = np.concatenate([jpeg, np.zeros(cut % 50, np.uint8)])
    picture = decoded(padded, 64, 48)
    assert picture.shape == (48, 64, 3)
    assert picture[24, 50, 0] > 200 > 50 > picture[24, 50, 2]
    with pytest.raises(BadImageError):
        decoded(jpeg[: min(cut, jpeg.size - 2)], 64, 48)
    with pytest.raises(BadImageError, match="64×48 pixels, 48×64 were set"):
        decoded(jpeg, 48, 64)
