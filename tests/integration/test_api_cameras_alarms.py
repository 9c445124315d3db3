"""CameraService and AlarmService on a real station."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import grpc
import numpy as np
import pytest
from api_calls import Calls, belt_service, code_and_reason, refused
from station_runs import wait_until

from inspection.api import v1 as pb
from inspection.api.alarm_service import MAX_ALARM_WATCHERS
from inspection.api.camera_service import MAX_CAMERA_WATCHERS
from inspection.api.station_service import MAX_STATE_WATCHERS
from inspection.service import Service

Running = tuple[Service, Calls]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A station on an endless belt of good parts, its line stopped; a failed model is held."""
    with belt_service(tmp_path, reactions={"model_failed": "hold"}) as found:
        yield found


def snapshot(calls: Calls, camera: str = "") -> np.ndarray:
    """Take a picture, hold what is told about it against the file, and return its pixels."""
    answer = calls.cameras.GetSnapshot(pb.GetSnapshotRequest(camera=camera))
    picture = cv2.imdecode(np.frombuffer(answer.data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert answer.content_type == "image/png"
    assert picture.shape[:2] == (answer.height, answer.width)
    assert 0 <= answer.age_ms < 5000
    assert answer.pixel_format
    return picture


def test_cameras_are_listed_with_their_counters(running: Running) -> None:
    """Stopped, then running with frames that are counted; GetStatus has the same list."""
    service, calls = running
    (camera,) = calls.cameras.ListCameras(pb.ListCamerasRequest()).cameras
    assert (camera.name, camera.backend) == ("top", "simulated")
    assert camera.state == pb.CAMERA_STATE_STOPPED
    assert not camera.HasField("last_exposure_s")
    calls.station.StartContinuous(pb.StartContinuousRequest())
    wait_until(lambda: service.station.counters.records > 1)
    (camera,) = calls.cameras.ListCameras(pb.ListCamerasRequest()).cameras
    assert camera.state == pb.CAMERA_STATE_RUNNING
    assert camera.counters["frames"] > 1
    assert calls.station.GetStatus(pb.GetStatusRequest()).cameras[0].name == "top"


def test_a_watch_tells_what_changes_at_once(running: Running) -> None:
    """The first answer is what is; a start is told by itself."""
    _, calls = running
    stream = calls.cameras.WatchCameras(pb.WatchCamerasRequest())
    assert next(stream).cameras[0].state == pb.CAMERA_STATE_STOPPED
    calls.station.StartContinuous(pb.StartContinuousRequest())
    assert next(stream).cameras[0].state != pb.CAMERA_STATE_STOPPED


def test_pictures_of_a_standing_line_are_nobodys_part(running: Running) -> None:
    """They count as no trigger and leave no record; the line then starts and passes good parts as ever."""
    service, calls = running
    for _ in range(3):
        assert snapshot(calls, "top").mean() == pytest.approx(20, abs=3)
    assert (service.station.triggers, service.station.counters.records) == (0, 0)
    calls.station.StartContinuous(pb.StartContinuousRequest())
    wait_until(lambda: service.station.counters.passed > 3)
    calls.station.Stop(pb.StopRequest())
    snapshot(calls)
    calls.station.StartContinuous(pb.StartContinuousRequest())
    passed = service.station.counters.passed
    wait_until(lambda: service.station.counters.passed > passed + 2)
    calls.station.Stop(pb.StopRequest())
    results = calls.results.ListResults(pb.ListResultsRequest(page_size=1000, oldest_first=True)).results
    assert len({one.part for one in results}) == len(results) == service.station.triggers
    assert {one.verdict for one in results} == {pb.VERDICT_PASS}


def test_pictures_of_a_running_line_disturb_no_part(running: Running) -> None:
    """Several clients take pictures all the time: every part is judged, none is late, and none is lost."""
    service, calls = running
    calls.station.StartContinuous(pb.StartContinuousRequest())
    with ThreadPoolExecutor(4) as taking:
        pictures = list(taking.map(lambda _: snapshot(calls), range(12)))
    assert {picture.shape for picture in pictures} == {(48, 64, 3)}
    wait_until(lambda: service.station.counters.passed > 5)
    calls.station.Stop(pb.StopRequest())
    results = calls.results.ListResults(pb.ListResultsRequest(page_size=1000, oldest_first=True)).results
    assert [one.part for one in results] == list(range(1, len(results) + 1))
    assert {one.verdict for one in results} == {pb.VERDICT_PASS}


def test_a_camera_that_is_not_there(running: Running) -> None:
    """NOT_FOUND, reason CAMERA, and the text names those that are there."""
    _, calls = running
    error = refused(calls.cameras.GetSnapshot, pb.GetSnapshotRequest(camera="side"))
    assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "CAMERA")
    assert "top" in str(error)


def test_no_picture_comes(tmp_path: Path) -> None:
    """A running line whose next part is a minute away: FAILED_PRECONDITION, reason PICTURE, after five seconds."""
    with belt_service(tmp_path, camera={"speed_mm_s": 150.0, "pitch_mm": 9000.0}) as (_, calls):
        calls.station.StartContinuous(pb.StartContinuousRequest())
        request = pb.GetSnapshotRequest()
        assert code_and_reason(calls.cameras.GetSnapshot, request) == ("FAILED_PRECONDITION", "PICTURE")


def test_a_trigger_makes_one_part(tmp_path: Path) -> None:
    """Its number comes back and is that of a record; a standing line and a camera with a photo-eye refuse."""
    with belt_service(tmp_path, camera={"trigger": "software"}) as (service, calls):
        error = refused(calls.cameras.TriggerCamera, pb.TriggerCameraRequest())
        assert (error.code.name, error.reason) == ("FAILED_PRECONDITION", "STATE")
        assert error.metadata == {"state": "READY"}
        calls.station.StartContinuous(pb.StartContinuousRequest())
        parts = [calls.cameras.TriggerCamera(pb.TriggerCameraRequest()).part for _ in range(3)]
        wait_until(lambda: service.station.counters.records == 3)
        results = calls.results.ListResults(pb.ListResultsRequest(oldest_first=True)).results
        assert [one.part for one in results] == parts == [1, 2, 3]


def test_a_camera_that_follows_its_photo_eye_takes_no_trigger(running: Running) -> None:
    """FAILED_PRECONDITION, reason TRIGGER."""
    _, calls = running
    calls.station.StartContinuous(pb.StartContinuousRequest())
    request = pb.TriggerCameraRequest()
    assert code_and_reason(calls.cameras.TriggerCamera, request) == ("FAILED_PRECONDITION", "TRIGGER")


def test_an_alarm_is_told_watched_and_acknowledged(running: Running) -> None:
    """It comes with its words, stays after its fault has gone because it is held, and goes when somebody confirms."""
    service, calls = running
    board = service.station.alarms
    stream = calls.alarms.WatchAlarms(pb.WatchAlarmsRequest())
    assert not next(stream).alarms
    board.raise_alarm("MODEL_FAILED", detail="no answer")
    (alarm,) = next(stream).alarms
    assert (alarm.name, alarm.blocks, alarm.must_be_confirmed, alarm.is_over) == ("MODEL_FAILED", True, True, False)
    assert (dict(alarm.values), alarm.since_wall_ns > 0) == ({"detail": "no answer"}, True)
    assert alarm.text
    assert alarm.remedy
    assert list(calls.alarms.ListAlarms(pb.ListAlarmsRequest()).alarms) == [alarm]
    asked = pb.AcknowledgeAlarmsRequest(names=["MODEL_FAILED"], who="Kim")
    answer = calls.alarms.AcknowledgeAlarms(asked)
    assert (list(answer.confirmed), list(answer.still_there)) == ([], ["MODEL_FAILED"])
    board.clear("MODEL_FAILED")
    assert next(stream).alarms[0].is_over
    assert pb.State.Name(calls.station.GetStatus(pb.GetStatusRequest()).state) == "STATE_ERROR"
    answer = calls.alarms.AcknowledgeAlarms(asked)
    assert (list(answer.confirmed), list(answer.still_there)) == (["MODEL_FAILED"], [])
    assert not next(stream).alarms
    assert pb.State.Name(calls.station.GetStatus(pb.GetStatusRequest()).state) == "STATE_READY"
    again = calls.alarms.AcknowledgeAlarms(asked)
    assert (list(again.confirmed), list(again.still_there)) == ([], [])


def test_an_acknowledgement_that_is_none(running: Running) -> None:
    """Nobody, and what does not print: reason WHO; an alarm that does not exist: reason ALARM."""
    _, calls = running
    call = calls.alarms.AcknowledgeAlarms
    assert code_and_reason(call, pb.AcknowledgeAlarmsRequest()) == ("INVALID_ARGUMENT", "WHO")
    assert code_and_reason(call, pb.AcknowledgeAlarmsRequest(who="Kim\x1b[8m")) == ("INVALID_ARGUMENT", "WHO")
    unknown = pb.AcknowledgeAlarmsRequest(who="Kim", names=["NO_SUCH"])
    assert code_and_reason(call, unknown) == ("INVALID_ARGUMENT", "ALARM")


@pytest.mark.parametrize(
    ("limit", "service", "method", "request_type"),
    [
        (MAX_ALARM_WATCHERS, "alarms", "WatchAlarms", pb.WatchAlarmsRequest),
        (MAX_CAMERA_WATCHERS, "cameras", "WatchCameras", pb.WatchCamerasRequest),
        (MAX_STATE_WATCHERS, "station", "WatchState", pb.WatchStateRequest),
    ],
)
def test_too_many_who_watch(tmp_path: Path, limit: int, service: str, method: str, request_type: Any) -> None:
    """Each stream has its limit for all callers together, and says so with the time to come back."""
    with belt_service(tmp_path, api={"streams_per_client": limit + 1}) as (_, calls):
        call = getattr(getattr(calls, service), method)
        streams = [call(request_type()) for _ in range(limit)]
        for stream in streams:
            next(stream)
        error = refused(call, request_type())
        assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "WATCHERS")
        assert (error.retry_after_s, error.metadata) == (1.0, {"limit": str(limit)})


def test_one_caller_cannot_take_the_streams_of_all(running: Running) -> None:
    """He has a number of his own, for all kinds of streams together, and is told it."""
    _, calls = running
    kinds = (
        (calls.alarms.WatchAlarms, pb.WatchAlarmsRequest()),
        (calls.cameras.WatchCameras, pb.WatchCamerasRequest()),
    )
    streams = [call(request) for _ in range(20) for call, request in kinds]
    for stream in streams:
        next(stream)
    error = refused(calls.station.WatchState, pb.WatchStateRequest())
    assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "STREAMS")
    assert error.metadata == {"streams": "40"}
