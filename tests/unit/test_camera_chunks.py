"""What a device sends along with a picture comes with its frame, and into the record of its part."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from producers import tlsimu, viky
from test_tracking_tracker import OK, Bench

from camera import Camera, CameraOpenError, Frame, make_camera
from camera.errors import Cause
from camera.genicam import chunks
from camera.genicam.chunks import ChunkRow
from camera.genicam.timing import least_answer_ns

BOUND_S = 30.0
EMULATED = {"emulated": True, "roi": (0, 0, 64, 48), "exposure_us": 100.0, "pixel_format": "Mono8"}


def frames(camera: Camera, count: int) -> Iterator[Frame]:
    for _ in range(count):
        frame = camera.grab(None, BOUND_S)
        assert isinstance(frame, Frame)
        yield frame


def test_each_picture_of_a_genicam_device_has_its_own_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Viky counts how often its ball bounced: each frame has a number, the same or one more than the one before.

    It is the only number that a producer at hand sends along; the table of names learns it for this test.
    """
    monkeypatch.setitem(chunks.CHUNKS, "counter", ChunkRow("counter", ("NrBounces",), ("ChunkNrBounces",)))
    size = {"Width": 100, "Height": 100, "AcquisitionFrameRate": 200.0}
    options = {"producer": viky(), "device": "0", "pixel_format": "Mono8", "chunks": ["counter"], "features": size}
    counted: list[int | float] = []
    with make_camera("genicam", "top", {**options, "own_process": False}) as camera:
        camera.start()
        for frame in frames(camera, 2_000):
            assert frame.pixels.shape == (100, 100)
            counted.append(frame.chunks["counter"])
            if counted[-1] >= counted[0] + 3:
                break
        counters = camera.counters()
    assert set(np.diff(counted)) == {0, 1}
    assert (counters["missing_chunks"], counters["frames"]) == (0, len(counted))


@pytest.mark.parametrize("backend", ["genicam", "pylon"])
def test_chunks_that_do_not_come_are_counted_and_said_once(backend: str, caplog: pytest.LogCaptureFixture) -> None:
    """A device that sends none though it was set so, as the file says, costs no frame."""
    pytest.importorskip("genicam" if backend == "genicam" else "pypylon")
    own = {"producer": tlsimu(), "device": "SN_InterfaceA_0"} if backend == "genicam" else {"emulated": True}
    asked = {"leave_as_is": True, "chunks": ["timestamp", "exposure"], "own_process": False}
    with caplog.at_level(logging.WARNING), make_camera(backend, "top", {**own, **asked}) as camera:
        camera.start()
        assert [dict(frame.chunks) for frame in frames(camera, 5)] == [{}] * 5
        assert (camera.counters()["frames"], camera.counters()["missing_chunks"]) == (5, 5)
    said = [record.message for record in caplog.records if "chunk" in record.message]
    assert said == ["camera 'top': frames come without chunk timestamp, exposure"]


def test_a_device_without_such_a_chunk_is_refused() -> None:
    """pylon's emulation can switch chunks on and has none: the setting is named, before the first frame."""
    pytest.importorskip("pypylon")
    camera = make_camera("pylon", "top", {**EMULATED, "chunks": ["exposure"], "own_process": False})
    with pytest.raises(CameraOpenError, match="exposure: the device sends no such chunk") as refused:
        camera.open()
    assert refused.value.cause is Cause.REFUSED


def test_a_number_that_is_none_is_left_out() -> None:
    """A device may send NaN; no record takes it, and it proves nothing."""

    class Sent:
        def has(self, name: str) -> bool:
            return name in ("ChunkExposureTime", "ChunkEncoderValue")

        def get(self, name: str) -> float:
            return {"ChunkExposureTime": float("nan"), "ChunkEncoderValue": 7.0}[name]

    assert chunks.read_chunks(Sent(), ("timestamp", "exposure", "encoder")) == {"encoder": 7.0}


def test_the_record_of_a_part_has_the_chunks_of_each_view() -> None:
    """What came with each view's frame, empty where it had none, nothing where the view is missing."""
    bench = Bench(views=3)
    bench.trigger(1)
    sent = {"exposure_us": 99.5, "encoder": 1234}
    for view, frame in ((0, replace(bench.frame(1), chunks=sent)), (1, bench.frame(1))):
        assert bench.tracker.on_frame(1, frame, view) is not None
    bench.ejector.due(1)
    assert bench.results[0].extra["chunks"] == [sent, {}, None]


def test_a_part_whose_camera_sends_nothing_along_has_no_such_entry() -> None:
    """The record grows by nothing."""
    bench = Bench()
    bench.trigger(1)
    part = bench.tracker.on_frame(1, bench.frame(1))
    assert part is not None
    bench.tracker.view_decided(part, 0, OK)
    bench.ejector.due(1)
    assert "chunks" not in bench.results[0].extra


def test_how_long_a_picture_takes_at_least_is_its_exposure_if_that_is_certain() -> None:
    """A timed exposure, less one percent; nothing for one that a wire or the device itself decides."""
    pytest.importorskip("pypylon")
    with make_camera("pylon", "top", {**EMULATED, "exposure_us": 5_000.0, "own_process": False}) as camera:
        nodes = camera.nodes
        assert nodes is not None
        assert least_answer_ns(nodes) == pytest.approx(4_950_000)
        nodes.set("ExposureMode", "TriggerWidth")
        assert least_answer_ns(nodes) == 0
        nodes.set("ExposureMode", "Timed")
        nodes.set("ExposureAuto", "Continuous")
        assert least_answer_ns(nodes) == 0
    with make_camera(
        "genicam", "top", {"producer": tlsimu(), "device": "SN_InterfaceA_0", "own_process": False}
    ) as other:
        assert other.nodes is not None
        assert least_answer_ns(other.nodes) == 0
