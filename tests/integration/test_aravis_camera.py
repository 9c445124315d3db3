"""The GigE Vision driver against a real camera process over UDP, on good days and on bad ones."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from camera_losses import lost
from gige import FakeProcess, ip, network, number_of, require_aravis
from network_namespace import require_namespaces

from camera import Camera, CameraError, CameraLostError, CameraOpenError, Frame, make_camera
from camera.aravis.discovery import devices
from camera.aravis.fake_description import FORMATS
from camera.aravis.fake_pictures import as_sent
from camera.errors import Cause, NodeError
from camera.frame import BrokenFrame

BOUND_S = 60.0


@pytest.fixture(autouse=True)
def own_network() -> Iterator[None]:
    require_aravis()
    with network():
        yield


def gige(**options: object) -> Camera:
    return make_camera("aravis", "top", {"device": "127.0.0.1", "own_process": False, **options})


def grabbed(camera: Camera, count: int) -> list[Frame | BrokenFrame]:
    came: list[Frame | BrokenFrame] = []
    until = time.monotonic() + BOUND_S
    while len(came) < count:
        assert time.monotonic() < until, f"{len(came)} of {count} exposures came"
        one = camera.grab(None, 1.0)
        if one is not None:
            came.append(one)
    return came


def frame_of(camera: Camera) -> Frame:
    (one,) = grabbed(camera, 1)
    assert isinstance(one, Frame)
    return one


def whole_after_start(camera: Camera) -> Frame:
    """Return the first frame that came whole: a packet socket begins to listen while the camera sends already."""
    for _ in range(20):
        one = grabbed(camera, 1)[0]
        if isinstance(one, Frame):
            return one
    raise AssertionError("no frame came whole")


def eventually(wanted: Callable[[], bool]) -> bool:
    until = time.monotonic() + BOUND_S
    while time.monotonic() < until:
        if wanted():
            return True
    return False


def opens(camera: Camera) -> bool:
    try:
        camera.open()
    except CameraOpenError:
        return False
    return True


def test_a_camera_is_found_by_serial_number_user_name_address_and_id() -> None:
    """Discovery names it with its state; each name opens it; another one tells what is there."""
    with FakeProcess("FOUND1", "--user-name", "left side"):
        (device,) = devices()
        assert (device.serial, device.user_name, device.address) == ("FOUND1", "left side", "127.0.0.1")
        assert (device.state, device.hint) == ("free", "")
        for name in ("FOUND1", "left side", "127.0.0.1", device.id, ""):
            with gige(device=name) as camera:
                assert camera.nodes is not None
                assert camera.nodes.get("DeviceSerialNumber") == "FOUND1"
        with pytest.raises(CameraOpenError, match=r"'FOUND2'.*FOUND1 'left side' at 127\.0\.0\.1") as absent:
            gige(device="FOUND2").open()
        assert absent.value.cause is Cause.ABSENT
    with pytest.raises(CameraOpenError, match=r"nothing answers at 127\.0\.0\.1") as gone:
        gige().open()
    assert gone.value.cause is Cause.ABSENT


def test_a_second_camera_at_the_same_address_is_refused() -> None:
    """Else the first one would get what is meant for the second, and be taken for it."""
    with network(), FakeProcess("ONE1"), pytest.raises(RuntimeError, match="did not start"):
        FakeProcess("TWO2")


def test_of_two_cameras_with_one_address_the_wrong_one_is_refused() -> None:
    """A name leads to an address, and the address to whichever answers there first: only its own number opens it."""
    require_namespaces()
    at = "10.99.8.2"
    with network(), two_networks(at) as (one, two), FakeProcess("ONE1", "--interface", at, namespace=one):
        with FakeProcess("TWO2", "--interface", at, namespace=two):
            ip(f"neigh replace {at} dev bridge lladdr {card_of(one)}")
            assert eventually(lambda: {device.serial for device in devices()} == {"ONE1", "TWO2"})
            with gige(device="ONE1") as camera:
                assert camera.nodes is not None
                assert camera.nodes.get("DeviceSerialNumber") == "ONE1"
            with pytest.raises(CameraOpenError, match=f"TWO2 was found at {at}, but ONE1 answers") as refused:
                gige(device="TWO2").open()
            assert refused.value.cause is Cause.NETWORK
        with gige(device="ONE1"):
            pass  # nobody kept it


@contextlib.contextmanager
def two_networks(address: str) -> Iterator[tuple[str, str]]:
    """Give this network a switch, and two hosts with one address at it; their networks have the names given."""
    names = [f"lwd{os.getpid()}{side}" for side in "ab"]
    ip("link add bridge type bridge")
    ip("address add 10.99.8.1/24 dev bridge")
    ip("link set bridge up")
    try:
        for name in names:
            ip(f"netns add {name}")
            ip(f"link add to-{name[-1]} type veth peer name card netns {name}")
            ip(f"link set to-{name[-1]} master bridge up")
            for change in (f"address add {address}/24 dev card", "link set card up", "link set lo up"):
                ip(f"-n {name} {change}")
        yield names[0], names[1]
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def card_of(name: str) -> str:
    """Return the hardware address of the host in a network."""
    done = subprocess.run(["ip", "-n", name, "-j", "link", "show", "card"], capture_output=True, check=True)
    return str(json.loads(done.stdout)[0]["address"])


def test_one_program_at_a_time_controls_a_camera() -> None:
    """A camera in use is shown as held and refused with the reason; its user loses nothing; then it is free."""
    with FakeProcess("HELD1"):
        with gige(frame_rate_hz=100.0) as camera:
            camera.start()
            first = frame_of(camera)
            assert [device.state for device in devices()] == ["held"]
            for name in ("HELD1", "127.0.0.1"):
                with pytest.raises(CameraOpenError, match="held") as held:
                    gige(device=name).open()
                assert held.value.cause is Cause.HELD
            came = [first, *grabbed(camera, 20)]
            assert all(isinstance(one, Frame) for one in came)
        assert [device.state for device in devices()] == ["free"]


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_each_pixel_format_comes_byte_for_byte_and_from_the_region(pixel_format: str, tmp_path: Path) -> None:
    """A coloured picture arrives as the sensor's bytes of its format, cut at the region that was set."""
    generator = np.random.default_rng(7)
    image = generator.integers(0, 256, (96, 128, 3), dtype=np.uint8)
    assert cv2.imwrite(str(tmp_path / "1.png"), image[..., ::-1])
    x, y, width, height = 16, 8, 64, 48
    expected = as_sent(np.ascontiguousarray(image[y : y + height, x : x + width]), pixel_format)
    with (
        FakeProcess("FORMAT1", "--images", str(tmp_path), "--size", "128x96"),
        gige(pixel_format=pixel_format, roi=(x, y, width, height)) as camera,
    ):
        assert camera.picture_size == (width, height)
        camera.start()
        frame = frame_of(camera)
    assert frame.pixel_format == pixel_format
    assert frame.pixels.tobytes() == expected.tobytes()


def test_settings_are_read_back_and_refused_by_name() -> None:
    """What was asked for stands in the device; what it cannot do is named with its limits before the first frame."""
    with FakeProcess("SET1"):
        with gige(exposure_us=2500.0, gain=6.5, frame_rate_hz=40.0) as camera:
            nodes = camera.nodes
            assert nodes is not None
            assert [nodes.get(name) for name in ("ExposureTime", "Gain", "GainAuto")] == [2500.0, 6.5, "Off"]
            assert nodes.node("Width").increment == 4
            for name, value, allowed in (
                ("Gain", 99.0, "24"),
                ("PixelFormat", "Mono9", "Mono8"),
                ("Nothing", 1, "no feature"),
            ):
                with pytest.raises(NodeError, match=allowed):
                    nodes.set(name, value)
        with pytest.raises(CameraOpenError, match="gain") as refused:
            gige(gain=99.0).open()
        assert refused.value.cause is Cause.REFUSED
        assert [device.state for device in devices()] == ["free"]


def test_a_region_beyond_the_sensor_or_off_its_steps_is_refused() -> None:
    """The camera itself takes it, and would send black for what is not there, or shifted rows."""
    with FakeProcess("ROI1"):
        with pytest.raises(
            CameraOpenError, match=r"roi \(Width\) = 640: .* pixel 2640 — SensorWidth is 2048"
        ) as refused:
            gige(roi=(2000, 0, 640, 480)).open()
        assert refused.value.cause is Cause.REFUSED
        with gige(roi=(1408, 0, 640, 480)) as camera:
            assert camera.picture_size == (640, 480)
        for roi, words in (
            ((0, 0, 642, 480), r"roi \(Width\) = 642: the device takes it, and says that it does not .* in steps of 4"),
            ((3, 0, 640, 480), r"roi \(OffsetX\) = 3: the device takes it, and says that it does not .* in steps of 2"),
        ):
            with pytest.raises(CameraOpenError, match=words):
                gige(roi=roi).open()


def test_numbers_go_on_where_the_device_wraps_its_own() -> None:
    """GigE Vision counts to 65535 and goes on with 1: the counter and the pictures go on."""
    with FakeProcess("WRAP1", "--size", "64x48"), gige(frame_rate_hz=1000.0, exposure_us=100.0) as camera:
        camera.start()
        came = grabbed(camera, 400)  # the device begins near 65400
    frames = [one for one in came if isinstance(one, Frame)]
    assert sum(1 + one.lost_before for one in came) == came[-1].counter
    assert {(number_of(frame.pixels) or 0) - frame.counter for frame in frames} == {0}


def test_lost_packets_make_broken_frames_and_never_a_wrong_image() -> None:
    """Where packets are lost each exposure is accounted for, and what comes as a frame is whole and its own."""
    with (
        FakeProcess("LOSS1", "--lose-packets", "8") as fake,
        gige(frame_rate_hz=100.0, exposure_us=1000.0, buffers=60) as camera,
    ):
        camera.start()
        came = grabbed(camera, 250)
        assert fake.say("lose 0") == "loses 0 of 1000 packets"
        assert eventually(lambda: isinstance(camera.grab(None, 1.0), Frame))
        counters = camera.counters()
    broken = [one for one in came if isinstance(one, BrokenFrame)]
    frames = [one for one in came if isinstance(one, Frame)]
    assert len(broken) > 10
    assert {(number_of(frame.pixels) or 0) - frame.counter for frame in frames} == {0}
    assert [one.counter for one in came] == sorted({one.counter for one in came})
    assert sum(1 + one.lost_before for one in came) == came[-1].counter
    assert counters["broken_frames"] >= len(broken)
    assert counters["missing_packets"] > 0
    assert all("packets" in one.why for one in broken)


def test_a_camera_that_is_killed_is_lost_and_comes_back() -> None:
    """In mid-stream: silence is a loss, nobody is asked any more, and the camera opens again once it is back."""
    camera = gige(device="KILL1", frame_rate_hz=50.0)
    with FakeProcess("KILL1") as fake:
        camera.open()
        camera.start()
        grabbed(camera, 5)
        fake.signal(signal.SIGKILL)
        error = lost(camera)
        nodes = camera.nodes
        assert error.cause is Cause.SILENT
        assert nodes is not None
        with pytest.raises(CameraLostError, match="gone"):
            nodes.get("Width")
        camera.close()
    with pytest.raises(CameraOpenError, match="no camera answers"):
        camera.open()
    with FakeProcess("KILL1"):
        camera.open()
        camera.start()
        assert frame_of(camera).counter == 1
        camera.close()


def test_a_triggered_camera_is_lost_by_its_silence_to_questions_only() -> None:
    """Idle is no fault; a camera that stops to answer is, though no picture was due; it comes back when it answers."""
    camera = gige(trigger="line", trigger_line="Line1")
    with FakeProcess("FROZEN1") as fake:
        camera.open()
        camera.start()
        for number in (1, 2, 3):
            assert fake.say("trigger") == "exposed"
            frame = frame_of(camera)
            assert (frame.counter, number_of(frame.pixels)) == (number, number)
        assert camera.grab(None, 2.5) is None
        fake.signal(signal.SIGSTOP)
        assert lost(camera).cause is Cause.CONTROL_LOST
        camera.close()
        fake.signal(signal.SIGCONT)
        assert eventually(lambda: opens(camera))
        camera.start()
        assert fake.say("trigger") == "exposed"
        assert number_of(frame_of(camera).pixels) == 4
        camera.close()


def test_the_first_exposure_after_a_start_is_told_of_when_all_of_it_is_lost() -> None:
    """This device goes on counting between two starts: the next frame tells of what nobody saw, and by how much."""
    camera = gige(trigger="line", trigger_line="Line1")
    with FakeProcess("FIRST1") as fake, camera:
        camera.start()
        assert fake.say("trigger") == "exposed"
        assert (frame_of(camera).counter, camera.counters()["lost_frames"]) == (1, 0)
        camera.stop()
        camera.start()
        assert fake.say("trigger") == "exposed"
        assert (frame_of(camera).counter, camera.counters()["lost_frames"]) == (2, 0)
        camera.stop()
        camera.start()
        fake.say("lose 1000")
        assert fake.say("trigger") == "exposed"
        assert camera.grab(None, 0.5) is None
        fake.say("lose 0")
        assert fake.say("trigger") == "exposed"
        frame = frame_of(camera)
        assert (frame.counter, frame.lost_before, number_of(frame.pixels)) == (4, 1, 4)
        assert camera.counters()["lost_frames"] == 1


def test_a_software_trigger_without_a_picture_is_told_of() -> None:
    """The part of a trigger whose picture never comes gets a broken frame with its number; the next gets its own."""
    with FakeProcess("SOFT1") as fake, gige(trigger="software", trigger_answer_s=0.5) as camera:
        camera.start()
        assert camera.trigger() is not None
        assert frame_of(camera).counter == 1
        fake.say("lose 1000")
        assert camera.trigger() is not None
        (one,) = grabbed(camera, 1)
        assert isinstance(one, BrokenFrame)
        assert one.counter == 2
        assert "no picture of trigger 2" in one.why
        fake.say("lose 0")
        assert eventually(lambda: camera.grab(None, 0.01) is None and camera.trigger() is not None)
        assert frame_of(camera).counter == 3


def test_an_exposure_that_somebody_shortened_costs_one_picture() -> None:
    """A picture cannot come sooner than its exposure takes: one that does is nobody's, until the exposure is read anew.

    No part gets a picture of which it is not certain that it is its own; the next trigger is told of the lost one.
    """
    with FakeProcess("SOFT2"), gige(trigger="software", exposure_us=200_000.0) as camera:
        camera.start()
        trigger = camera.trigger()
        frame = frame_of(camera)
        assert trigger is not None
        assert frame.received_host_ns - trigger.host_ns >= 198_000_000
        assert camera.nodes is not None
        camera.nodes.set("ExposureTime", 1_000.0)
        assert camera.trigger() is not None
        (one,) = grabbed(camera, 1)
        assert isinstance(one, BrokenFrame)
        assert (one.counter, camera.counters()["unexpected_frames"]) == (2, 1)
        assert eventually(lambda: camera.grab(None, 0.01) is None and camera.trigger() is not None)
        assert (frame_of(camera).counter, camera.counters()["lost_frames"]) == (3, 0)


def test_an_exposure_longer_than_the_wait_for_its_picture_is_refused() -> None:
    """Every trigger would be given up before its picture can be there: the setting to change is named."""
    with FakeProcess("SOFT3"), pytest.raises(CameraOpenError, match="raise trigger_answer_s") as refused:
        gige(trigger="software", exposure_us=2_000_000.0).open()
    assert refused.value.cause is Cause.REFUSED


def test_chunks_that_the_device_does_not_send_cost_no_frame() -> None:
    """The library finds none in the buffers: each picture is whole, and what is missing is counted."""
    asked = ["timestamp", "counter", "encoder", "exposure"]
    with FakeProcess("CHUNK1"), gige(leave_as_is=True, chunks=asked) as camera:
        camera.start()
        assert [dict(frame_of(camera).chunks) for _ in range(3)] == [{}] * 3
        assert (camera.counters()["missing_chunks"], camera.counters()["broken_frames"]) == (3, 0)
    with FakeProcess("CHUNK2"), pytest.raises(CameraOpenError, match="chunks"):
        gige(chunks=asked).open()


def test_twenty_reopenings_leave_nothing_behind() -> None:
    """File handles and threads of the whole process, and its memory, are after twenty openings as after five."""

    def held() -> tuple[int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), len(list(Path("/proc/self/task").iterdir()))

    def resident_mb() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    with FakeProcess("AGAIN1"):
        for opening in range(25):
            with gige(frame_rate_hz=200.0, exposure_us=100.0) as camera:
                camera.start()
                grabbed(camera, 3)
            if opening == 4:
                gc.collect()
                before, memory_mb = held(), resident_mb()
        gc.collect()
        assert held() == before
        assert resident_mb() < memory_mb + 8  # one opening's buffers are 5 MB


def test_a_question_that_is_under_way_at_close_is_answered_or_refused() -> None:
    """A station looks at settings in a thread of its own: the device is freed after its answer, never under it."""
    done, asked = threading.Event(), [0]

    def ask(camera: Camera) -> None:
        while not done.is_set():
            with contextlib.suppress(CameraLostError):
                if (nodes := camera.nodes) is not None:
                    for name in ("ExposureTime", "Width", "PixelFormat"):
                        nodes.node(name)
                        asked[0] += 1

    with FakeProcess("ASKED1"):
        camera = gige(frame_rate_hz=200.0, exposure_us=100.0)
        askers = [threading.Thread(target=ask, args=(camera,)) for _ in range(3)]
        for asker in askers:
            asker.start()
        try:
            for _ in range(15):
                with camera:
                    camera.start()
                    grabbed(camera, 1)
                    kept = camera.nodes
                assert kept is not None
                with pytest.raises(CameraLostError, match="is gone"):
                    kept.get("Width")
        finally:
            done.set()
            for asker in askers:
                asker.join()
        assert asked[0] > 0


@pytest.fixture
def other_end() -> Iterator[str]:
    """A second network namespace at the far end of a cable (a veth pair), 10.9.8.1 here and 10.9.8.2 there."""
    name = f"lineward-gige-{os.getpid()}"
    try:
        ip(f"netns add {name}")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"CABLE, MTU AND ADDRESS WERE NOT TESTED: a network namespace needs root and iproute2: {error}")
    try:
        ip(f"link add gige0 type veth peer name gige1 netns {name}")
        ip("addr add 10.9.8.1/24 dev gige0")
        ip(f"-n {name} addr add 10.9.8.2/24 dev gige1")
        for at, port in (("", "gige0"), (f"-n {name} ", "gige1")):
            ip(f"{at}link set {port} mtu 1500 up")
        yield name
    finally:
        ip(f"netns del {name}")


def test_a_cable_an_address_and_packet_sizes(other_end: str) -> None:
    """Packets fit the port; one that cannot is refused; a pulled cable is a loss; a new address is found by serial."""
    options = {"device": "CABLE1", "frame_rate_hz": 50.0, "own_process": False}
    camera = make_camera("aravis", "top", options)
    with FakeProcess("CABLE1", "--interface", "10.9.8.2", namespace=other_end):
        with camera:
            camera.start()
            whole_after_start(camera)
            assert camera.counters()["packet_size"] == 1500
        with pytest.raises(CameraOpenError, match="1500 bytes") as refused:
            make_camera("aravis", "top", {**options, "packet_size": 9000}).open()
        assert refused.value.cause is Cause.NETWORK
        for at, port in (("", "gige0"), (f"-n {other_end} ", "gige1")):
            ip(f"{at}link set {port} mtu 9000")
        for packet_socket in ("on", "off"):
            jumbo = make_camera("aravis", "top", {**options, "packet_size": 9000, "packet_socket": packet_socket})
            with jumbo:
                jumbo.start()
                whole_after_start(jumbo)
                assert [number_of(frame_of(jumbo).pixels) is None for _ in range(5)] == [False] * 5
        camera.open()
        camera.start()
        whole_after_start(camera)
        ip("link set gige0 down")
        assert lost(camera).cause in (Cause.SILENT, Cause.CONTROL_LOST)
        camera.close()
        ip("link set gige0 up")
        assert eventually(lambda: opens(camera))
        camera.start()
        whole_after_start(camera)
    lost(camera)
    camera.close()
    ip(f"-n {other_end} addr del 10.9.8.2/24 dev gige1")
    ip(f"-n {other_end} addr add 10.9.8.77/24 dev gige1")
    with FakeProcess("CABLE1", "--interface", "10.9.8.77", namespace=other_end):
        assert eventually(lambda: opens(camera))
        camera.start()
        assert number_of(whole_after_start(camera).pixels) is not None
        assert [device.address for device in devices()] == ["10.9.8.77"]
        camera.close()


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where libaravis cannot be loaded the error is an installation's, with the command that mends it."""
    from camera.aravis import binding

    binding.library.cache_clear()
    monkeypatch.setattr(binding, "_SONAMES", ("libaravis-9.9.so.0", *binding._SONAMES[1:]))
    with pytest.raises(CameraError, match=r"apt install libaravis-0\.8-0") as missing:
        gige().open()
    assert missing.value.cause is Cause.INSTALLATION
    binding.library.cache_clear()
