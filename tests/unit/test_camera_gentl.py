"""A camera behind real GenTL producers: TLSimu and Viky."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np
import psutil
import pytest
from producers import tlsimu, viky

from camera import CameraLostError, CameraOpenError, CameraOptionsError, Frame, make_camera
from camera.errors import Cause, NodeError
from camera.frame import BrokenFrame
from camera.gentl import binding as bound
from camera.gentl.camera import GentlCamera, devices
from camera.gentl.link import GentlLink
from camera.gentl.producer import producer_files

BOUND_S = 30.0


@pytest.fixture(scope="module")
def tl() -> str:
    return tlsimu()


def camera(producer: str, device: str = "SN_InterfaceA_0", **options: object) -> GentlCamera:
    made = make_camera("genicam", "top", {"producer": producer, "device": device, "own_process": False, **options})
    assert isinstance(made, GentlCamera)
    return made


def taken(source: GentlCamera, count: int) -> list[Frame | BrokenFrame]:
    got = [source.grab(None, BOUND_S) for _ in range(count)]
    return [one for one in got if one is not None]


def test_constants_are_those_of_the_standard() -> None:
    """Each number that is given to a producer is the one that the GenICam package's own headers say."""
    from genicam import gentl

    for ours, theirs, prefix in (
        (bound.Code, gentl.GC_ERROR_LIST, "GC_ERR_"),
        (bound.DeviceInfo, gentl.DEVICE_INFO_CMD_LIST, "DEVICE_INFO_"),
        (bound.StreamInfo, gentl.STREAM_INFO_CMD_LIST, "STREAM_INFO_"),
        (bound.BufferInfo, gentl.BUFFER_INFO_CMD_LIST, "BUFFER_INFO_"),
        (bound.PortUrlInfo, gentl.URL_INFO_CMD_LIST, "URL_INFO_"),
    ):
        known = {row.name.removeprefix(prefix).replace("_", ""): row.value for row in theirs}
        for row in ours:
            assert known[row.name.replace("_", "")] == row.value, row


def test_discovery_finds_every_device(tl: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The producers in the folders of the environment are asked; what is no producer is passed over."""
    monkeypatch.setenv("GENICAM_GENTL64_PATH", f"{Path(tl).parent}:{Path(viky()).parent}:/nowhere")
    found = devices()
    assert {one.serial for one in found if one.model == "TLSimuMono"} == {"SN_InterfaceA_0", "SN_InterfaceB_0"}
    assert len([one for one in found if one.model == "Viky"]) == 3
    assert {one.state for one in found} == {"free"}
    assert producer_files("") == [tl, str(Path(viky()).resolve()), "/nowhere"]


def test_a_device_that_another_holds_is_held(tl: str) -> None:
    """The second one to open a device is told that it is held; once it is free, it opens. Discovery shows it."""
    with camera(tl), pytest.raises(CameraOpenError, match="held by another") as refused:
        camera(tl).open()
    assert refused.value.cause is Cause.HELD
    with camera(tl) as again:
        again.start()
        assert isinstance(again.grab(None, BOUND_S), Frame)


@pytest.mark.parametrize(
    ("options", "cause", "words"),
    [
        ({"device": "nobody"}, Cause.ABSENT, "no camera answers to 'nobody' — there are: .*SN_InterfaceA_0"),
        ({"device": ""}, Cause.REFUSED, "set device to the serial number of one"),
        ({"producer": "/nowhere/x.cti"}, Cause.INSTALLATION, "cannot be loaded"),
        ({"chunks": ["timestamp"]}, Cause.REFUSED, "the device sends no such chunk"),
        ({"pixel_format": "YUV422_8"}, Cause.REFUSED, "pixel_format"),
    ],
)
def test_what_cannot_be_opened_says_why(tl: str, options: dict[str, object], cause: Cause, words: str) -> None:
    """Each reason has its cause and a text that names what there is; nothing stays open behind it."""
    made = make_camera("genicam", "top", {"producer": tl, "device": "SN_InterfaceA_0", "own_process": False, **options})
    with pytest.raises(CameraOpenError, match=words) as refused, made:
        pass
    assert refused.value.cause is cause
    with camera(tl):
        pass


def test_no_producer_known_is_an_installation_to_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a producer the text says where one is named."""
    pytest.importorskip("genicam")
    monkeypatch.delenv("GENICAM_GENTL64_PATH", raising=False)
    with pytest.raises(CameraOpenError, match="GENICAM_GENTL64_PATH") as refused:
        make_camera("genicam", "top", {"own_process": False}).open()
    assert refused.value.cause is Cause.INSTALLATION
    with pytest.raises(CameraOptionsError, match="unknown key"):
        make_camera("genicam", "top", {"producr": "x"})


@pytest.mark.parametrize(
    ("device", "pixel_format"),
    [("SN_InterfaceA_0", name) for name in ("Mono10", "Mono12Packed", "Mono16", "BayerRG8", "RGB8")]
    + [("SN_InterfaceA_1", "BGR8")],
)
def test_a_device_that_lies_about_its_format_gives_no_image(tl: str, device: str, pixel_format: str) -> None:
    """TLSimu takes any PixelFormat and goes on sending Mono8 or RGB8: every exposure is broken, none is an image."""
    with camera(tl, device, pixel_format=pixel_format) as source:
        source.start()
        got = taken(source, 3)
        assert [one.counter for one in got] == [1, 2, 3]
        assert all(isinstance(one, BrokenFrame) and f"{pixel_format} was set" in one.why for one in got)
        counters = source.counters()
        assert (counters["frames"], counters["broken_frames"], counters["wrong_size"]) == (0, 3, 3)


def test_pictures_are_what_the_pattern_is(tl: str) -> None:
    """TLSimu's grey pattern is a ramp of all levels, its colour one is no grey; Viky's picture is mostly white."""
    with camera(tl, features={"Width": 256, "Height": 256}) as source:
        source.start()
        frame = source.grab(None, BOUND_S)
        assert isinstance(frame, Frame)
        assert np.array_equal(np.bincount(frame.pixels.ravel(), minlength=256), np.full(256, 256))
    with camera(tl, "SN_InterfaceA_1") as source:
        source.start()
        frame = source.grab(None, BOUND_S)
        assert isinstance(frame, Frame)
        assert (frame.pixel_format, frame.pixels.shape) == ("RGB8", (572, 768, 3))
        assert not np.array_equal(frame.pixels[:, :, 0], frame.pixels[:, :, 2])


@pytest.mark.parametrize("with_chunks", [True, False])
def test_chunks_behind_the_image_are_no_part_of_it(with_chunks: bool) -> None:
    """Viky's buffers are 2.5 MB with chunks and 160 kB without: the image is the same 400×400 pixels."""
    with camera(viky(), "0", pixel_format="Mono8", features={"ChunkModeActive": with_chunks}) as source:
        source.start()
        (frame,) = taken(source, 1)
        assert isinstance(frame, Frame)
        assert frame.pixels.shape == (400, 400)
        assert frame.device_ns is None
        assert frame.pixels.max() > 200


def test_a_region_at_the_corner_needs_no_offset(tl: str) -> None:
    """TLSimu's picture begins at 0,0 and cannot be moved: that is what was asked for; anything else is refused."""
    with camera(tl, roi=(0, 0, 64, 48)) as source:
        source.start()
        frame = source.grab(None, BOUND_S)
        assert isinstance(frame, Frame)
        assert frame.pixels.shape == (48, 64)
    with pytest.raises(CameraOpenError, match=r"roi \(OffsetX\) = 8"):
        camera(tl, roi=(8, 0, 64, 48)).open()


def test_a_format_that_nobody_reads_is_refused() -> None:
    """Viky's own format, RGBa8, has no reader: it does not open, and the text lists what is read."""
    with pytest.raises(CameraOpenError, match="RGBa8") as refused:
        camera(viky(), "1").open()
    assert refused.value.cause is Cause.REFUSED


def test_a_clock_that_jumps_back_dates_nothing(tl: str) -> None:
    """TLSimu's stamps begin anew each second: from the first jump on no frame has one, and no frame is lost."""
    with camera(tl, features={"Width": 64, "Height": 64}) as source:
        source.start()
        stamps = []
        for _ in range(2_000):
            frame = source.grab(None, BOUND_S)
            assert isinstance(frame, Frame)
            stamps.append(frame.device_ns)
            if frame.device_ns is None:
                break
        dated = [stamp for stamp in stamps if stamp is not None]
        assert stamps[-1] is None
        assert dated == sorted(set(dated))
        following = taken(source, 5)
        assert all(one.device_ns is None for one in following)
        assert source.read_clock() is None


def test_pictures_that_found_no_buffer_are_told_of(tl: str) -> None:
    """While nobody grabs, buffers run out. What waited is broken, for the hole may lie in between; then it goes on.

    TLSimu numbers only what it delivers: the frame after the doubtful ones tells of the loss, and counters go on.
    """
    with camera(tl, buffers=5, features={"Width": 64, "Height": 64}) as source:
        source.start()
        (first,) = taken(source, 1)
        assert isinstance(first, Frame)
        link = source._link
        assert link is not None
        waiting = threading.Event()
        for _ in range(2_000):
            if (link._stream_info(bound.StreamInfo.NUM_UNDERRUN) or 0) >= 3:  # type: ignore[attr-defined]
                break
            waiting.wait(0.005)
        got = taken(source, 5)
        assert all(isinstance(one, BrokenFrame) for one in got)
        following = []
        for _ in range(200):
            following += taken(source, 1)
            if isinstance(following[-1], Frame):
                break
        lost = source.counters()["lost_frames"]
        assert lost >= 3
        assert source.counters()["underruns"] == lost
        every = [first, *got, *following]
        gaps = [b.counter - a.counter - 1 for a, b in pairwise(every)]
        assert gaps == [one.lost_before for one in every[1:]]
        assert sum(gaps) == lost


def test_software_triggers_make_one_picture_each(tl: str) -> None:
    """No picture comes without a trigger, each has the number of its own; one outstanding refuses the next."""
    with camera(tl, trigger="software", features={"Width": 64, "Height": 64}) as source:
        source.start()
        assert source.grab(None, 0.05) is None
        for number in range(1, 21):
            trigger = source.trigger()
            assert trigger is not None
            assert trigger.number == number
            assert source.trigger() is None
            frame = source.grab(None, BOUND_S)
            assert isinstance(frame, Frame)
            assert (frame.counter, frame.lost_before) == (number, 0)
            assert trigger.host_ns <= frame.received_host_ns


def test_an_idle_triggered_device_is_no_fault(tl: str) -> None:
    """Longer than the sign of life is asked for, a triggered device sends nothing and is fine."""
    with camera(tl, trigger="software") as source:
        source.start()
        assert source.grab(None, 2.5) is None
        assert source.trigger() is not None
        assert isinstance(source.grab(None, BOUND_S), Frame)


def test_a_silent_free_running_device_is_lost() -> None:
    """A device that should send and does not is lost in bounded time: Viky at 1 Hz, allowed 0.3 s."""
    with camera(viky(), "2", pixel_format="Mono8", silence_s=0.3, features={"AcquisitionFrameRate": 1.0}) as source:
        source.start()
        with pytest.raises(CameraLostError, match="no frame for") as lost:
            taken(source, 3)
        assert lost.value.cause is Cause.SILENT


def test_other_threads_run_while_it_waits(tl: str) -> None:
    """Waiting for a picture leaves the interpreter to others: one of them counts on meanwhile."""
    counted, done = [0], threading.Event()

    def count() -> None:
        while not done.wait(0.001):
            counted[0] += 1

    with camera(tl, trigger="software") as source:
        source.start()
        thread = threading.Thread(target=count, daemon=True)
        thread.start()
        assert source.grab(None, 0.5) is None
        done.set()
        thread.join(BOUND_S)
    assert counted[0] > 20  # the bindings of the package let 2 through


def test_features_are_read_set_and_refused_by_name(tl: str) -> None:
    """Every feature can be looked at; a wrong value is refused with its limits, an unknown name with a hint."""
    with camera(tl) as source:
        nodes = source.nodes
        assert nodes is not None
        seen = {name: nodes.node(name) for name in nodes.names()}
        assert seen["Width"].kind == "integer"
        assert (seen["Width"].minimum, seen["Width"].maximum, seen["Width"].increment) == (8, 4096, 4)
        assert seen["PixelFormat"].kind == "enumeration"
        assert "Mono8" in seen["PixelFormat"].entries
        assert seen["TriggerSoftware"].kind == "command"
        nodes.set("Width", 256)
        assert nodes.get("Width") == 256
        for name, value, words in (
            ("Width", 5000, "8 … 4096"),
            ("Width", 257, "steps of 4"),
            ("Width", "wide", "integer"),
            ("PixelFormat", "Mono9", "one of Mono8"),
            ("DeviceModelName", "x", "read-only"),
            ("Nonsense", 1, "unknown to this device"),
        ):
            with pytest.raises(NodeError, match=words):
                nodes.set(name, value)
        with pytest.raises(NodeError, match="no command"):
            nodes.execute("Width")
        with pytest.raises(NodeError, match="cannot be read"):
            nodes.get("TriggerSoftware")
        assert nodes.has("Width")
        assert not nodes.has("Nonsense")


class OddBinding(bound.Binding):
    """A real producer of which some answers do not come: it does not say `silent_of`, or refuses what `fails` names.

    fails: the functions, and how often from now on each ends in an error before the producer is asked.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.silent_of: dict[int, int | None] = {}
        self.fails: dict[str, int] = {}

    def call(self, name: str, *arguments: object) -> None:
        if self.fails.get(name, 0) > 0:
            self.fails[name] -= 1
            raise bound.GentlError(name, bound.Code.ERROR, "the producer is confused")
        super().call(name, *arguments)

    def integer(self, name: str, *arguments: object) -> int | None:
        if name == "DSGetBufferInfo" and arguments[-1] in self.silent_of:
            return self.silent_of[cast("int", arguments[-1])]
        return super().integer(name, *arguments)


@pytest.fixture
def odd(tl: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[GentlCamera, OddBinding]]:
    """A camera that acquires behind a producer of which the test takes answers away."""
    monkeypatch.setattr("camera.gentl.producer.Binding", OddBinding)
    with camera(tl, buffers=5, features={"Width": 64, "Height": 64}) as source:
        link = source._link
        assert isinstance(link, GentlLink)
        assert isinstance(link._binding, OddBinding)
        yield source, link._binding


FRAME_ID, INCOMPLETE = bound.BufferInfo.FRAME_ID, bound.BufferInfo.IS_INCOMPLETE


def test_a_picture_without_a_number_is_broken_and_says_why(odd: tuple[GentlCamera, OddBinding]) -> None:
    """Not one is thrown away without a word, none is an image, and the first that has a number again goes on."""
    source, producer = odd
    source.start()
    (first,) = taken(source, 1)
    producer.silent_of = {FRAME_ID: None}
    unnumbered = taken(source, 5)
    assert [type(one) for one in unnumbered] == [BrokenFrame] * 5
    assert all(isinstance(one, BrokenFrame) and "does not say which exposure" in one.why for one in unnumbered)
    producer.silent_of = {}
    (again,) = taken(source, 1)
    assert isinstance(again, Frame)
    every = [first, *unnumbered, again]
    assert [one.counter for one in every] == list(range(first.counter, first.counter + 7))
    assert source.counters()["unexpected_frames"] == 0


@pytest.mark.parametrize("number", [None, 0])
def test_broken_pictures_without_a_number_do_not_end_the_stream(
    odd: tuple[GentlCamera, OddBinding], number: int | None
) -> None:
    """However long a camera runs, a picture whose number did not come is broken and the next one whole."""
    source, producer = odd
    source.start()
    before = taken(source, 1_100)
    assert all(isinstance(one, (Frame, BrokenFrame)) for one in before)
    producer.silent_of = {FRAME_ID: number, INCOMPLETE: 1}
    broken = taken(source, 3)
    producer.silent_of = {}
    following = taken(source, 2 * 5)  # those whose answers were taken while pictures waited are told of first
    assert all(isinstance(one, BrokenFrame) and "incomplete" in one.why for one in broken)
    every = [*before[-1:], *broken, *following]
    assert [b.counter - a.counter for a, b in pairwise(every)] == [one.lost_before + 1 for one in every[1:]]
    assert isinstance(following[-1], Frame)


def test_a_buffer_that_was_none_is_filled_again(odd: tuple[GentlCamera, OddBinding]) -> None:
    """More buffers than there are may be none before the first picture: the pictures come all the same."""
    source, producer = odd
    source.start()
    producer.fails = {"DSGetBufferInfo": 9}
    frame = source.grab(None, BOUND_S)
    assert producer.fails == {"DSGetBufferInfo": 0}
    assert isinstance(frame, Frame)


def test_buffers_that_are_not_taken_back_are_counted_and_the_last_one_loses_the_camera(
    odd: tuple[GentlCamera, OddBinding],
) -> None:
    """With some of its buffers the camera goes on; without any it says why nothing comes, and begins anew."""
    source, producer = odd
    source.start()
    producer.fails = {"DSQueueBuffer": 4}
    assert len(taken(source, 20)) == 20
    assert source.counters()["buffers_not_taken_back"] == 4
    producer.fails = {"DSQueueBuffer": 1}
    with pytest.raises(CameraLostError, match=r"took none of its 5 buffers back.*confused"):
        taken(source, 5)
    assert source.counters()["buffers_not_taken_back"] == 5
    source.close()
    source.open()
    source.start()
    assert isinstance(source.grab(None, BOUND_S), Frame)


@pytest.fixture
def process() -> psutil.Process:
    return psutil.Process()


def test_reopening_leaves_nothing_behind(tl: str, process: psutil.Process) -> None:
    """Eight times opened, grabbed from and closed: no file, no thread, and no more memory than a few buffers."""

    def once() -> None:
        with camera(tl, features={"Width": 1024, "Height": 1024}) as source:
            source.start()
            assert isinstance(source.grab(None, BOUND_S), Frame)

    for _ in range(3):
        once()
    files, threads, rss = process.num_fds(), process.num_threads(), process.memory_info().rss
    for _ in range(8):
        once()
    assert process.num_fds() == files
    assert process.num_threads() == threads
    assert process.memory_info().rss - rss < 20e6  # one opening holds 10 MB of buffers
