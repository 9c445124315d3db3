"""The rows of the camera contract with a device: GigE Vision, SDKs, RTSP, and the kernel's test camera."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from camera_rows import SIZE, level, write_folder
from gige import FakeProcess, network, require_aravis
from producers import tlsimu, viky

from camera.contract import CameraUnderTest

GIGE_NAMES = ("aravis", "aravis-own-process")
SDK_NAMES = ("gentl-grey", "gentl-colour", "gentl-viky", "pylon")
RTSP_NAMES = ("rtsp", "rtsp-own-process")
VIVID = os.environ.get("LINEWARD_TEST_VIVID", "")  # the node of the kernel's test camera
UVC_NAMES = ("uvc",) if VIVID else ()  # in that machine a process of its own would take half a minute to begin
ON_CALL = {"trigger": "software"}


def gige(name: str, running: contextlib.ExitStack, folder: Path) -> CameraUnderTest:
    """A GigE Vision camera that shows the parts' pictures over UDP, in a network of its own."""
    require_aravis()
    running.enter_context(network())
    images = str(write_folder(folder / "images"))
    running.enter_context(FakeProcess("CONTRACT", "--images", images, "--size", "64x48"))
    base: dict[str, object] = {"device": "127.0.0.1", "own_process": name == "aravis-own-process"}
    return CameraUnderTest(
        "aravis",
        {**base, "frame_rate_hz": 100.0},
        slow={"trigger": "line", "trigger_line": "Line1"},
        commanded={**base, **ON_CALL},
        shape=SIZE,
        pixel_format="Mono8",
        grey_of=level,
    )


def rtsp(name: str, url: str) -> CameraUnderTest:
    """A network camera: a real server's stream. A grab takes until the next picture, whatever time it is given."""
    return CameraUnderTest(
        "rtsp",
        {"url": url, "own_process": name == "rtsp-own-process", "max_lag_s": 30.0},
        has_clock=False,
        device_clock=False,
        shape=(*SIZE, 3),
        pixel_format="BGR8",
    )


def uvc() -> CameraUnderTest:
    """The kernel's test camera: test_uvc_qemu_soak runs this suite in a machine that has it."""
    exposed = {"timestamp_source": "Start of Exposure"}  # the other one of this camera lies in the future
    return CameraUnderTest(
        "uvc",
        {"device": VIVID, "own_process": False, "size": (320, 180), "controls": exposed, "frame_rate_hz": 30},
        slow={"frame_rate_hz": 1, "silence_s": 60},
        device_clock=False,
        shape=(180, 640),
        pixel_format="YCbCr601_422_8",
    )


def sdk(name: str, folder: Path) -> CameraUnderTest:
    """A device that a vendor's SDK simulates: GenTL producers, and pylon's emulation."""
    match name:
        case "pylon":
            return pylon(folder)
        case "gentl-viky":
            return game()
    grey = name == "gentl-grey"
    own: dict[str, object] = {
        "own_process": False,
        "producer": tlsimu(),
        "device": f"SN_InterfaceA_{0 if grey else 1}",
        "features": {"Width": 64, "Height": 48},
    }
    return CameraUnderTest(
        "genicam",
        own,
        slow=ON_CALL,
        commanded={**own, **ON_CALL},
        stamped=False,  # its stamps begin anew each second, and are not used from then on
        shape=SIZE if grey else (*SIZE, 3),
        pixel_format="Mono8" if grey else "RGB8",
    )


def pylon(folder: Path) -> CameraUnderTest:
    """Pylon's emulation; it begins with the first picture again at each start."""
    own: dict[str, object] = {
        "own_process": False,
        "emulated": True,
        "images": str(write_folder(folder / "images")),
        "roi": (0, 0, 64, 48),
        "exposure_us": 100.0,
        "pixel_format": "Mono8",
    }
    return CameraUnderTest(
        "pylon",
        {**own, "frame_rate_hz": 200.0},
        slow=ON_CALL,
        commanded={**own, **ON_CALL},
        stamped=False,
        shape=SIZE,
        pixel_format="Mono8",
    )


def game() -> CameraUnderTest:
    """The game that a GenTL producer draws."""
    size = {"Width": 100, "Height": 100}
    own: dict[str, object] = {"own_process": False, "producer": viky(), "device": "0", "pixel_format": "Mono8"}
    return CameraUnderTest(
        "genicam",
        {**own, "features": {**size, "AcquisitionFrameRate": 200.0}},
        slow={"features": {**size, "AcquisitionFrameRate": 1.0}},
        device_clock=False,
        stamped=False,
        shape=(100, 100),
        pixel_format="Mono8",
    )
