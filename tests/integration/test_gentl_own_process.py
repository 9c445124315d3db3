"""GenTL producers in processes of their own: what they see, what they lie about, and how they die."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from producers import tlsimu, viky

from camera import CameraLostError, CameraOpenError, Frame, make_camera
from camera.discovery import find_devices
from camera.errors import Cause, NodeError
from camera.frame import BrokenFrame
from camera.gentl.camera import GentlCamera
from camera.own_process.camera import IsolatedCamera

BOUND_S = 30.0
GREY, COLOUR = "SN_InterfaceA_0", "SN_InterfaceA_1"
SMALL = {"Width": 64, "Height": 48}


def camera(producer: str, device: str, **options: object) -> IsolatedCamera:
    made = make_camera("genicam", "top", {"producer": producer, "device": device, **options})
    assert isinstance(made, IsolatedCamera)
    return made


@contextmanager
def streaming(producer: str, device: str, **options: object) -> Iterator[IsolatedCamera]:
    with camera(producer, device, **options) as opened:
        opened.start()
        yield opened


def one(source: IsolatedCamera) -> Frame | BrokenFrame:
    came = source.grab(None, BOUND_S)
    assert came is not None
    return came


def grab_to_the_end(source: IsolatedCamera) -> None:
    while True:
        one(source)


def loaded() -> set[str]:
    """Return the producers that this process has in its memory."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    return {line.split()[-1] for line in maps if line.endswith(".cti")}


def test_the_search_sees_the_devices_of_both_producers_and_loads_neither_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four of TLSimu and three of Viky, all free; what is no producer in the folders is passed over."""
    folders = [str(Path(producer).parent) for producer in (tlsimu(), viky())]
    monkeypatch.setenv("GENICAM_GENTL64_PATH", os.pathsep.join([*folders, "/nowhere"]))
    before = loaded()
    found, problems = find_devices(["genicam"])
    assert problems == []
    assert sorted(device.model for device in found) == ["TLSimuColor"] * 2 + ["TLSimuMono"] * 2 + ["Viky"] * 3
    assert {GREY, COLOUR} <= {device.serial for device in found}
    assert {device.state for device in found} == {"free"}
    assert loaded() == before


@pytest.mark.parametrize(
    ("device", "pixel_format", "sent"),
    [(GREY, "Mono12Packed", "Mono8"), (GREY, "YUV422_8_UYVY", "Mono8"), (COLOUR, "BGR8", "RGB8")],
)
def test_a_device_that_lies_about_its_format_gives_no_image(device: str, pixel_format: str, sent: str) -> None:
    """TLSimu takes any format and sends its own: over the border, too, each exposure is known of and is no image."""
    with streaming(tlsimu(), device, pixel_format=pixel_format, features=SMALL) as source:
        came = [one(source) for _ in range(3)]
        assert [exposure.counter for exposure in came] == [1, 2, 3]
        wanted = f"64×48 {sent} came, 64×48 {pixel_format} was set"
        assert [exposure.why for exposure in came if isinstance(exposure, BrokenFrame)] == [wanted] * 3
        counters = source.counters()
        assert counters["frames"] == 0
        assert counters["wrong_size"] == counters["broken_frames"] >= 3


def test_a_format_that_nobody_reads_is_refused_over_the_border() -> None:
    """Viky's RGBa8: the cause and the text are those of the driver."""
    with pytest.raises(CameraOpenError, match="'RGBa8' is not read") as refused:
        camera(viky(), "0").open()
    assert refused.value.cause is Cause.REFUSED


@pytest.mark.parametrize("name", ["tlsimu", "viky"])
def test_a_device_in_use_is_held(name: str) -> None:
    """Each process of a simulated producer has devices of its own: the second to open one is in the same process."""
    producer, device = (tlsimu(), GREY) if name == "tlsimu" else (viky(), "0")
    options = {"producer": producer, "device": device, "own_process": False, "pixel_format": "Mono8"}
    with make_camera("genicam", "first", options) as first:
        assert isinstance(first, GentlCamera)
        with pytest.raises(CameraOpenError, match="held by another") as held:
            make_camera("genicam", "second", options).open()
        assert held.value.cause is Cause.HELD
        first.start()
        assert isinstance(first.grab(None, BOUND_S), Frame)


@pytest.mark.parametrize("name", ["tlsimu", "viky"])
def test_a_producer_that_dies_takes_nothing_down(name: str) -> None:
    """Killed in mid-stream: a crash, in the text of the loss; opened again it counts from one."""
    source = (
        camera(tlsimu(), GREY, features=SMALL)
        if name == "tlsimu"
        else camera(viky(), "0", pixel_format="Mono8", features={"Width": 100, "Height": 100})
    )
    source.open()
    source.start()
    assert one(source).counter == 1
    assert source.process_id is not None
    os.kill(source.process_id, signal.SIGKILL)
    with pytest.raises(CameraLostError, match="SIGKILL") as lost:
        grab_to_the_end(source)
    assert lost.value.cause is Cause.CRASHED
    source.close()
    with source:
        source.start()
        assert one(source).counter == 1
        assert source.counters()["driver_restarts"] == 1


def test_two_devices_of_a_producer_in_two_processes() -> None:
    """Grey and colour beside each other; features are read and refused by their limits through each."""
    with streaming(tlsimu(), GREY, features=SMALL) as grey, streaming(tlsimu(), COLOUR, features=SMALL) as colour:
        assert grey.process_id != colour.process_id
        for number in (1, 2, 3):
            left, right = one(grey), one(colour)
            assert isinstance(left, Frame)
            assert isinstance(right, Frame)
            assert left.counter == right.counter == number
            assert (left.pixel_format, left.pixels.shape) == ("Mono8", (48, 64))
            assert (right.pixel_format, right.pixels.shape) == ("RGB8", (48, 64, 3))
        nodes = grey.nodes
        assert nodes is not None
        assert nodes.get("Width") == 64
        with pytest.raises(NodeError):
            nodes.set("Width", 5000)


def test_software_triggers_keep_their_numbers_through_the_border() -> None:
    """Forty of forty, each picture by the number of its trigger, none lost and none too many."""
    with streaming(tlsimu(), GREY, trigger="software", features=SMALL, trigger_answer_s=BOUND_S) as source:
        for number in range(1, 41):
            trigger = source.trigger()
            while trigger is None:
                trigger = source.trigger()
            frame = one(source)
            assert isinstance(frame, Frame)
            assert (trigger.number, frame.counter, frame.lost_before) == (number, number, 0)
        assert source.grab(None, 0.05) is None


def test_settings_are_checked_while_the_device_is_triggered() -> None:
    """Both ask the device's description at the same time, each in a thread: neither waits for the other for ever."""
    checked: list[list[str]] = []
    enough = threading.Event()
    with streaming(tlsimu(), GREY, trigger="software", features=SMALL, trigger_answer_s=BOUND_S) as source:

        def check() -> None:
            while not enough.is_set():
                checked.append(source.check_settings())

        checking = threading.Thread(target=check, daemon=True)
        checking.start()
        try:
            for number in range(1, 101):
                while source.trigger() is None:
                    pass
                assert one(source).counter == number
        finally:
            enough.set()
            checking.join(BOUND_S)
    assert not checking.is_alive()
    assert checked
    assert not any(checked)
