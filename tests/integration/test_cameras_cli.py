"""`lineward cameras` as people and scripts use it, without hardware: clear answers, and recordings that survive."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from cameras_command import as_json, cameras

from camera.frame import Frame
from camera.raw_playback import RawRecording
from camera.raw_recording import INDEX, RawRecordingWriter

BOUND_S = 60.0
STATION = """
[[camera]]
backend = "replay"
path = "{recording}"
rate_hz = 0
[[camera]]
backend = "simulated"
name = "side"
[geometry]
travel_time_s = 0.5
[ejector]
driver = "simulated"
[records]
dir = "{folder}/records"
"""


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Three frames of 12 bits, the second one bright."""
    writer = RawRecordingWriter(tmp_path / "recording", {}, 0)
    for counter, level in ((1, 100), (2, 4095), (3, 100)):
        pixels = np.full((6, 8), level, "<u2").view(np.uint8)
        writer.write(Frame("top", counter, counter, counter, 0, "Mono12", pixels))
    writer.close("complete")
    return tmp_path / "recording"


def spawn(*words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "inspection.cli.main", "cameras", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_lines(index: Path, count: int, process: subprocess.Popen[str]) -> None:
    until_s = time.monotonic() + BOUND_S
    while not index.is_file() or index.read_bytes().count(b"\n") < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until_s, "nothing was recorded"
        time.sleep(0.01)  # of a bounded wait for another process


def endless(source: Path, folder: Path) -> subprocess.Popen[str]:
    return spawn("record", f"replay:{source}", folder, "-o", "rate_hz=100", "-o", "loop=true", "--json")


def test_a_killed_recording_is_a_whole_prefix(tmp_path: Path, recording: Path) -> None:
    """kill -9 while it records: every frame of the index is whole, the missing end is named, and it is replayed."""
    process = endless(recording, tmp_path / "r")
    wait_for_lines(tmp_path / "r" / INDEX, 5, process)
    process.kill()
    process.communicate(timeout=BOUND_S)
    killed = RawRecording(tmp_path / "r")
    assert "no end mark" in killed.ending or "cut off" in killed.ending
    assert killed.count >= 5
    for index in range(killed.count):
        pixels = killed.read(index)
        assert pixels is not None
        assert pixels.tobytes() == np.full(48, 4095 if index % 3 == 1 else 100, "<u2").tobytes()
    killed.close()
    assert as_json("snapshot", f"replay:{tmp_path / 'r'}", tmp_path / "a.png")["pixel_format"] == "Mono12"


def test_a_signal_ends_a_recording_properly(tmp_path: Path, recording: Path) -> None:
    """Ctrl-C: the end mark is there, and the command succeeds."""
    process = endless(recording, tmp_path / "r")
    wait_for_lines(tmp_path / "r" / INDEX, 2, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=BOUND_S)
    assert process.returncode == 0, err
    stopped = RawRecording(tmp_path / "r")
    assert stopped.ending == ""
    found = json.loads(out)
    assert (found["ok"], found["ending"]) == (True, "stopped")
    assert found["frames"] == len(stopped.exposures)


def test_a_full_disk_ends_a_recording_with_its_name(tmp_path: Path) -> None:
    """On a real file system of 4 MB: one message, exit 1, and what was written before is whole."""
    source, small, kept = tmp_path / "source", tmp_path / "small", tmp_path / "kept"
    small.mkdir()
    writer = RawRecordingWriter(source, {}, 0)
    writer.write(Frame("top", 1, 1, 1, 0, "Mono8", np.full((1000, 900), 7, np.uint8)))
    writer.close("complete")
    record = f"{sys.executable} -m inspection.cli.main cameras record replay:{source} {small}/r --keep-free-gb 0"
    script = f"""mount -t tmpfs -o size=4m none {small} || exit 77
        {record} -o rate_hz=0 -o loop=true; code=$?; cp -r {small}/r {kept}; exit $code"""
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, timeout=BOUND_S)
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip("no small file system can be mounted here")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert f"lineward: {small}/r: No space left on device; the recording ended there" in done.stderr
    assert f"{small}/r: 4 frames of" in done.stdout
    full = RawRecording(kept)
    assert full.ending or (full.end is not None and "No space left" in full.end.end)
    assert full.count == 4
    assert all((full.read(index) == 7).all() for index in range(4))
    full.close()


def test_a_folder_that_cannot_be_written_is_named_as_such(tmp_path: Path, recording: Path) -> None:
    """On a file system that is mounted read-only the disk's room is not what is wrong."""
    script = f"""mount -t tmpfs -o ro none {tmp_path} || exit 77
        {sys.executable} -m inspection.cli.main cameras record simulated {tmp_path}/r --frames 1"""
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, timeout=BOUND_S)
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip("no file system can be mounted here")
    assert done.returncode == 1
    told = f"lineward: {tmp_path}/r: cannot be written ({tmp_path}: Read-only file system); name a folder"
    assert told in done.stderr


@pytest.mark.parametrize("where", ["the last pixels", "a line of the index"])
def test_a_copy_of_a_damaged_recording_says_so(tmp_path: Path, recording: Path, where: str) -> None:
    """What could not be read is counted, and the exit code is 1; also at the end, after which no gap shows it."""
    if where == "the last pixels":
        data = bytearray((recording / "frames-000001.raw").read_bytes())
        data[-1] ^= 1
        (recording / "frames-000001.raw").write_bytes(data)
    else:
        index = (recording / INDEX).read_text()
        head, middle, tail = index.partition('"Mono12"')
        (recording / INDEX).write_text(head + middle + tail.replace('"Mono12"', '"Mono16"'))
    code, text = cameras("record", f"replay:{recording}", tmp_path / "again", "-o", "rate_hz=0")
    assert code == 1
    assert "0 came broken, 1 damaged" in text
    assert "1 pictures of the recording that was played could not be read" in text


def test_a_recording_is_the_camera(tmp_path: Path, recording: Path) -> None:
    """What is recorded from a replay is what was recorded, and the figures of a snapshot are those of the samples."""
    found = as_json("record", f"replay:{recording}", tmp_path / "again", "-o", "rate_hz=0")
    assert (found["frames"], found["lost"], found["ending"]) == (3, 0, "the source has ended")
    first, again = RawRecording(recording), RawRecording(tmp_path / "again")
    assert [one.sha256 for one in again.exposures] == [one.sha256 for one in first.exposures]
    found = as_json("snapshot", f"replay:{tmp_path / 'again'}", tmp_path / "a.png")
    assert (found["width"], found["height"], found["bits"]) == (8, 6, 12)
    assert (found["mean"], found["saturated_share"]) == (100.0, 0.0)
    read = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    assert read.dtype == np.uint16
    assert (read == 100 << 4).all()


def test_the_camera_of_a_station_is_meant_by_its_name(tmp_path: Path, recording: Path) -> None:
    """station.toml:name takes the backend and options of the file; --option goes before them."""
    file = tmp_path / "station.toml"
    file.write_text(STATION.format(recording=recording, folder=tmp_path))
    assert as_json("snapshot", f"{file}:top", tmp_path / "a.png")["pixel_format"] == "Mono12"
    assert as_json("snapshot", f"{file}:side", tmp_path / "b.png")["backend"] == "simulated"
    code, text = cameras("snapshot", file, tmp_path / "c.png")
    assert code == 2
    assert f"has 2 cameras; name one of {file}:top, {file}:side" in text
    code, text = cameras("show", f"{file}:left")
    assert (code, "has no camera 'left'" in text) == (2, True)
    code, text = cameras("snapshot", f"{file}:top", tmp_path / "c.png", "-o", "path=/nowhere")
    assert (code, "/nowhere: no such file or folder" in text) == (1, True)
    assert not (tmp_path / "c.png").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("show", "nosuch.toml"), 2, "nosuch.toml: no such file"),
        (("show", "nosuch.toml:top"), 2, "nosuch.toml: no such file"),
        (("show", "nope:CAM1"), 2, "'nope' is no backend (there are simulated, conveyor, replay, aravis,"),
        (("board", "--board", "ten", "--out", "b.png"), 2, "COLUMNSxROWS is needed"),
        (("board", "--board", "9x6", "--square-mm", "nan", "--out", "b.png"), 2, "mend --board or --square-mm"),
        (("board", "--board", "9x6", "--kind", "charuco", "--dictionary", "3X3", "--out", "b.png"), 2, "--dictionary"),
        (("show", "aravis:"), 2, "there is no device after the colon"),
        (("show", "simulated:x"), 2, "has no devices to choose from"),
        (("show", "simulated", "-o", "speed"), 2, "is not key=value"),
        (("show", "replay:RGB", "-o", "rate=3"), 2, "rate: unknown key"),
        (("show", "replay:RGB", "-o", "rate_hz=fast"), 2, "rate_hz = 'fast'"),
        (("set", "simulated"), 2, "nothing to do"),
        (("set", "simulated", "Gain=3"), 2, "has no features"),
        (("set", "simulated", "--from", "nosuch.toml"), 2, "nosuch.toml"),
        (("snapshot", "simulated", "out.jpg"), 2, "a name that ends in .png"),
        (("snapshot", "simulated", "nosuchfolder/out.png"), 2, "in a folder that exists"),
        (("snapshot", "replay:RGB", "out.png", "-o", "rate_hz=0", "--raw"), 1, "has no raw samples"),
        (("record", "simulated", "/"), 2, "is there already"),
        (("show", "simulated", "--save-to", "nosuchfolder/s.toml"), 2, "in a folder that exists"),
        (("verify", "simulated", "--save-reference", "nosuchfolder/r.json"), 2, "in a folder that exists"),
        (("record", "simulated", "nosuch", "--frames", "0"), 2, "--frames"),
        (("list", "--backend", "nosuch"), 2, "no backend is called nosuch"),
    ],
)
def test_bad_words_are_answered(
    words: tuple[str, ...], code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each says what was wrong and what is allowed, and leaves nothing behind."""
    pictures, empty = tmp_path / "rgb", tmp_path / "empty"
    pictures.mkdir()
    empty.mkdir()
    assert cv2.imwrite(str(pictures / "1.png"), np.zeros((8, 8, 3), np.uint8))
    monkeypatch.chdir(empty)
    found = cameras(*(word.replace("RGB", str(pictures)) for word in words))
    assert found[0] == code, found[1]
    assert said in " ".join(found[1].replace("│", " ").split())
    assert list(empty.iterdir()) == []


def test_a_name_that_nobody_finds_is_answered_with_what_there_is() -> None:
    """A device that is not connected: how a camera is written, and what was found."""
    code, text = cameras("show", "no-such-camera-anywhere")
    assert code == 2
    assert "no backend finds it; a camera is station.toml" in text
    assert "Found:" in text


def test_the_list_has_every_backend() -> None:
    """For people and for programs, and --backend makes it shorter."""
    code, text = cameras("list", "--backend", "replay", "--backend", "simulated")
    assert code == 0
    assert "replay" in text
    assert "conveyor" not in text
    found = as_json("list", "--backend", "replay")
    assert [one["backend"] for one in found["backends"]] == ["replay"]
    assert found["devices"] == []
