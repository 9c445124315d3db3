"""Each view has a region of its own: what one camera's model looks at is none of another's business."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pipe_camera import CameraDevice
from station_runs import run_to_the_end, wait_until
from tiny_bundle import write_tiny_bundle

from camera.backends import BACKENDS, Backend
from camera.frame import Pixels
from inspection.config import StationConfig
from inspection.config.reality import missing_here
from inspection.errors import ConfigError
from inspection.part import Evaluation
from inspection.records.reader import RecordReader
from inspection.records.record import StoredRecord
from inspection.station import Station

PARTS = 12
HEIGHT, WIDTH = 48, 96
LEFT, RIGHT = ({"x": x, "y": 8, "width": 32, "height": 32} for x in (8, 56))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small real model to which bright parts are defective."""
    return write_tiny_bundle(tmp_path_factory.mktemp("model") / "tiny")


def _photos(folder: Path) -> Path:
    """Write pictures in turn: bright on the left, bright on the right, dark."""
    folder.mkdir()
    for number in range(PARTS):
        assert cv2.imwrite(str(folder / f"{number}.png"), _picture(number % 3 == 0, number % 3 == 1))
    return folder


def _picture(left: bool, right: bool) -> Pixels:
    """Paint a picture whose halves are bright or dark."""
    pixels = np.full((HEIGHT, WIDTH), 20, np.uint8)
    for start, bright in ((0, left), (WIDTH // 2, right)):
        if bright:
            pixels[:, start : start + WIDTH // 2] = 235
    return pixels


def _config(tmp_path: Path, bundle: Path, cameras: list[dict[str, Any]], **more: Any) -> StationConfig:
    photos = tmp_path / "photos"
    replay = {"backend": "replay", "path": str(photos if photos.exists() else _photos(photos)), "rate_hz": 10.0}
    return StationConfig.model_validate(
        {
            "camera": [{**replay, **camera} for camera in cameras],
            "model": {"bundle": str(bundle)},
            "geometry": {"camera_to_ejector_mm": 500.0, "belt_speed_mm_s": 500.0, "closest_ms": 90.0},
            "inference": {"workers": 1},
            "ejector": {"driver": "simulated", "heartbeat_channel": 2, "window_ms": 20.0, "pulse_ms": 20.0},
            "records": {"dir": str(tmp_path / "records"), "min_free_mb": 0},
            **more,
        }
    )


def _found_bad(record: StoredRecord) -> list[bool]:
    return [view["evaluation"] == Evaluation.NOT_OK for view in record.extra["views"]]


def _kind(record: StoredRecord) -> int:
    return (record.part - 1) % 3


def test_two_cameras_look_at_their_own_region(tmp_path: Path, bundle: Path) -> None:
    """The same pictures, another region each: what is bright on the left is NOT_OK to the first camera alone."""
    cameras = [{"name": "a", "region": LEFT}, {"name": "b", "window_ms": 20.0, "arrival_ms": 50.0}]
    config = _config(tmp_path, bundle, cameras, region=RIGHT)
    records = run_to_the_end(Station(config))
    assert len(records) == PARTS
    whole = [record for record in records if not any(view["missing"] for view in record.extra["views"])]
    assert {_kind(record) for record in whole} == {0, 1, 2}
    for record in whole:
        assert _found_bad(record) == [_kind(record) == 0, _kind(record) == 1]


def test_each_frame_of_a_camera_may_have_a_region(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trigger exposes two frames; the model looks at the left of the first one, and at the right of the second."""
    monkeypatch.setitem(BACKENDS, "pipe", Backend("pipe", "pipe_camera", "PipeCamera", "the test", "numpy"))
    device = CameraDevice(tmp_path / "camera")
    camera = {"backend": "pipe", "path": str(device.path), "frames": 2, "region": [LEFT, RIGHT]}
    values = _config(tmp_path, bundle, [{}]).model_dump(mode="json", by_alias=True)
    station = Station(StationConfig.model_validate({**values, "camera": camera}))
    device.plug_in()
    station.open()
    try:
        device.wait_for_station()
        station.start_line()
        shown = [(left, right) for left in (True, False) for right in (True, False)]
        for left, right in shown:
            device.views(_picture(left, not right), _picture(not left, right))
        wait_until(lambda: station.counters.records == len(shown))
        run = station.memory.run
    finally:
        station.close()
        device.unplug()
    records = sorted(RecordReader(station.config.records.dir).find(run=run, limit=10), key=lambda record: record.part)
    assert [_found_bad(record) for record in records] == [list(bright) for bright in shown]


def test_a_camera_with_another_count_of_regions_is_refused(tmp_path: Path, bundle: Path) -> None:
    """One region for all frames, or one for each: anything between says nothing."""
    with pytest.raises(ValueError, match="camera 'a' has 2 regions and frames = 3; give one region"):
        _config(tmp_path, bundle, [{"name": "a", "frames": 3, "region": [LEFT, RIGHT]}])


def test_a_region_that_no_picture_holds_is_refused_before_the_start(tmp_path: Path, bundle: Path) -> None:
    """The replay knows how large its pictures are: `config check` says so, and so does the station when it opens."""
    config = _config(tmp_path, bundle, [{"name": "a", "region": LEFT}, {"name": "b", "region": {**LEFT, "x": 80}}])
    expected = "camera 'b': region x=80 y=8 width=32 height=32 reaches to 112×40, but its pictures are 96×48"
    assert [text for text in missing_here(config) if text.startswith(expected)]
    with pytest.raises(ConfigError, match=expected):
        Station(config).open()


def test_a_region_of_the_simulated_line_is_held_against_what_it_paints(tmp_path: Path, bundle: Path) -> None:
    """The simulated camera paints 640×480, which is known without painting anything."""
    values = _config(tmp_path, bundle, [{}]).model_dump(mode="json", by_alias=True)
    values["camera"] = {"backend": "simulated", "region": {"width": 640, "height": 481}}
    config = StationConfig.model_validate(values)
    assert [text for text in missing_here(config) if "reaches to 640×481, but its pictures are 640×480" in text]
    with pytest.raises(ConfigError, match="pictures are 640×480"):
        Station(config).open()
