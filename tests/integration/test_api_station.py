"""Status, commands, previews, health and reflection over a real channel."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import grpc
import numpy as np
import pytest
from api_station import TIMEOUT_S, BenchLine, Records, serving
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc
from inspection.api.client import StationClient
from inspection.api.errors import CallError
from inspection.api.station_service import MAX_PREVIEW_WATCHERS
from inspection.control import ActiveAlarm, State

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
OFFERED = [
    name
    for name in pb.SERVICES
    if name.rpartition(".")[2] not in ("RecipeService", "LotService", "ModelService", "AuditService")
]
"""What a server has that was given neither recipes nor lots nor a book of entries."""


@pytest.fixture
def line() -> BenchLine:
    return BenchLine()


@pytest.fixture
def address(line: BenchLine, tmp_path: Path) -> Iterator[str]:
    records = Records(tmp_path / "store")
    with serving(line, records.feed) as bound:
        yield bound
    records.close()


@pytest.fixture
def client(address: str) -> Iterator[StationClient]:
    with StationClient(address) as station:
        yield station


@pytest.fixture
def channel(address: str) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(address) as opened:
        yield opened


def test_status_is_the_lines_own(line: BenchLine, client: StationClient) -> None:
    """Every field of the status arrives, alarms with their values among them."""
    line.alarms = (ActiveAlarm("EJECTOR_LOST", 5, {"port": "/dev/ttyUSB0"}),)
    status, told = client.status(), line.status()
    assert pb.State.Name(status.state) == "STATE_READY"
    assert (status.alarms[0].name, dict(status.alarms[0].values)) == ("EJECTOR_LOST", {"port": "/dev/ttyUSB0"})
    assert dict(status.rejected_by_reason) == told.rejected_by_reason
    assert dict(status.counters) == told.counters
    special = {"state", "alarms", "rejected_by_reason", "counters", "version", "cameras", "recipe", "last_change"}
    for field in status.DESCRIPTOR.fields:
        if field.name not in special:
            assert getattr(status, field.name) == getattr(told, field.name), field.name
    assert status.version
    (camera,), (of_line,) = status.cameras, told.cameras
    assert pb.CameraState.Name(camera.state) == "CAMERA_STATE_LOST"
    assert dict(camera.counters) == of_line.counters
    assert (camera.cause, camera.detail, camera.last_exposure_s) == ("absent", of_line.detail, 1.5)
    assert not camera.HasField("last_recovery_ms")


def test_start_and_stop_reach_the_line_and_may_be_repeated(line: BenchLine, client: StationClient) -> None:
    """Each command answers with the state that follows."""
    for _ in range(2):
        assert client.start_line() == pb.STATE_CONTINUOUS_EXECUTION
        assert line.state is State.CONTINUOUS_EXECUTION
    for _ in range(2):
        assert client.stop_line() == pb.STATE_READY
        assert line.state is State.READY


def test_command_that_the_state_does_not_allow(line: BenchLine, channel: grpc.Channel) -> None:
    """The refusal carries code, text, reason, domain and the state, as google.rpc.Status."""
    line.state = State.ERROR
    with pytest.raises(grpc.RpcError) as failed:
        pb_grpc.StationServiceStub(channel).StartContinuous(pb.StartContinuousRequest(), timeout=TIMEOUT_S)
    status = rpc_status.from_call(failed.value)
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert status.code == grpc.StatusCode.FAILED_PRECONDITION.value[0]
    assert status.message == failed.value.details() == "the line cannot start in state ERROR; first mend EJECTOR_LOST"
    assert (info.reason, info.domain, dict(info.metadata)) == ("STATE", "lineward.inspection.v1", {"state": "ERROR"})


def test_fault_inside_the_station_is_told_without_its_insides(line: BenchLine, client: StationClient) -> None:
    """An unexpected error ends the call as INTERNAL, names its kind, and keeps the details in the log."""
    line.state = State.PREOPERATIONAL
    with pytest.raises(CallError, match=r"RuntimeError.*log") as failed:
        client.status()
    assert (failed.value.code, failed.value.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "secret" not in str(failed.value)


def test_preview_shows_the_newest_and_skips_the_rest(line: BenchLine, client: StationClient) -> None:
    """A watcher gets the newest picture; those that came while it looked away are skipped, none comes twice."""
    line.show(1)
    line.show(2)
    previews = client.watch_preview(max_rate_hz=30)
    first = next(previews)
    assert (first.sequence, first.part, first.verdict, first.reason) == (2, 2, pb.VERDICT_REJECT, pb.REASON_MODEL)
    picture = cv2.imdecode(np.frombuffer(first.jpeg, np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture.shape == (first.height, first.width) == (48, 64)
    showing = threading.Thread(target=lambda: [line.show(sequence) for sequence in range(3, 60)])
    showing.start()
    showing.join()
    sequences = list(itertools.takewhile(lambda s: s < 59, (preview.sequence for preview in previews)))
    assert sequences == sorted(set(sequences))
    assert all(2 < sequence < 59 for sequence in sequences)


@pytest.mark.parametrize("rate_hz", [-1.0, 0.01, 31.0, float("nan"), float("inf")])
def test_preview_rate_is_bounded(client: StationClient, rate_hz: float) -> None:
    """A rate outside the limits is refused with the limits, at the field."""
    with pytest.raises(CallError, match=r"0.1 to 30") as failed:
        next(client.watch_preview(rate_hz))
    assert (failed.value.code, failed.value.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "RATE")


def test_preview_watchers_are_limited(line: BenchLine, client: StationClient) -> None:
    """One watcher too many is refused; the others and every other call go on."""
    line.show(1)
    streams = [client.watch_preview() for _ in range(MAX_PREVIEW_WATCHERS)]
    for stream in streams:
        assert next(stream).sequence == 1
    with pytest.raises(CallError, match=f"{MAX_PREVIEW_WATCHERS} may") as failed:
        next(client.watch_preview(reconnect=False))
    assert failed.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert client.status().station == "bench"


def test_health_follows_the_state(line: BenchLine, channel: grpc.Channel) -> None:
    """SERVING while parts can be inspected, NOT_SERVING otherwise, for each service and for the whole; watchable."""
    health = health_pb2_grpc.HealthStub(channel)
    for service in ("", *OFFERED):
        request = health_pb2.HealthCheckRequest(service=service)
        assert health.Check(request, timeout=TIMEOUT_S).status == SERVING
    watch = health.Watch(health_pb2.HealthCheckRequest(service=OFFERED[0]), timeout=TIMEOUT_S)
    assert next(watch).status == SERVING
    line.state = State.ERROR
    assert next(watch).status == NOT_SERVING
    line.state = State.CONTINUOUS_EXECUTION
    assert next(watch).status == SERVING
    line.state = State.PREOPERATIONAL  # its status cannot even be had
    assert next(watch).status == NOT_SERVING
    with pytest.raises(grpc.RpcError) as failed:
        health.Check(health_pb2.HealthCheckRequest(service="no.such.Service"), timeout=TIMEOUT_S)
    assert failed.value.code() is grpc.StatusCode.NOT_FOUND


def test_reflection_describes_every_service(channel: grpc.Channel) -> None:
    """A client without the proto finds the services, their methods and their file."""
    database = ProtoReflectionDescriptorDatabase(channel)
    assert {*OFFERED, "grpc.health.v1.Health"} <= set(database.get_services())
    for proto in (one for one in pb.PROTOS if any(f"{one.package}.{name}" in OFFERED for name in one.services_by_name)):
        file = database.FindFileByName(proto.name)
        assert {service.name for service in file.service} == set(proto.services_by_name)
        assert file.SerializeToString() == proto.serialized_pb


def test_a_confirmation_names_who_and_what(line: BenchLine, client: StationClient) -> None:
    """The names and the person arrive; one without a person is refused, because the log keeps it."""
    answer = client.confirm_alarms("Kim\n at panel 3", ["EJECTOR_LOST"])
    assert (list(answer.confirmed), list(answer.still_there)) == (["EJECTOR_LOST"], [])
    assert line.confirmed_by == "Kim at panel 3"
    with pytest.raises(CallError) as refusal:
        client.confirm_alarms(" \n")
    assert (refusal.value.code, refusal.value.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "WHO")
