"""A raw recording: what was written comes back byte for byte and at its time, and damage never makes half a frame."""

from __future__ import annotations

import shutil
import tempfile
import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from camera import CameraOpenError, CameraOptionsError, make_camera
from camera import raw_recording as raw
from camera.frame import BrokenFrame, Frame, Pixels
from camera.pixels import FORMATS, SAMPLED, frame_size
from camera.raw_playback import RawRecording
from camera.raw_recording import INDEX, RawRecordingWriter
from camera.replay import ReplayCamera

BOUND_S = 30.0
Exposures = list[Frame | BrokenFrame]


def pixels_of(pixel_format: str, rows: int, groups: int, seed: int) -> Pixels:
    """Return random bytes as a frame of the format, `groups` groups of pixels wide."""
    random = np.random.default_rng(seed)
    if pixel_format in ("RGB8", "BGR8"):
        return random.integers(0, 256, (rows, groups, 3), np.uint8)
    size = SAMPLED[pixel_format].size if pixel_format in SAMPLED else 4
    return random.integers(0, 256, (rows, groups * size), np.uint8)


@st.composite
def exposures_lists(draw: st.DrawFn) -> Exposures:
    """A story of a camera: frames of any format and size, broken ones, gaps, with or without a device clock."""
    with_clock = draw(st.booleans())
    counter, device_ns, host_ns = draw(st.integers(-5, 2**40)), draw(st.integers(0, 2**60)), 10**15
    story: Exposures = []
    for seed in range(draw(st.integers(1, 8))):
        lost = draw(st.sampled_from((0, 0, 1, 700)))
        step_ns = draw(st.integers(1, 10**6)) * (lost + 1) + 1_000
        counter, device_ns, host_ns = counter + lost + 1, device_ns + step_ns, host_ns + step_ns
        stamp = device_ns if with_clock else None
        late_ns = draw(st.integers(0, 900))
        if draw(st.booleans()) and draw(st.booleans()):
            story.append(BrokenFrame("top", counter, stamp, host_ns + late_ns, lost, "12 of 144 packets are missing"))
            continue
        pixel_format = draw(st.sampled_from(FORMATS))
        pixels = pixels_of(pixel_format, draw(st.integers(1, 5)), draw(st.integers(1, 5)), seed)
        chunks = draw(st.dictionaries(st.text(max_size=5), st.integers() | st.floats(allow_nan=False), max_size=2))
        story.append(Frame("top", counter, stamp, host_ns + late_ns, lost, pixel_format, pixels, chunks))
    return story


def write(folder: Path, story: Exposures, *, end: bool = True) -> Path:
    writer = RawRecordingWriter(folder, {"backend": "test"}, 0)
    for exposure in story:
        writer.write(exposure)
    if end:
        writer.close("complete")
    return folder


def replay(folder: Path, **options: object) -> ReplayCamera:
    camera = make_camera("replay", "top", {"path": str(folder), **options})
    assert isinstance(camera, ReplayCamera)
    return camera


def grab_all(camera: ReplayCamera) -> Exposures:
    story: Exposures = []
    with camera:
        camera.start()
        while not camera.exhausted:
            if (exposure := camera.grab(None, BOUND_S)) is not None:
                story.append(exposure)
    return story


def frame(counter: int, pixel_format: str = "Mono8", *, lost: int = 0) -> Frame:
    pixels = pixels_of(pixel_format, 4, 6, counter)
    return Frame("top", counter, counter * 1_000_000, 10**12 + counter * 1_000_000, lost, pixel_format, pixels)


def assert_same(came: Exposures, recorded: Exposures) -> None:
    """Hold everything but the origins of counter and clock, and the moment of replaying, against what was recorded."""
    assert len(came) == len(recorded)
    for one, was in zip(came, recorded, strict=True):
        if isinstance(was, BrokenFrame):
            assert isinstance(one, BrokenFrame)
            assert one.why == was.why
        else:
            assert isinstance(one, Frame)
            assert one.pixels.dtype == np.uint8
            assert one.pixels.shape == was.pixels.shape
            assert one.pixels.tobytes() == was.pixels.tobytes()
            assert (one.pixel_format, dict(one.chunks)) == (was.pixel_format, dict(was.chunks))
            assert frame_size(one.pixels, one.pixel_format) == frame_size(was.pixels, was.pixel_format)
        assert one.lost_before == was.lost_before
        assert (one.device_ns is None) == (was.device_ns is None)
    for (one, after), (was, was_after) in zip(pairwise(came), pairwise(recorded), strict=True):
        assert after.counter - one.counter == was_after.counter - was.counter
        if was.device_ns is not None and was_after.device_ns is not None:
            assert one.device_ns is not None
            assert after.device_ns is not None
            assert after.device_ns - one.device_ns == was_after.device_ns - was.device_ns


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(story=exposures_lists(), preload=st.booleans())
def test_a_replay_gives_what_was_recorded(story: Exposures, preload: bool) -> None:
    """Bytes, format, chunks, gaps, broken ones and the device's times come back; also through a second recording."""
    with tempfile.TemporaryDirectory() as folder:
        first, second = write(Path(folder, "1"), story), Path(folder, "2")
        recording = RawRecording(first)
        assert recording.ending == ""
        assert [one.received_host_ns for one in recording.exposures] == [one.received_host_ns for one in story]
        assert [one.counter for one in recording.exposures] == [one.counter for one in story]
        if not any(isinstance(one, Frame) for one in story):
            return
        came = grab_all(replay(first, preload=preload))
        assert_same(came, story)
        assert_same(grab_all(replay(write(second, came))), story)


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_every_pixel_format_comes_back(pixel_format: str, tmp_path: Path) -> None:
    """Each format of the table keeps its bytes; a strided view and a 16-bit array are stored as the bytes they show."""
    plain = pixels_of(pixel_format, 6, 4, 1)
    wide = np.zeros((6, plain.shape[1] + 3, *plain.shape[2:]), np.uint8)
    wide[:, : plain.shape[1]] = plain
    story: Exposures = [replace(frame(1), pixel_format=pixel_format, pixels=plain)]
    story.append(replace(frame(2), pixel_format=pixel_format, pixels=wide[:, : plain.shape[1]]))
    assert_same(grab_all(replay(write(tmp_path / "r", story), rate_hz=0)), story)


def test_arrivals_are_replayed_late_as_they_were(tmp_path: Path) -> None:
    """A frame that came 40 ms later than the others after its exposure comes so late after its trigger again."""
    story: Exposures = [frame(1), replace(frame(2), received_host_ns=frame(2).received_host_ns + 40_000_000), frame(90)]
    story[2] = replace(story[2], lost_before=87)
    folder = write(tmp_path / "r", story)
    assert [RawRecording(folder).delay_ns(index) for index in (0, 1, 2, 89)] == [0, 40_000_000, 0, 0]
    camera = replay(folder)
    with camera:
        camera.start()
        triggers = [trigger for trigger in (camera.wait_trigger(BOUND_S) for _ in (1, 2)) if trigger is not None]
        came = [one for one in (camera.grab(None, BOUND_S) for _ in story) if one is not None]
    assert_same(came, story)
    assert came[1].received_host_ns >= triggers[1].host_ns + 40_000_000


def test_lost_exposures_are_triggers_without_a_frame(tmp_path: Path) -> None:
    """Each exposure that was lost or not kept keeps its trigger, between those of its neighbours."""
    writer = RawRecordingWriter(tmp_path / "r", {}, 0)
    writer.write(frame(1))
    writer.write(frame(5, lost=1), unrecorded_before=2)
    writer.close("complete")
    assert (writer.frames, writer.lost, writer.unrecorded) == (2, 1, 2)
    recording = RawRecording(tmp_path / "r")
    assert list(recording.times_ns) == [0, 1_000_000, 2_000_000, 3_000_000, 4_000_000]
    assert list(recording.times_ns[-2:]) == [3_000_000, 4_000_000]
    camera = replay(tmp_path / "r", rate_hz=0)
    with camera:
        camera.start()
        assert camera.wait_trigger(0.0) is None
        counters = [one.counter for one in (camera.grab(None, BOUND_S), camera.grab(None, BOUND_S)) if one is not None]
        triggers = [camera.wait_trigger(BOUND_S) for _ in range(5)]
    assert counters == [1, 5]
    assert [trigger.number for trigger in triggers if trigger] == [1, 2, 3, 4, 5]
    assert camera.problems == {}


def test_a_device_clock_that_counts_something_else_is_not_followed(tmp_path: Path) -> None:
    """Stamps that run 8 times too fast, jump back or are missing: the replay follows the arrivals instead."""
    plain = [frame(number * 1_000) for number in (1, 2, 3)]
    fast = [replace(one, device_ns=8 * (one.device_ns or 0)) for one in plain]
    back = [plain[0], replace(plain[1], device_ns=0), plain[2]]
    some = [plain[0], replace(plain[1], device_ns=None), plain[2]]
    for number, story in enumerate((fast, back, some)):
        recording = RawRecording(write(tmp_path / str(number), list(story)))
        assert list(recording.times_ns) == [0, 1_000_000_000, 2_000_000_000]


def test_pixels_go_on_in_a_further_file(tmp_path: Path) -> None:
    """A file of pixels that is full is followed by the next; no frame lies in two."""
    story: Exposures = [frame(number) for number in range(1, 8)]
    with patch.object(raw, "MAX_FILE_BYTES", 50):
        write(tmp_path / "r", story)
    sizes = [file.stat().st_size for file in sorted((tmp_path / "r").glob("frames-*.raw"))]
    assert sizes == [48, 48, 48, 24]
    assert_same(grab_all(replay(tmp_path / "r", rate_hz=0)), story)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_recording_cut_anywhere_is_its_whole_frames(data: st.DataObject) -> None:
    """However many bytes of index and pixels remain, what is read is a whole prefix, and the end is named."""
    story: Exposures = [frame(1), BrokenFrame("top", 2, 2, 10**12, 0, "half of it"), frame(3, "Mono12p"), frame(4)]
    with tempfile.TemporaryDirectory() as place:
        folder = write(Path(place, "r"), story)
        cut = data.draw(st.sampled_from((INDEX, "frames-000001.raw")))
        size = (folder / cut).stat().st_size
        with (folder / cut).open("r+b") as file:
            file.truncate(data.draw(st.integers(0, size - 1)))
        recording = RawRecording(folder)
        assert recording.ending
        assert "\n" not in recording.ending
        places = [index for index in range(recording.count) if recording.about(index) is not None]
        assert places == list(range(recording.count))
        for index, was in zip(places, story, strict=False):
            pixels = recording.read(index)
            assert (pixels is None) == isinstance(was, BrokenFrame)
            if isinstance(was, Frame) and pixels is not None:
                assert pixels.tobytes() == was.pixels.tobytes()
        recording.close()


@settings(max_examples=40, deadline=None)
@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_of_the_pixels_is_a_part_without_a_frame(at: float, bit: int) -> None:
    """The frame whose sum is wrong is left out and named; the others come."""
    story: Exposures = [frame(number) for number in (1, 2, 3)]
    with tempfile.TemporaryDirectory() as place:
        folder = write(Path(place, "r"), story)
        data = bytearray((folder / "frames-000001.raw").read_bytes())
        data[int(at * len(data))] ^= 1 << bit
        (folder / "frames-000001.raw").write_bytes(data)
        camera = replay(folder, rate_hz=0)
        came = grab_all(camera)
        hit = int(at * len(data)) // 24 + 1
        assert [one.counter for one in came] == [number for number in (1, 2, 3) if number != hit]
        assert ["sha256 differs" in text for text in camera.problems.values()] == [True]


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_a_damaged_index_ends_the_recording_or_is_refused(data: st.DataObject) -> None:
    """Any bytes in the place of a line or of the header: a CameraOpenError or an earlier end, never another error."""
    with tempfile.TemporaryDirectory() as place:
        folder = write(Path(place, "r"), [frame(1), frame(2), frame(3)])
        name = data.draw(st.sampled_from((INDEX, raw.HEADER)))
        lines = (folder / name).read_bytes().splitlines(keepends=True)
        junk = data.draw(st.binary(max_size=40) | st.sampled_from((b"{}\n", b"null\n", b"[]\n", b'{"end": 3}\n')))
        lines[data.draw(st.integers(0, len(lines) - 1))] = junk
        (folder / name).write_bytes(b"".join(lines))
        try:
            recording = RawRecording(folder)
        except CameraOpenError:
            return
        assert recording.ending or name == raw.HEADER
        for index in range(recording.count):
            recording.read(index)
        recording.close()


def test_an_index_leads_to_no_other_file(tmp_path: Path) -> None:
    """A line that names a file outside the folder ends the recording before it."""
    folder = write(tmp_path / "r", [frame(1)])
    line, end = (folder / INDEX).read_bytes().splitlines(keepends=True)
    unsummed = line.rpartition(b',"sum":"')[0].replace(b"frames-000001.raw", b"../secret.raw") + b"}"
    (folder / INDEX).write_bytes(raw.summed(unsummed) + end)
    with pytest.raises(CameraOpenError, match="raw recording without a frame"):
        replay(folder, rate_hz=0).open()
    assert "line 1 of frames.jsonl is damaged" in RawRecording(folder).ending


@pytest.mark.parametrize(
    ("was", "now"), [("Mono8", "BayerRG8"), ("[4,6]", "[6,4]"), ('"device_ns":2', '"device_ns":3')]
)
def test_a_changed_line_of_the_index_is_noticed(was: str, now: str, tmp_path: Path) -> None:
    """Another format, shape or time stamp is as good JSON as before; the line's own sum tells."""
    folder = write(tmp_path / "r", [frame(1), frame(2), frame(3)])
    lines = (folder / INDEX).read_text().splitlines(keepends=True)
    assert was in lines[1]
    lines[1] = lines[1].replace(was, now)
    (folder / INDEX).write_text("".join(lines))
    recording = RawRecording(folder)
    assert (recording.count, recording.is_damaged) == (1, True)
    assert "line 2 of frames.jsonl is not as it was written (its sum differs)" in recording.ending
    camera = replay(folder, rate_hz=0)
    assert len(grab_all(camera)) == 1
    assert camera.counters()["damaged"] == 1


def test_a_recording_without_sums_of_its_lines_is_read(tmp_path: Path) -> None:
    """It was made before there were any."""
    folder = write(tmp_path / "r", [frame(1), frame(2)])
    lines = (folder / INDEX).read_bytes().splitlines(keepends=True)
    older = [line.rpartition(b',"sum":"')[0] + b"}\n" for line in lines[:-1]]
    (folder / INDEX).write_bytes(b"".join([*older, lines[-1]]))
    assert (RawRecording(folder).count, RawRecording(folder).ending) == (2, "")


def test_bad_folders_and_options_are_refused(tmp_path: Path) -> None:
    """Another version, a missing index, pixel_format beside a recording, only lost frames: each says what to do."""
    folder = write(tmp_path / "r", [frame(1)])
    with pytest.raises(CameraOptionsError, match="leave pixel_format out"):
        replay(folder, pixel_format="Mono12").open()
    with pytest.raises(FileExistsError):
        write(folder, [frame(1)])
    shutil.copytree(folder, tmp_path / "bare")
    (tmp_path / "bare" / INDEX).unlink()
    with pytest.raises(CameraOpenError, match=r"has no frames\.jsonl, the index"):
        replay(tmp_path / "bare").open()
    header = (folder / raw.HEADER).read_text()
    (folder / raw.HEADER).write_text(header.replace('"version": 1', '"version": 7'))
    with pytest.raises(CameraOpenError, match=r"version 7; .* version 1 is read"):
        replay(folder).open()
    broken = write(tmp_path / "b", [BrokenFrame("top", 1, None, 1, 0, "nothing came")])
    with pytest.raises(CameraOpenError, match="came broken when it was recorded"):
        replay(broken).open()


def test_a_recording_that_is_still_growing_is_read_as_far_as_it_is(tmp_path: Path) -> None:
    """While one thread writes, each reader sees whole frames only."""
    writer = RawRecordingWriter(tmp_path / "r", {}, 0)
    writer.write(frame(1))
    begun, story = threading.Event(), [frame(number) for number in range(2, 400)]

    def write_on() -> None:
        begun.set()
        for one in story:
            writer.write(one)

    thread = threading.Thread(target=write_on)
    thread.start()
    assert begun.wait(BOUND_S)
    while thread.is_alive():
        recording = RawRecording(tmp_path / "r")
        assert "no end mark" in recording.ending or "cut off" in recording.ending
        pixels = recording.read(recording.count - 1)
        assert pixels is not None
        assert pixels.tobytes() == frame(recording.count).pixels.tobytes()
        recording.close()
    thread.join(BOUND_S)
    writer.close("complete")
    assert RawRecording(tmp_path / "r").count == 399
