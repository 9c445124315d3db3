"""A network camera against a real RTSP server: order, gaps, lag, losses, refusals and secrets."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from rtsp_peer import BOUND_S, RtspPeer, free_port, shown

from camera import Camera, CameraLostError, CameraOpenError, CameraOptionsError, Frame, make_camera
from camera.errors import Cause
from camera.frame import BrokenFrame

PICTURE_NS = 1e9 / 60
STANDS_STILL_NS = 200_000_000


@pytest.fixture(scope="module")
def peer() -> Iterator[RtspPeer]:
    with RtspPeer() as peer:
        yield peer


def rtsp(url: str, **options: object) -> Camera:
    return make_camera("rtsp", "top", {"url": url, "own_process": False, "max_lag_s": 30.0, **options})


def take(camera: Camera, count: int) -> list[Frame]:
    frames = []
    for _ in range(count):
        frame = camera.grab(None, BOUND_S)
        assert isinstance(frame, Frame), frame
        frames.append(frame)
    return frames


def assert_counted_as_shown(frames: list[Frame]) -> None:
    for a, b in pairwise(frames):
        assert b.counter - a.counter == shown(b.pixels) - shown(a.pixels)
        assert b.lost_before == b.counter - a.counter - 1


@pytest.mark.parametrize(("path", "transport"), [("h264", "tcp"), ("mjpeg", "tcp"), ("h264", "udp")])
def test_every_picture_comes_in_order(peer: RtspPeer, path: str, transport: str) -> None:
    """Each picture shows the number after the last one's, and its time is one picture later.

    Where the whole machine stood still meanwhile, a live server leaves pictures out: those are counted, and no others.
    """
    with rtsp(peer.url(path), transport=transport, frames="every", size=(64, 48)) as camera:
        camera.start()
        frames = take(camera, 45)
        assert camera.picture_size == (64, 48)
        lost = sum(frame.lost_before for frame in frames)
        assert camera.counters() == {"frames": 45, "broken_frames": 0, "lost_frames": lost, "wrong_size": 0}
    assert frames[0].counter == 1
    stood_still = max(b.received_host_ns - a.received_host_ns for a, b in pairwise(frames)) > STANDS_STILL_NS
    assert lost == 0 or stood_still
    assert_counted_as_shown(frames)
    for a, b in pairwise(frames):
        assert a.device_ns is not None
        assert b.device_ns is not None
        assert abs(b.device_ns - a.device_ns - PICTURE_NS * (b.counter - a.counter)) < 2e6 * (b.counter - a.counter)
    assert {(frame.pixel_format, frame.pixels.shape) for frame in frames} == {("BGR8", (48, 64, 3))}


def test_pictures_that_were_never_sent_are_gaps(peer: RtspPeer) -> None:
    """Where the camera leaves pictures out, its times tell: lost_before and counter say how many."""
    with rtsp(peer.url("gaps")) as camera:
        camera.start()
        frames = take(camera, 40)
    assert sum(frame.lost_before for frame in frames) >= 6
    assert_counted_as_shown(frames)


def test_a_reader_that_was_held_up_sees_the_present_and_what_it_missed(peer: RtspPeer) -> None:
    """What became too old meanwhile is skipped and counted as lost; the next picture is of now."""
    with rtsp(peer.url("h264"), max_lag_s=0.3, silence_s=4.0) as camera:
        camera.start()
        before = take(camera, 3)
        peer.await_made(shown(before[-1].pixels) + 120)  # 2 s: longer than any lag that is allowed
        after = take(camera, 3)
        assert camera.counters()["lost_frames"] == sum(frame.lost_before for frame in after)
    assert after[0].lost_before >= 20
    assert_counted_as_shown(before + after)


def test_where_every_picture_counts_a_lag_is_a_fault(peer: RtspPeer) -> None:
    """With frames = "every" nothing is skipped: a station that cannot keep up loses the camera, and says why."""
    with rtsp(peer.url("h264"), max_lag_s=0.3, silence_s=4.0, frames="every") as camera:
        camera.start()
        seen = take(camera, 1)
        peer.await_made(shown(seen[0].pixels) + 120)
        with pytest.raises(CameraLostError, match=r"late, at most 0\.3 are allowed \(max_lag_s\)") as lost:
            take(camera, 10)
    assert lost.value.cause == Cause.NETWORK


def test_a_picture_of_another_size_is_broken(peer: RtspPeer) -> None:
    """A stream that changes its size gives broken frames from then on, never an image."""
    with rtsp(peer.url("resize")) as camera:
        camera.start()
        exposures = [camera.grab(None, BOUND_S) for _ in range(90)]
        broken = [exposure for exposure in exposures if isinstance(exposure, BrokenFrame)]
        assert camera.counters()["wrong_size"] == len(broken) > 5
    assert exposures[-1] is broken[-1]
    assert "128×96, 64×48 was agreed" in broken[-1].why
    assert all(frame.pixels.shape == (48, 64, 3) for frame in exposures if isinstance(frame, Frame))


def test_a_server_that_dies_is_a_lost_camera_and_opens_again() -> None:
    """kill -9: the stream ended; with the server back on its port the same camera opens and counts from 1."""
    port = free_port()
    with RtspPeer(port=port) as peer:
        camera = rtsp(peer.url("h264"))
        camera.open()
        camera.start()
        take(camera, 3)
        peer.kill()
        with pytest.raises(CameraLostError, match="ended the stream") as lost:
            take(camera, 100)
        assert lost.value.cause == Cause.CONTROL_LOST
        camera.close()
        with pytest.raises(CameraOpenError, match="refused") as refused:
            camera.open()
        assert refused.value.cause == Cause.ABSENT
    with RtspPeer(port=port), camera:
        camera.start()
        assert take(camera, 2)[0].counter == 1


def test_a_camera_that_goes_while_nobody_grabs_is_missed_at_the_next_look() -> None:
    """A look asks the server without a session: gone, back and frozen are told apart, and a running stream is left."""
    port = free_port()
    with RtspPeer(port=port) as peer, rtsp(peer.url("h264"), open_timeout_s=1.0) as camera:
        assert camera.check_settings() == []
        camera.start()
        take(camera, 3)
        assert camera.check_settings() == []
        camera.stop()
        assert camera.check_settings() == []
        peer.kill()
        with pytest.raises(CameraLostError, match="Connection refused") as gone:
            camera.check_settings()
        assert gone.value.cause is Cause.ABSENT
        with RtspPeer(port=port) as again:
            assert camera.check_settings() == []
            again.freeze()
            with pytest.raises(CameraLostError, match="does not answer") as frozen:
                camera.check_settings()
            assert frozen.value.cause is Cause.SILENT


def test_a_server_that_falls_silent_is_a_lost_camera() -> None:
    """SIGSTOP: after silence_s the camera is lost as silent; a stop from another thread ends a grab by then, too."""
    with RtspPeer() as peer, rtsp(peer.url("h264"), silence_s=0.6) as camera:
        camera.start()
        take(camera, 3)
        peer.freeze()
        with pytest.raises(CameraLostError, match=r"sent nothing for 0\.6 s") as lost:
            take(camera, 100)
        assert lost.value.cause == Cause.SILENT


def test_a_stop_of_a_silent_stream_is_no_hung_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process is not ended for a stop that waits as long as the stream may be silent, and no longer than that."""
    monkeypatch.setattr("camera.own_process.camera._STOP_S", 0.5)
    with RtspPeer() as peer, rtsp(peer.url("h264"), own_process=True, silence_s=4.0, watchdog_s=4.5) as camera:
        camera.start()
        take(camera, 3)
        peer.freeze()
        for _ in range(1_000):  # what had been sent before
            if camera.grab(None, 0.5) is None:
                break
        camera.stop()
        assert camera.counters()["driver_restarts"] == 0


def test_a_stop_ends_a_grab_of_a_silent_stream() -> None:
    """stop from another thread returns, and the grab with it, though FFmpeg waits for packets that never come."""
    with RtspPeer() as peer, rtsp(peer.url("h264"), silence_s=1.0) as camera:
        camera.start()
        entering = threading.Barrier(2)
        ends: list[object] = []

        def grab_on() -> None:
            entering.wait(BOUND_S)
            try:
                while (given := camera.grab(None, BOUND_S)) is not None:
                    del given
                ends.append(None)
            except CameraLostError as error:
                ends.append(error.cause)

        thread = threading.Thread(target=grab_on, daemon=True)
        thread.start()
        peer.freeze()
        entering.wait(BOUND_S)
        camera.stop()
        thread.join(BOUND_S)
        assert ends in ([None], [Cause.SILENT])


def test_refusals_say_what_is_wrong_and_never_the_password(
    peer: RtspPeer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A wrong path, a wrong and a missing password each have a text of their own; the right one works, any letters."""
    secret = "p@ss:w/rd %1"
    with pytest.raises(CameraOpenError, match="no stream of this path") as absent:
        rtsp(peer.url("none")).open()
    assert absent.value.cause == Cause.REFUSED
    monkeypatch.setenv("TOP_PASSWORD", "wrong" + secret)
    with RtspPeer("viewer", secret) as locked:
        url = locked.url("h264", "viewer:{password}@")
        with pytest.raises(CameraOpenError, match="refuses user or password") as refused:
            rtsp(url, password_env="TOP_PASSWORD").open()
        monkeypatch.setenv("TOP_PASSWORD", "")
        with pytest.raises(CameraOpenError, match="TOP_PASSWORD holds no password"):
            rtsp(url, password_env="TOP_PASSWORD").open()
        file = tmp_path / "secret"
        file.write_text(secret + "\n")
        with rtsp(url, password_file=file) as camera:
            camera.start()
            take(camera, 1)
    told = capfd.readouterr()
    for text in (str(refused.value), told.out, told.err):
        assert "p@ss" not in text
        assert "p%40ss" not in text


def test_a_password_in_the_configuration_is_refused_unseen() -> None:
    """The url may not hold one; the refusal does not repeat it, and says where it goes."""
    with pytest.raises(CameraOptionsError, match=r"password_env or password_file") as refused:
        rtsp("rtsp://admin:hidden1@127.0.0.1/h264")
    assert "hidden1" not in str(refused.value)
    for options in ({}, {"password_env": "A", "password_file": "/b"}):
        with pytest.raises(CameraOptionsError, match=r"place\(s\) of a password"):
            rtsp("rtsp://admin:{password}@127.0.0.1/h264", **options)
    for url in ("http://127.0.0.1/x", "rtsp:///x", "rtsp://host:99999/x", "rtsp://host/a b"):
        with pytest.raises(CameraOptionsError, match="url: "):
            rtsp(url)
    with pytest.raises(CameraOptionsError, match="taken for a hung driver"):
        rtsp("rtsp://127.0.0.1/h264", own_process=True, silence_s=9.0)


def test_a_size_that_is_not_the_streams_is_refused(peer: RtspPeer) -> None:
    """The stream's size is checked before the first frame; the surroundings' FFmpeg options stay as they were."""
    before = os.environ.get("OPENCV_FFMPEG_CAPTURE_OPTIONS")
    with pytest.raises(CameraOpenError, match=r"sends 64×48 pixels, size = \[640, 480\]") as refused:
        rtsp(peer.url("h264"), size=(640, 480)).open()
    assert refused.value.cause == Cause.REFUSED
    assert os.environ.get("OPENCV_FFMPEG_CAPTURE_OPTIONS") == before


def test_lost_packets_are_known_of_at_best_by_their_time(peer: RtspPeer) -> None:
    """Over UDP with losses pictures still come, none of another size, and the counter never runs behind."""
    with rtsp(peer.url("lossy"), transport="udp", silence_s=4.0) as camera:
        camera.start()
        frames = take(camera, 60)
    assert all(b.counter > a.counter for a, b in pairwise(frames))
    assert frames[-1].counter > 60  # pictures that never came are gaps
    assert np.all([frame.pixels.shape == (48, 64, 3) for frame in frames])
