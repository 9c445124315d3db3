"""The replay camera: order, timing, every kind of image file, and files that are none."""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from camera import Camera, CameraOpenError, CameraOptionsError, Frame, Pixels, make_camera
from camera.replay import ReplayCamera

BOUND_S = 30.0


def replay(path: Path, **options: object) -> ReplayCamera:
    camera = make_camera("replay", "top", {"path": str(path), "rate_hz": 0, **options})
    assert isinstance(camera, ReplayCamera)
    return camera


def grab_all(camera: Camera, at_most: int = 10_000) -> list[Frame]:
    frames: list[Frame] = []
    with camera:
        camera.start()
        while not camera.exhausted and len(frames) < at_most:
            if (frame := camera.grab(None, BOUND_S)) is not None:
                frames.append(frame)
    return frames


def write(file: Path, pixels: np.ndarray) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(file), pixels)
    return file


def grey(value: int, height: int = 20, width: int = 30) -> Pixels:
    return np.full((height, width), value, np.uint8)


def test_files_come_in_natural_order_and_in_their_own_size(tmp_path: Path) -> None:
    """part_2 comes before part_10, sizes may differ, and other files are left alone."""
    for number in (10, 2, 1):
        write(tmp_path / f"part_{number}.png", grey(number, 20 + number, 30))
    (tmp_path / "notes.md").write_text("no image")
    frames = grab_all(replay(tmp_path))
    assert [int(frame.pixels[0, 0]) for frame in frames] == [1, 2, 10]
    assert [frame.pixels.shape for frame in frames] == [(21, 30), (22, 30), (30, 30)]


def test_every_kind_of_image_becomes_mono8_or_rgb8(tmp_path: Path) -> None:
    """16 bits are scaled, alpha is dropped, colour is RGB, grey stays grey."""
    write(tmp_path / "1.png", np.full((9, 8), 65535, np.uint16))
    write(tmp_path / "2.png", np.full((9, 8), 257 * 100, np.uint16))
    write(tmp_path / "3.png", np.full((9, 8, 4), (10, 20, 30, 0), np.uint8))
    write(tmp_path / "4.bmp", np.full((9, 8, 3), (10, 20, 30), np.uint8))
    write(tmp_path / "5.tif", np.full((9, 8, 3), (10, 20, 30), np.uint16) * 257)
    write(tmp_path / "6.jpg", grey(77))
    write(tmp_path / "7.png", grey(1, 1, 1))
    frames = grab_all(replay(tmp_path))
    assert [frame.pixel_format for frame in frames] == ["Mono8", "Mono8", "RGB8", "RGB8", "RGB8", "Mono8", "Mono8"]
    assert [np.ravel(frame.pixels)[0] for frame in frames[:2]] == [255, 100]
    for frame in frames[2:5]:
        assert frame.pixels[0, 0].tolist() == [30, 20, 10]
    assert frames[6].pixels.shape == (1, 1)


def claim_size(png: bytes, width: int, height: int) -> bytes:
    return png[:16] + struct.pack(">II", width, height) + png[24:]


def test_bad_files_are_triggers_without_a_frame(tmp_path: Path) -> None:
    """A truncated JPEG or PNG, an empty file, text in a .png, a huge claim, a cut header: each is a gap that
    is named in `problems`; the line goes on."""
    noise = np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)
    good = write(tmp_path / "a.jpg", noise)
    jpeg = good.read_bytes()
    png = write(tmp_path / "z.png", noise).read_bytes()
    bad = {
        "b_cut.jpg": jpeg[: len(jpeg) // 2],
        "c_no_end.jpg": jpeg[:-2],
        "d_empty.png": b"",
        "e_text.png": b"this is text",
        "f_cut.png": png[: len(png) // 2],
        "g_huge.png": claim_size(png, 20_000, 20_000),
        "h_head.jpg": jpeg[:10],
        "i_head.tif": b"II*\0",
    }
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
    for preload in (False, True):
        camera = replay(tmp_path, preload=preload)
        frames = grab_all(camera)
        assert [(frame.counter, frame.lost_before) for frame in frames] == [(1, 0), (10, 8)]
        assert sorted(Path(name).name for name in camera.problems) == sorted(bad)
        assert camera.counters()["lost_frames"] == 8
        texts = {Path(name).name: text for name, text in camera.problems.items()}
        assert "cut off" in texts["b_cut.jpg"]
        assert "cut off" in texts["c_no_end.jpg"]
        assert "empty" in texts["d_empty.png"]
        assert "20000×20000 pixels; from 1×1 up to 100 megapixels" in texts["g_huge.png"]


def test_a_bad_file_is_told_as_a_trigger(tmp_path: Path) -> None:
    """The part whose picture cannot be read has its trigger like every other."""
    write(tmp_path / "1.png", grey(1))
    (tmp_path / "2.png").write_bytes(b"")
    with replay(tmp_path) as camera:
        camera.start()
        assert camera.wait_trigger(0.0) is None
        assert camera.grab(None, BOUND_S) is not None
        assert camera.grab(None, 0.0) is None
        numbers = [
            trigger.number for trigger in (camera.wait_trigger(BOUND_S), camera.wait_trigger(BOUND_S)) if trigger
        ]
        assert numbers == [1, 2]
        assert camera.exhausted


def test_a_loop_goes_on_counting_and_keeps_the_truth(tmp_path: Path) -> None:
    """A looped replay never ends; parts of the second lap show the first pictures and have their truth."""
    write(tmp_path / "good" / "1.png", grey(1))
    write(tmp_path / "crack" / "2.png", grey(2))
    camera = replay(tmp_path, loop=True, recursive=True, truth_from_folder=True)
    frames = grab_all(camera, at_most=5)
    assert [frame.counter for frame in frames] == [1, 2, 3, 4, 5]
    assert [int(frame.pixels[0, 0]) for frame in frames] == [2, 1, 2, 1, 2]
    assert [camera.truth(frame.counter) for frame in frames] == ["crack", "good", "crack", "good", "crack"]
    device_ns = [frame.device_ns for frame in frames if frame.device_ns is not None]
    assert all(a < b for a, b in pairwise(device_ns))


def test_timestamps_give_order_and_spacing(tmp_path: Path) -> None:
    """timestamps.csv says which file comes when; a file that it names and that is missing is a lost frame."""
    for number in (1, 2, 3):
        write(tmp_path / f"{number}.png", grey(number))
    (tmp_path / "timestamps.csv").write_text("file,t_s\n3.png,5.000\ngone.png,5.004\n1.png,5.010\n", encoding="utf-8")
    camera = make_camera("replay", "top", {"path": tmp_path})
    frames = grab_all(camera)
    assert [int(frame.pixels[0, 0]) for frame in frames] == [3, 1]
    assert [frame.device_ns for frame in frames] == [0, 10_000_000]
    assert [frame.lost_before for frame in frames] == [0, 1]
    assert frames[1].received_host_ns - frames[0].received_host_ns > 0


@pytest.mark.parametrize(
    "rows", ["a,b\n1.png,0\n", "file,t_s\n1.png,x\n", "file,t_s\n1.png,1\n1.png,1\n", "file,t_s\n1.png\n", "file,t_s\n"]
)
def test_wrong_timestamps_are_refused(tmp_path: Path, rows: str) -> None:
    """A table without its columns, with text for a time, standing time or no row at all makes no replay."""
    write(tmp_path / "1.png", grey(1))
    (tmp_path / "timestamps.csv").write_text(rows, encoding="utf-8")
    with pytest.raises(CameraOpenError):
        make_camera("replay", "top", {"path": tmp_path}).open()


def test_a_list_file_gives_the_order(tmp_path: Path) -> None:
    """Paths in a list are relative to it, and come as listed, repeated where listed twice."""
    write(tmp_path / "x" / "1.png", grey(1))
    write(tmp_path / "2.png", grey(2))
    (tmp_path / "list.txt").write_text("2.png\n\nx/1.png\n2.png\n", encoding="utf-8")
    assert [int(frame.pixels[0, 0]) for frame in grab_all(replay(tmp_path / "list.txt"))] == [2, 1, 2]


def test_what_holds_no_picture_cannot_be_opened(tmp_path: Path) -> None:
    """A missing path, an empty folder, a folder of junk and a file that is no video are named in the error."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / "a.png").write_bytes(b"junk")
    (tmp_path / "no.mp4").write_bytes(b"junk")
    for name in ("missing", "empty", "junk", "no.mp4"):
        camera = replay(tmp_path / name)
        with pytest.raises(CameraOpenError, match=name):
            camera.open()
        camera.close()


def test_a_folder_without_timing_needs_a_rate(tmp_path: Path) -> None:
    """Without timestamps.csv and rate_hz nobody knows how fast to go, and the error says what to set."""
    write(tmp_path / "1.png", grey(1))
    with pytest.raises(CameraOptionsError, match="rate_hz"):
        make_camera("replay", "top", {"path": tmp_path}).open()


def test_preloading_keeps_its_limit(tmp_path: Path) -> None:
    """Pictures that do not fit into preload_limit_mb are refused at open, with the limit and the way out."""
    write(tmp_path / "1.png", grey(1, 1000, 1000))
    write(tmp_path / "2.png", grey(2, 1000, 1000))
    with pytest.raises(CameraOpenError, match="preload_limit_mb = 1"):
        replay(tmp_path, preload=True, preload_limit_mb=1).open()


def test_a_preloaded_picture_survives_its_consumer(tmp_path: Path) -> None:
    """Who would write into a lent frame is stopped, and a frame in a buffer is the buffer's owner's."""
    write(tmp_path / "1.png", grey(9))
    with replay(tmp_path, preload=True, loop=True) as camera:
        camera.start()
        first = camera.grab(None, BOUND_S)
        assert first is not None
        with pytest.raises(ValueError, match="read-only"):
            first.pixels[:] = 0
        second = camera.grab(np.zeros(first.pixels.size, np.uint8), BOUND_S)
        assert second is not None
        second.pixels[:] = 0
        third = camera.grab(None, BOUND_S)
        assert third is not None
        assert int(third.pixels[0, 0]) == 9


def test_a_raw_recording_is_what_its_format_says(tmp_path: Path) -> None:
    """Grey files may hold a Bayer pattern: the frames carry that name, and their bytes are untouched."""
    write(tmp_path / "1.png", grey(9))
    with replay(tmp_path, pixel_format="BayerRG8") as camera:
        camera.start()
        frame = camera.grab(None, BOUND_S)
    assert frame is not None
    assert (frame.pixel_format, int(frame.pixels[0, 0])) == ("BayerRG8", 9)


def test_a_video_that_ends_early_loses_frames(tmp_path: Path) -> None:
    """Frames that a video promises and does not hold are triggers without a frame, at the video's own rate."""
    file = tmp_path / "v.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 100.0, (64, 48))
    for value in range(0, 200, 10):
        writer.write(np.full((48, 64, 3), (0, 0, value), np.uint8))
    writer.release()
    data = file.read_bytes()
    file.write_bytes(data[: len(data) * 6 // 10])
    camera = make_camera("replay", "top", {"path": file})
    assert isinstance(camera, ReplayCamera)
    frames = grab_all(camera)
    assert 0 < len(frames) < 20
    assert len(frames) + camera.counters()["lost_frames"] == 20
    assert len(camera.problems) == camera.counters()["lost_frames"]
    assert [frame.device_ns for frame in frames[:3]] == [0, 10_000_000, 20_000_000]
    assert all(abs(int(f.pixels[20, 20, 0]) - 10 * (f.counter - 1)) < 8 and f.pixels[20, 20, 2] < 8 for f in frames)


@pytest.mark.realdata
def test_the_conveyor_video_replays_wholly(shared_data: Path) -> None:
    """A real video of a belt gives each of its 933 frames once, at 90 a second of its own clock."""
    camera = replay(shared_data / "video" / "conveyor_dev_960x540_90fps.mp4")
    buffer = np.empty(960 * 540 * 3, np.uint8)
    with camera:
        camera.start()
        counters, spread = [], []
        while (frame := camera.grab(buffer, BOUND_S)) is not None:
            counters.append(frame.counter)
            spread.append(float(frame.pixels[::20, ::20].std()))
            assert frame.pixels.shape == (540, 960, 3)
    assert counters == list(range(1, 934))
    assert camera.problems == {}
    assert min(spread) > 1.0
    with make_camera("replay", "top", {"path": shared_data / "video" / "conveyor_dev_960x540_90fps.mp4"}) as timed:
        timed.start()
        frames = [timed.grab(None, BOUND_S) for _ in range(3)]
    assert [frame.device_ns for frame in frames if frame] == [0, round(1e9 / 90), round(2e9 / 90)]
