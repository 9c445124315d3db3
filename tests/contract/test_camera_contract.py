"""What every camera backend keeps: one suite, one row per backend."""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from gige import FakeProcess, network, require_aravis
from plugin_package import install_plugin
from producers import tlsimu, viky
from rtsp_peer import RtspPeer

from camera import Camera, CameraError, Frame, Pixels, Trigger, make_camera
from camera.raw_recording import RawRecordingWriter

PARTS = 12
LONG_S = 120.0  # a wait that the tests expect to be cut short
BOUND_S = 30.0  # a wait that ends in the first place; reached only by a fault


class NumberedParts:
    """A scene whose pictures tell which part they show: a grey level per part."""

    def render(self, part: int) -> Pixels:
        return np.full((48, 64, 3), level(part), np.uint8)

    def truth(self, part: int) -> str:
        return "good" if part % 3 else "scratch"


def level(part: int) -> int:
    return 15 * ((part - 1) % 16) + 7


@dataclass(frozen=True)
class Backend:
    """How the suite makes one backend: with all of its parts soon, or with the next part far away."""

    name: str
    backend: str
    options: Mapping[str, object]
    slow: Mapping[str, object] | None  # None: by handshake, it never makes the grabbing thread wait
    mono: bool = False
    free_running: bool = False
    """It counts exposures: it tells of no triggers, and what a frame shows is not the part with its number."""
    commanded: Mapping[str, object] | None = None
    """What makes it wait for a trigger from software; None: it never takes one."""
    restarted: Mapping[str, object] | None = None
    """What makes it end by itself after three frames: a driver that grabs ahead drops what was not taken at a stop."""

    finite: bool = True
    """It ends after PARTS frames; a real camera never does."""
    device_clock: bool = False
    """A frame carries the time of a clock of the device's own, not the moment of its trigger."""
    shape: tuple[int, ...] = (48, 64, 3)
    pixel_format: str = "RGB8"
    has_clock: bool = True
    """Its clock can be asked, or its parts come by handshake."""
    waits_for_a_picture: bool = False
    """A grab takes until the next picture, whatever time it is given: its library's read cannot be cut short."""

    stamped: bool = True
    """Its frames carry a time stamp of the device."""
    shows_parts: bool = True
    """Its pictures show the part with their number; an SDK's simulated device shows a pattern of its own."""

    def camera(self, **changes: object) -> Camera:
        return make_camera(self.backend, "top", {**self.options, **changes}, scene=NumberedParts())

    def slow_camera(self) -> Camera:
        return make_camera(self.backend, "top", {**self.options, **(self.slow or {})}, scene=NumberedParts())


def write_folder(folder: Path) -> Path:
    folder.mkdir()
    for part in range(1, PARTS + 1):
        assert cv2.imwrite(str(folder / f"part_{part}.png"), np.full((48, 64), level(part), np.uint8))
    return folder


def write_video(file: Path) -> Path:
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), 200.0, (64, 48))
    assert writer.isOpened()
    for part in range(1, PARTS + 1):
        writer.write(np.full((48, 64, 3), level(part), np.uint8))
    writer.release()
    return file


def write_recording(folder: Path) -> Path:
    writer = RawRecordingWriter(folder, {}, 0)
    for part in range(1, PARTS + 1):
        pixels, at_ns = np.full((48, 64), level(part), np.uint8), part * 5_000_000
        writer.write(Frame("top", part, at_ns, at_ns, 0, "Mono8", pixels))
    writer.close("complete")
    return folder


NAMES = (
    "simulated",
    "simulated-handshake",
    "folder",
    "folder-handshake",
    "folder-preloaded",
    "video",
    "recording",
    "conveyor",
    "own-process",
)
GIGE_NAMES = ("aravis", "aravis-own-process")
SDK_NAMES = ("gentl-grey", "gentl-colour", "gentl-viky", "pylon")
RTSP_NAMES = ("rtsp", "rtsp-own-process")
VIVID = os.environ.get("LINEWARD_TEST_VIVID", "")  # the node of the kernel's test camera
UVC_NAMES = ("uvc",) if VIVID else ()  # in that machine a process of its own would take half a minute to begin


@pytest.fixture(scope="session")
def rtsp_peer() -> Iterator[RtspPeer]:
    with RtspPeer() as peer:
        yield peer


@pytest.fixture(params=(*NAMES, *GIGE_NAMES, *SDK_NAMES, *RTSP_NAMES, *UVC_NAMES))
def backend(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    with contextlib.ExitStack() as running:
        if request.param in GIGE_NAMES:
            yield gige(request.param, running, tmp_path)
        elif request.param in RTSP_NAMES:
            yield rtsp(request.param, request.getfixturevalue("rtsp_peer").url("h264"))
        elif request.param in UVC_NAMES:
            yield uvc(request.param)
        elif request.param in SDK_NAMES:
            yield sdk(request.param, tmp_path)
        else:
            yield made(request, tmp_path, monkeypatch)


def gige(name: str, running: contextlib.ExitStack, folder: Path) -> Backend:
    """A GigE Vision camera that shows the parts' pictures over UDP, in a network of its own."""
    require_aravis()
    running.enter_context(network())
    images = str(write_folder(folder / "images"))
    running.enter_context(FakeProcess("CONTRACT", "--images", images, "--size", "64x48"))
    base: dict[str, object] = {"device": "127.0.0.1", "own_process": name == "aravis-own-process"}
    return Backend(
        name,
        "aravis",
        {**base, "frame_rate_hz": 100.0},
        {"trigger": "line", "trigger_line": "Line1"},
        mono=True,
        free_running=True,
        commanded={**base, "trigger": "software"},
        finite=False,
        device_clock=True,
    )


def rtsp(name: str, url: str) -> Backend:
    """A network camera: a real server's stream."""
    own_process = name == "rtsp-own-process"
    return Backend(
        name,
        "rtsp",
        {"url": url, "own_process": own_process, "max_lag_s": 30.0},
        None,
        free_running=True,
        finite=False,
        pixel_format="BGR8",
        has_clock=False,
        waits_for_a_picture=True,
    )


def uvc(name: str) -> Backend:
    """The kernel's test camera: test_uvc_qemu_soak runs this suite in a machine that has it."""
    exposed = {"timestamp_source": "Start of Exposure"}  # the other one of this camera lies in the future
    base: dict[str, object] = {"device": VIVID, "own_process": False}
    return Backend(
        name,
        "uvc",
        {**base, "size": (320, 180), "controls": exposed, "frame_rate_hz": 30},
        {"frame_rate_hz": 1, "silence_s": 60},
        free_running=True,
        finite=False,
        shape=(180, 640),
        pixel_format="YCbCr601_422_8",
    )


def sdk(name: str, folder: Path) -> Backend:
    """A device that a vendor's SDK simulates: GenTL producers, and pylon's emulation."""
    own: dict[str, object] = {"own_process": False}
    on_call = {"trigger": "software"}
    if name == "pylon":
        own |= {"emulated": True, "images": str(write_folder(folder / "images")), "roi": (0, 0, 64, 48)}
        own |= {"exposure_us": 100.0, "pixel_format": "Mono8"}
        free = {**own, "frame_rate_hz": 200.0}
        return Backend(
            name,
            "pylon",
            free,
            on_call,
            mono=True,
            free_running=True,
            commanded={**own, **on_call},
            finite=False,
            device_clock=True,
            stamped=False,
            shows_parts=False,  # it begins with the first file again at each start
        )
    if name == "gentl-viky":
        own |= {"producer": viky(), "device": "0", "pixel_format": "Mono8"}
        fast = {**own, "features": {"Width": 100, "Height": 100, "AcquisitionFrameRate": 200.0}}
        slow = {"features": {"Width": 100, "Height": 100, "AcquisitionFrameRate": 1.0}}
        return Backend(
            name,
            "genicam",
            fast,
            slow,
            free_running=True,
            finite=False,
            stamped=False,
            shows_parts=False,
            shape=(100, 100),
            pixel_format="Mono8",
        )
    grey = name == "gentl-grey"
    own |= {"producer": tlsimu(), "device": f"SN_InterfaceA_{0 if grey else 1}"}
    own |= {"features": {"Width": 64, "Height": 48}}
    return Backend(
        name,
        "genicam",
        own,
        on_call,
        mono=grey,
        free_running=True,
        commanded={**own, **on_call},
        finite=False,
        device_clock=True,
        stamped=False,  # its stamps begin anew each second, and are not used from then on
        shows_parts=False,
    )


def made(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Backend:
    """A backend that is all software."""
    options: dict[str, object]
    belt = {"parts": PARTS, "pitch_mm": 5.0, "jitter_mm": 1.0, "speed_mm_s": 1000.0, "readout_ms": 0.5}
    far = {"pitch_mm": 10_000.0, "speed_mm_s": 1.0}
    match request.param:
        case "simulated":
            return Backend(request.param, "simulated", belt, far, commanded={**belt, "trigger": "software"})
        case "recording":
            options = {"path": write_recording(tmp_path / "recording")}
            return Backend(request.param, "replay", options, {"rate_hz": 1e-4}, mono=True)
        case "own-process":
            install_plugin(tmp_path, monkeypatch, "belted", belted="belted_camera:BACKEND")
            commanded = {**belt, "trigger": "software"}
            return Backend(request.param, "belted", belt, far, commanded=commanded, restarted={"per_start": 3})
        case "simulated-handshake":
            return Backend(request.param, "simulated", {**belt, "paced": False}, None)
        case "conveyor":
            # One frame per millisecond; the part leaves the picture with frame 12.
            moving = {"width": 64, "height": 48, "mm_per_px": 1.0, "speed_mm_s": 10_000.0, "frame_rate_hz": 1_000.0}
            lying = {"parts": 1, "length_mm": 20.0, "pitch_mm": 22.0, "jitter_mm": 0.0}
            slow = {"frame_rate_hz": 1e-4}
            return Backend(request.param, "conveyor", {**moving, **lying}, slow, free_running=True)
        case "video":
            return Backend(request.param, "replay", {"path": write_video(tmp_path / "v.mp4")}, {"rate_hz": 1e-4})
    options = {"path": write_folder(tmp_path / "images"), "rate_hz": 200.0}
    if request.param == "folder-handshake":
        return Backend(request.param, "replay", {**options, "rate_hz": 0}, None, mono=True)
    preload = request.param == "folder-preloaded"
    commanded = {"path": options["path"], "preload": preload, "trigger": "software"}
    options["preload"] = preload
    return Backend(request.param, "replay", options, {"rate_hz": 1e-4}, mono=True, commanded=commanded)


def grab_all(camera: Camera, backend: Backend) -> list[Frame]:
    """Return all frames of a source that ends, the first PARTS of one that does not."""
    frames: list[Frame] = []
    while not camera.exhausted and (backend.finite or len(frames) < PARTS):
        frame = camera.grab(None, BOUND_S)
        if frame is not None:
            frames.append(frame)
    return frames


def first_trigger(camera: Camera) -> Trigger | None:
    """Trigger a device once it takes one: it may still be getting rid of the exposure before its restart."""
    until = time.monotonic() + BOUND_S
    while time.monotonic() < until:
        if (trigger := camera.trigger()) is not None:
            return trigger
        assert camera.grab(None, 0.02) is None
    return None


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def in_thread(call: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread


def joined(thread: threading.Thread) -> bool:
    thread.join(BOUND_S)
    return not thread.is_alive()


def test_calls_outside_the_life_cycle_are_refused_or_silent(backend: Backend) -> None:
    """A closed camera refuses to start or grab, an open one that is not started gives nothing."""
    camera = backend.camera()
    for call in (camera.start, lambda: camera.grab(None, 0.0), lambda: camera.wait_trigger(0.0)):
        with pytest.raises(CameraError, match="not open"):
            call()
    with camera:
        assert camera.grab(None, 0.0) is None
        if backend.free_running:
            with pytest.raises(CameraError, match="does not report triggers"):
                camera.wait_trigger(0.0)
        else:
            assert camera.wait_trigger(0.0) is None


def test_open_start_stop_and_close_are_idempotent(backend: Backend) -> None:
    """Each life-cycle call may be repeated; close may follow any state, and the camera opens again after it."""
    camera = backend.camera()
    camera.close()
    for _ in range(2):
        camera.open()
        camera.open()
        camera.start()
        camera.start()
        frame = camera.grab(None, BOUND_S)
        assert frame is not None
        assert frame.counter == 1
        camera.stop()
        camera.stop()
        assert camera.grab(None, 0.0) is None
        camera.close()
        camera.close()


def test_frames_show_their_own_part_with_all_fields(backend: Backend) -> None:
    """All parts arrive in order; counter, clocks, format, shape and content belong to the same part."""
    with backend.camera() as camera:
        camera.start()
        frames = grab_all(camera, backend)
    assert [frame.counter for frame in frames] == list(range(1, PARTS + 1))
    for frame in frames:
        assert frame.camera == "top"
        assert frame.lost_before == 0
        assert frame.pixel_format == ("Mono8" if backend.mono else backend.pixel_format)
        assert frame.pixels.shape == ((48, 64) if backend.mono else backend.shape)
        assert frame.pixels.dtype == np.uint8
        assert frame.pixels.flags.writeable is not camera.lends_frames
        if not backend.free_running:
            assert abs(float(frame.pixels.mean()) - level(frame.counter)) < 5
    assert all(a.received_host_ns < b.received_host_ns for a, b in pairwise(frames))
    device_ns = [frame.device_ns for frame in frames if frame.device_ns is not None]
    assert len(device_ns) == PARTS or not backend.stamped
    assert device_ns == sorted(set(device_ns))


def test_the_clock_that_was_read_dates_the_frames(backend: Backend) -> None:
    """Before the start nobody can tell; then what it showed tells of every frame that it came before its receipt."""
    with backend.camera() as camera:
        assert camera.read_clock() is None
        camera.start()
        reading = camera.read_clock()
        frames = grab_all(camera, backend)
        camera.stop()
        assert camera.read_clock() is None
    if reading is None:
        assert camera.waits_for_host or not (backend.has_clock and backend.stamped)
        return
    assert backend.has_clock
    assert reading.before_host_ns <= reading.after_host_ns
    for frame in frames:
        assert frame.device_ns is not None
        exposed_host_ns = reading.before_host_ns + frame.device_ns - reading.device_ns
        assert reading.before_host_ns - reading.device_ns <= exposed_host_ns <= frame.received_host_ns


def test_a_given_buffer_holds_the_pixels(backend: Backend) -> None:
    """The frame's pixels are a view of the buffer; one that is too small is refused and the frame is not lost."""
    buffer = np.zeros(math.prod(backend.shape) + 11, np.uint8)
    with backend.camera() as camera:
        camera.start()
        with pytest.raises(ValueError, match="buffer"):
            camera.grab(buffer[:100], BOUND_S)
        with pytest.raises(ValueError, match="buffer"):
            camera.grab(buffer.reshape(1, -1), BOUND_S)
        frame = camera.grab(buffer, BOUND_S)
        assert frame is not None
        assert frame.counter == 1
        assert np.shares_memory(frame.pixels, buffer)
        if not backend.free_running:
            assert abs(int(buffer[0]) - level(1)) < 5


def test_each_frame_had_its_trigger(backend: Backend) -> None:
    """From two threads: every part is triggered once, in order, and never later than its frame; both threads end."""
    triggers: list[Trigger] = []
    if backend.free_running:
        assert not backend.camera().reports_triggers
        return
    with backend.camera() as camera:

        def listen() -> None:
            while not camera.exhausted:
                trigger = camera.wait_trigger(BOUND_S)
                if trigger is not None:
                    triggers.append(trigger)

        camera.start()
        listener = in_thread(listen)
        frames = grab_all(camera, backend)
        assert joined(listener)
        assert camera.exhausted
        assert camera.grab(None, LONG_S) is None
    assert [trigger.number for trigger in triggers] == list(range(1, PARTS + 1))
    assert all(a.host_ns < b.host_ns for a, b in pairwise(triggers))
    crossed = {trigger.number: trigger.host_ns for trigger in triggers}
    assert len(frames) == PARTS
    assert all(crossed[frame.counter] <= frame.received_host_ns for frame in frames)


def test_a_wait_that_runs_out_gives_nothing(backend: Backend) -> None:
    """A grab or a wait for a trigger whose time is up returns None and is no fault."""
    if backend.waits_for_a_picture:
        with backend.camera() as camera:
            camera.start()
            assert camera.grab(None, BOUND_S) is not None
        return
    if backend.slow is None:  # by handshake no part comes before the grabbing thread asks for it
        with backend.camera() as camera:
            camera.start()
            assert camera.wait_trigger(0.01) is None
        return
    with backend.slow_camera() as camera:
        camera.start()
        triggered = not backend.free_running
        while camera.grab(None, 0.01) is not None or (triggered and camera.wait_trigger(0.01) is not None):
            pass
        assert camera.grab(None, 0.01) is None
        assert not triggered or camera.wait_trigger(0.0) is None
        assert not camera.exhausted


@pytest.mark.parametrize("ending", ["stop", "close"])
def test_stop_and_close_end_both_waits(backend: Backend, ending: str) -> None:
    """While one thread waits for a frame and one for a trigger, stop or close makes both return nothing in time."""
    camera = backend.slow_camera()
    camera.open()
    camera.start()
    seen: list[object] = []
    entering = threading.Barrier(2 if backend.free_running else 3)

    def wait(call: Callable[[], object]) -> None:
        entering.wait(BOUND_S)
        try:
            while (given := call()) is not None:
                seen.append(given)
        except CameraError:  # close() may win the race before the call was entered
            assert ending == "close"

    waits = [] if backend.free_running else [in_thread(lambda: wait(lambda: camera.wait_trigger(LONG_S)))]
    waits.append(in_thread(lambda: wait(lambda: camera.grab(None, LONG_S))))
    entering.wait(BOUND_S)
    getattr(camera, ending)()
    assert all(joined(thread) for thread in waits)
    camera.close()
    if backend.slow is not None:
        assert len(seen) <= 2  # a replay's first picture is due at once


def test_a_restart_goes_on_counting(backend: Backend) -> None:
    """After stop and start the numbers go on; no frame comes twice and no gap is hidden."""
    frames: list[Frame] = []
    with backend.camera(**(backend.restarted or {})) as camera:
        while not camera.exhausted and (backend.finite or len(frames) < PARTS):
            camera.start()
            for _ in range(3):
                frame = camera.grab(None, BOUND_S)
                if frame is not None:
                    frames.append(frame)
            camera.stop()
    counters = [frame.counter for frame in frames]
    assert counters == sorted(set(counters))
    assert [frame.lost_before for frame in frames] == [
        b - a - 1 for a, b in zip([0, *counters], counters, strict=False)
    ]
    assert counters[-1] == PARTS if backend.finite else counters[-1] >= PARTS


def test_nothing_is_left_behind(backend: Backend) -> None:
    """A driver has no thread of its own, and close gives back every file handle."""

    def once() -> None:
        with backend.camera() as camera:
            camera.start()
            assert camera.grab(None, BOUND_S) is not None

    once()  # libraries may keep a thread pool or a handle of their own from the first use on
    threads, handles = threading.active_count(), open_files()
    for _ in range(3):
        once()
    assert threading.active_count() == threads
    assert open_files() == handles


def test_a_software_trigger_makes_the_frame_with_its_number(backend: Backend) -> None:
    """No frame comes without one, each trigger gives the next part, numbers go on after a restart, and it ends.

    A camera that follows a trigger of its own refuses; one that is closed or stopped makes nothing.
    """
    if backend.commanded is None:
        with backend.camera() as camera, pytest.raises(CameraError, match="takes none from software"):
            camera.trigger()
        return
    camera = make_camera(backend.backend, "top", backend.commanded, scene=NumberedParts())
    with pytest.raises(CameraError, match="not open"):
        camera.trigger()
    with camera:
        assert camera.takes_software_trigger
        assert camera.trigger() is None
        for number in range(1, PARTS + 1):
            camera.start()
            assert camera.grab(None, 0.02) is None
            trigger = camera.trigger()
            frame = camera.grab(None, BOUND_S)
            assert trigger is not None
            assert frame is not None
            assert (trigger.number, frame.counter, frame.lost_before) == (number, number, 0)
            assert frame.device_ns == trigger.host_ns or backend.device_clock
            assert frame.received_host_ns >= trigger.host_ns
            assert not backend.shows_parts or abs(int(frame.pixels.flat[0]) - level(number)) <= 2
            if number % 5 == 0:
                camera.stop()
        if backend.finite:
            assert camera.trigger() is None
            assert camera.exhausted


def test_a_software_trigger_is_refused_before_frames_pile_up(backend: Backend) -> None:
    """Triggers whose frames nobody takes end in a refusal, not in a queue; a stop forgets them."""
    if backend.commanded is None:
        return
    endless: dict[str, object] = {"loop": True} if backend.backend == "replay" else {"parts": None}
    if not backend.finite:
        endless = {}
    with make_camera(backend.backend, "top", {**backend.commanded, **endless}, scene=NumberedParts()) as camera:
        camera.start()
        taken = 0
        while camera.trigger() is not None:
            taken += 1
            assert taken < 1000
        camera.stop()
        camera.start()
        assert camera.grab(None, 0.02) is None
        trigger = first_trigger(camera) if backend.device_clock else camera.trigger()
        frame = camera.grab(None, BOUND_S)
        assert trigger is not None
        assert frame is not None
        assert trigger.number == frame.counter == taken + 1
        assert frame.lost_before == taken
