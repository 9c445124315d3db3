"""A Basler camera as pylon emulates it: what it shows, and its bad days."""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from camera_losses import lost

pytest.importorskip("pypylon")

from camera import Camera, CameraError, CameraLostError, CameraOpenError, CameraOptionsError, Frame, make_camera
from camera.errors import Cause, NodeError
from camera.frame import BrokenFrame
from camera.frame_memory import PrivateMemory
from camera.genicam.settings import load_user_set, save_user_set
from camera.genicam.software_trigger import SoftwareTriggers
from camera.own_process.camera import IsolatedCamera
from camera.pylon.camera import PylonCamera
from camera.pylon.link import PylonLink

BOUND_S = 30.0
FIRST, SECOND = "0815-0000", "0815-0001"  # the serial numbers that pylon gives
SIZE = (64, 48)
LEVELS = (20, 70, 120, 170)
INCOMPLETE = "incompletely grabbed"


@pytest.fixture(autouse=True)
def emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pylon emulate two cameras; it reads the number at each search."""
    monkeypatch.setenv("PYLON_CAMEMU", "2")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for name, level in zip(("a", "b", "c", "d"), LEVELS, strict=True):
        assert cv2.imwrite(str(folder / f"{name}.png"), np.full(SIZE[::-1], level, np.uint8))
    return folder


@pytest.fixture
def make(images: Path) -> Callable[..., Camera]:
    """Make a camera that shows the four levels, over and over; 200 pictures a second where nothing triggers it."""

    def made(**options: object) -> Camera:
        base = {"emulated": True, "device": FIRST, "own_process": False, "images": str(images)}
        fast = {"ExposureTimeAbs": 100.0}  # ExposureTime of the emulation is a number without effect
        shown = {"roi": (0, 0, *SIZE), "pixel_format": "Mono8", "features": fast, "trigger_answer_s": BOUND_S}
        free = {} if "trigger" in options else {"frame_rate_hz": 200.0}
        return make_camera("pylon", "top", {**base, **shown, **free, **options})

    return made


def one(camera: Camera) -> Frame | BrokenFrame:
    came = camera.grab(None, BOUND_S)
    assert came is not None
    return came


def whole(camera: Camera) -> Frame:
    frame = one(camera)
    assert isinstance(frame, Frame), frame
    return frame


def shown(frame: Frame) -> int:
    """Return the level of a picture that has only one."""
    assert frame.pixels.shape == SIZE[::-1]
    (level,) = np.unique(frame.pixels)
    return int(level)


def fail(camera: Camera, count: int) -> None:
    """Let the emulation fill so many buffers only in part from now on."""
    assert camera.nodes is not None
    camera.nodes.set("ForceFailedBufferCount", count)
    camera.nodes.execute("ForceFailedBuffer")


def link_of(camera: Camera) -> PylonLink:
    assert isinstance(camera, PylonCamera)
    assert isinstance(camera._link, PylonLink)
    return camera._link


def fire(camera: Camera) -> int:
    """Trigger as soon as the device takes one; return the number."""
    until = time.monotonic() + BOUND_S
    while time.monotonic() < until:
        if (trigger := camera.trigger()) is not None:
            return trigger.number
    raise AssertionError("no trigger was taken")


def test_the_images_come_in_the_order_of_their_names_and_begin_again(make: Callable[..., Camera]) -> None:
    """Over and over; a new start begins with the first one again, and counters go on."""
    with make() as camera:
        for start in (0, 9):
            camera.start()
            frames = [whole(camera) for _ in range(9)]
            camera.stop()
            assert [shown(frame) for frame in frames] == [LEVELS[place % 4] for place in range(9)]
            assert [frame.counter - start for frame in frames] == list(range(1, 10))


def test_buffers_that_fail_are_broken_frames_and_the_next_is_whole(make: Callable[..., Camera]) -> None:
    """Each has its counter and the reason; what comes after shows the picture of its own counter."""
    with make() as camera:
        camera.start()
        came = [one(camera) for _ in range(3)]
        fail(camera, 3)
        came += [one(camera) for _ in range(30)]
        counters = camera.counters()
    broken = [exposure for exposure in came if isinstance(exposure, BrokenFrame)]
    assert len(broken) == counters["broken_frames"] == 3
    assert all(INCOMPLETE in exposure.why for exposure in broken)
    assert [exposure.counter for exposure in came] == list(range(1, 34))
    assert all(exposure.lost_before == 0 for exposure in came)
    for frame in came:
        assert isinstance(frame, BrokenFrame) or shown(frame) == LEVELS[(frame.counter - 1) % 4]
    assert isinstance(came[-1], Frame)
    assert (counters["frames"], counters["wrong_size"]) == (30, 0)


def test_a_buffer_that_fails_is_its_own_triggers(make: Callable[..., Camera]) -> None:
    """The part whose picture failed has none; those beside it have theirs."""
    with make(trigger="software") as camera:
        camera.start()
        for number in range(1, 8):
            if number == 4:
                fail(camera, 1)
            assert fire(camera) == number
            came = one(camera)
            assert (came.counter, came.lost_before) == (number, 0)
            assert isinstance(came, BrokenFrame) == (number == 4)
            assert isinstance(came, BrokenFrame) or shown(came) == LEVELS[(number - 1) % 4]


def test_a_file_that_is_no_image_is_a_broken_frame(make: Callable[..., Camera], tmp_path: Path) -> None:
    """Those beside it are whole; a folder without any image gives no image."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    for name in ("1", "3"):
        assert cv2.imwrite(str(folder / f"{name}.png"), np.full(SIZE[::-1], 90, np.uint8))
    (folder / "2.png").write_bytes(b"no picture")
    with make(images=str(folder)) as camera:
        camera.start()
        came = [one(camera) for _ in range(5)]
    assert [isinstance(exposure, BrokenFrame) for exposure in came] == [False, True, False, False, True]
    assert all("2.png" in exposure.why for exposure in came if isinstance(exposure, BrokenFrame))
    (tmp_path / "empty").mkdir()
    with make(images=str(tmp_path / "empty")) as camera:
        camera.start()
        assert isinstance(one(camera), BrokenFrame)


def test_an_error_of_the_transport_loses_the_camera_and_it_opens_again(make: Callable[..., Camera]) -> None:
    """What pylon says is in the text; from then on every grab says so; opened again it counts from one."""
    camera = make()
    camera.open()
    camera.start()
    assert whole(camera).counter == 1
    grabber = link_of(camera)._camera.GetStreamGrabberNodeMap()
    grabber.GetNode("ImposedError").Value = "the cable is chewed"
    error = lost(camera)
    assert error.cause is Cause.CONTROL_LOST
    assert "the cable is chewed" in str(error)
    with pytest.raises(CameraLostError):
        camera.grab(None, 0.0)
    assert camera.counters()["frames"] >= 1
    camera.close()
    with camera:
        camera.start()
        assert whole(camera).counter == 1


def test_a_camera_that_vanishes_is_absent_until_it_is_back(
    make: Callable[..., Camera], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Triggered and idle it is lost, for it is there no more; then it is absent by name; plugged in, it opens."""
    camera = make(device=SECOND, trigger="software")
    camera.open()
    camera.start()
    assert fire(camera) == one(camera).counter == 1
    monkeypatch.setenv("PYLON_CAMEMU", "1")
    assert lost(camera).cause is Cause.CONTROL_LOST
    camera.close()
    with pytest.raises(CameraOpenError, match=rf"no camera answers to '{SECOND}' — there are: .*{FIRST}") as absent:
        camera.open()
    assert absent.value.cause is Cause.ABSENT
    monkeypatch.setenv("PYLON_CAMEMU", "2")
    with camera:
        camera.start()
        assert fire(camera) == one(camera).counter == 1


def test_a_feature_of_a_camera_that_vanished_is_lost(
    make: Callable[..., Camera], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that fails because the device is away is a loss, one that fails by its value is not."""
    with make(device=SECOND) as camera:
        nodes = camera.nodes
        assert nodes is not None
        with pytest.raises(NodeError, match="1 … 4096"):
            nodes.set("Width", 33_333)
        monkeypatch.setenv("PYLON_CAMEMU", "1")
        with pytest.raises(CameraLostError, match="no more"):
            nodes.set("Width", 33_333)


@pytest.mark.parametrize(
    ("feature", "value", "came"), [("Width", 32, "32×48 Mono8"), ("PixelFormat", "Mono12", "Mono12")]
)
def test_another_size_or_format_is_never_an_image(
    make: Callable[..., Camera], feature: str, value: int | str, came: str
) -> None:
    """Somebody sets the device otherwise and starts it again behind the driver: broken, whatever the buffer holds."""
    with make() as camera:
        camera.start()
        link = link_of(camera)
        link.end()
        link.nodes.set(feature, value)
        link.begin(PrivateMemory)
        broken = [one(camera) for _ in range(4)]
        assert all(isinstance(exposure, BrokenFrame) for exposure in broken)
        assert all(f"{came} came" in exposure.why for exposure in broken if isinstance(exposure, BrokenFrame))
        assert camera.counters()["wrong_size"] == 4
        assert camera.counters()["frames"] == 0


def test_a_hundred_software_triggers_make_a_hundred_pictures(make: Callable[..., Camera]) -> None:
    """Each shows its own part; while one is out the next is refused, so that none is mistaken."""
    with make(trigger="software") as camera:
        camera.start()
        for number in range(1, 101):
            assert fire(camera) == number
            assert camera.trigger() is None
            frame = whole(camera)
            assert (frame.counter, frame.lost_before) == (number, 0)
            assert shown(frame) == LEVELS[(number - 1) % 4]
        assert camera.grab(None, 0.05) is None
        assert camera.counters() == camera.counters() | {"frames": 100, "unexpected_frames": 0, "lost_frames": 0}


def test_triggers_of_somebody_else_give_no_part_a_picture(make: Callable[..., Camera]) -> None:
    """Twenty at once that nobody here asked for: what comes of them is counted and thrown away, then all goes on."""
    with make(trigger="software") as camera:
        camera.start()
        assert fire(camera) == whole(camera).counter == 1
        link = link_of(camera)
        for _ in range(20):
            link.nodes.execute("TriggerSoftware")
        until = time.monotonic() + BOUND_S
        while camera.counters()["unexpected_frames"] < 1 and time.monotonic() < until:
            assert camera.grab(None, 0.05) is None
        triggers = camera._triggers  # type: ignore[attr-defined]
        assert isinstance(triggers, SoftwareTriggers)
        while triggers.must_restart and time.monotonic() < until:
            assert camera.grab(None, 0.05) is None
        assert fire(camera) == 2
        frame = whole(camera)
        assert (frame.counter, frame.lost_before) == (2, 0)


def test_an_idle_triggered_camera_is_no_fault(make: Callable[..., Camera]) -> None:
    """Longer than its sign of life is looked for, nothing comes and nothing is wrong."""
    with make(trigger="software") as camera:
        camera.start()
        assert camera.grab(None, 2.2) is None
        assert fire(camera) == whole(camera).counter == 1


@pytest.mark.parametrize(
    ("options", "cause", "words"),
    [
        ({"device": ""}, Cause.REFUSED, f"2 cameras answer — there are: .*{FIRST}.*{SECOND}"),
        ({"device": "nobody"}, Cause.ABSENT, f"no camera answers to 'nobody' — there are: .*{FIRST}.*{SECOND}"),
        ({"images": "/nowhere"}, Cause.ABSENT, "is no folder"),
        ({"roi": (0, 0, 5000, 48)}, Cause.REFUSED, "Width.* = 5000.*1 to 4096"),
        ({"pixel_format": "Mono12p"}, Cause.REFUSED, "PixelFormat.*one of Mono8"),
        ({"pixel_format": "RGB16Packed"}, Cause.REFUSED, "'RGB16Packed' is not read"),
        ({"user_set": "UserSet1"}, Cause.REFUSED, "one of Default"),
        ({"features": {"Nonsense": 1}}, Cause.REFUSED, "Nonsense"),
    ],
)
def test_what_cannot_be_opened_says_why_and_stays_free(
    make: Callable[..., Camera], options: dict[str, object], cause: Cause, words: str
) -> None:
    """Each reason has its cause and names what there is; the device opens right after."""
    with pytest.raises(CameraOpenError, match=words) as refused:
        make(**options).open()
    assert refused.value.cause is cause
    with make():
        pass


def test_only_the_emulation_shows_files(images: Path) -> None:
    """A real camera shows what is before it: the option is refused before anything is opened."""
    with pytest.raises(CameraOptionsError, match="needs emulated = true"):
        make_camera("pylon", "top", {"images": str(images)})


def test_user_sets_are_loaded_and_one_that_cannot_be_saved_says_so(make: Callable[..., Camera]) -> None:
    """The emulation has the set Default alone and keeps nothing over a power cycle."""
    with make(user_set="Default") as camera:
        nodes = camera.nodes
        assert nodes is not None
        load_user_set(nodes, "Default", "top")
        with pytest.raises(CameraOpenError, match="UserSetSave") as refused:
            save_user_set(nodes, "Default", "top")
        assert refused.value.cause is Cause.REFUSED


def test_two_cameras_of_one_process_stream_beside_each_other(make: Callable[..., Camera]) -> None:
    """Each counts its own, and the end of one does not end the other."""
    with make(device=SECOND) as second:
        second.start()
        with make(device=FIRST) as first:
            first.start()
            for number in range(1, 11):
                assert whole(first).counter == whole(second).counter == number
        assert whole(second).counter == 11


def test_twenty_reopenings_leave_nothing_behind(make: Callable[..., Camera]) -> None:
    """File handles, threads and memory are after twenty more openings what they were after five."""
    process = psutil.Process()

    def once() -> None:
        with make() as camera:
            camera.start()
            whole(camera)

    for _ in range(5):
        once()
    gc.collect()
    files, threads, resident = process.num_fds(), process.num_threads(), process.memory_info().rss
    for _ in range(20):
        once()
    gc.collect()
    assert (process.num_fds(), process.num_threads()) == (files, threads)
    assert process.memory_info().rss - resident < 20e6


def test_its_driver_may_die_in_its_own_process(make: Callable[..., Camera]) -> None:
    """Killed in mid-stream: it crashed, nothing here did; opened again it streams, fails and triggers as before."""
    camera = make(own_process=True)
    assert isinstance(camera, IsolatedCamera)
    camera.open()
    camera.start()
    assert shown(whole(camera)) == LEVELS[0]
    assert camera.process_id is not None
    os.kill(camera.process_id, signal.SIGKILL)
    error = lost(camera)
    assert error.cause is Cause.CRASHED
    assert "SIGKILL" in str(error)
    camera.close()
    with camera:
        camera.start()
        assert whole(camera).counter == 1
        fail(camera, 2)
        broken: list[BrokenFrame] = []
        until = time.monotonic() + BOUND_S
        while len(broken) < 2 and time.monotonic() < until:
            came = one(camera)
            broken += [came] if isinstance(came, BrokenFrame) else []
        assert [INCOMPLETE in exposure.why for exposure in broken] == [True, True]
        assert isinstance(one(camera), Frame)
        assert camera.counters()["driver_restarts"] == 1


def test_software_triggers_keep_their_pictures_through_its_own_process(make: Callable[..., Camera]) -> None:
    """A hundred of a hundred, by number and by what they show; the driver may take the next one meanwhile."""
    with make(own_process=True, trigger="software") as camera:
        camera.start()
        for number in range(1, 101):
            assert fire(camera) == number
            frame = whole(camera)
            assert (frame.counter, frame.lost_before, shown(frame)) == (number, 0, LEVELS[(number - 1) % 4])


def test_a_camera_that_vanished_is_absent_in_its_own_process_too(
    make: Callable[..., Camera], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cause and the text come over the border; each opening looks anew."""
    monkeypatch.setenv("PYLON_CAMEMU", "1")
    camera = make(device=SECOND, own_process=True)
    with pytest.raises(CameraError, match="no camera answers") as absent:
        camera.open()
    assert absent.value.cause is Cause.ABSENT
    monkeypatch.setenv("PYLON_CAMEMU", "2")
    with camera:
        camera.start()
        assert whole(camera).counter == 1
