"""Anything at all to every method of `lineward run`: an answer or one clear status, and the line runs afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from any_message import any_message
from attacked_run import AttackedRun, attacked_run
from google.protobuf.descriptor import MethodDescriptor
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from real_run import TIMEOUT_S

from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc
from inspection.api.call_error import call_error
from inspection.api.pb import open_inference_pb2 as oip
from inspection.api.proto_text import errors_of, errors_of_every_call
from inspection.api.roles import METHODS

GIVEN_MB = 200
SOAKED = 20_000
SERVICES = [service for proto in (*pb.PROTOS, oip.DESCRIPTOR) for service in proto.services_by_name.values()]
EVERY = [method for service in SERVICES for method in service.methods]
READING = [one for one in EVERY if not METHODS[f"/{one.containing_service.full_name}/{one.name}"].is_command]
_STREAM_S = 0.3
_ANSWERS = 5


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AttackedRun]:
    """A station whose line runs, and that holds nobody back for calling too often."""
    api = {"reads_per_s": 100_000.0, "commands_per_s": 10_000.0}
    with attacked_run(tmp_path_factory.mktemp("station"), api=api) as running:
        yield running


@pytest.fixture(scope="module")
def channel(attacked: AttackedRun) -> Iterator[grpc.Channel]:
    with attacked.channel() as opened:
        yield opened


def send(channel: grpc.Channel, method: MethodDescriptor, requests: list[bytes]) -> str:
    """Call a method with bytes; return the status' name, after holding it against what the proto says."""
    name = f"/{method.containing_service.full_name}/{method.name}"
    try:
        if method.server_streaming:
            _read_some(channel.stream_stream(name)(iter(requests), timeout=_STREAM_S))
        else:
            channel.stream_unary(name)(iter(requests), timeout=TIMEOUT_S)
    except grpc.RpcError as failed:
        error = call_error(failed, "")
        note(f"{name}: {error.code} {error.reason} {error}")
        if method.server_streaming and error.code in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED):
            return "OK"  # it is the test that leaves
        assert error.code not in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN), f"{name}: {error}"
        if method.containing_service.file.package != "inference":
            told = (*errors_of(f"{name[1:].replace('/', '.')}"), *errors_of_every_call())
            assert (error.code.name, error.reason) in {(one.code, one.reason) for one in told}, f"{name}: {error}"
        assert error.reason, f"{name}: {error.code} came without a reason"
        return error.code.name
    return "OK"


def _read_some(answers: grpc.Call) -> None:
    for number, _ in enumerate(answers, 1):
        if number == _ANSWERS:
            answers.cancel()
            return


@st.composite
def calls(draw: st.DrawFn, methods: list[MethodDescriptor]) -> tuple[MethodDescriptor, list[bytes]]:
    """Draw a method and what is sent to it: messages of its type, cut or changed ones, or any bytes."""
    method = draw(st.sampled_from(methods))
    valid = any_message(method.input_type).map(lambda message: message.SerializeToString())
    spoilt = st.tuples(valid, st.integers(0, 60), st.binary(max_size=3)).map(
        lambda told: told[0][: told[1]] + told[2] + told[0][told[1] + len(told[2]) :]
    )
    one = valid | valid | spoilt | st.binary(max_size=100)
    return method, draw(st.lists(one, max_size=3) if method.client_streaming else st.lists(one, min_size=1, max_size=1))


def examples(count: int) -> settings:
    return settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def held_against(attacked: AttackedRun, channel: grpc.Channel, methods: list[MethodDescriptor], count: int) -> None:
    """Send so many calls, and hold the memory against what it was after the first few."""
    seen: set[str] = set()

    @examples(count)
    @given(call=calls(methods))
    def any_call(call: tuple[MethodDescriptor, list[bytes]]) -> None:
        seen.add(send(channel, *call))

    before_mb = attacked.resident_mb
    any_call()
    assert {"OK", "INVALID_ARGUMENT"} <= seen
    grown_mb = attacked.resident_mb - before_mb
    print(f"{count} calls: {grown_mb:.0f} MB more")
    assert grown_mb < GIVEN_MB
    assert "Traceback" not in attacked.run.said


def run_again(channel: grpc.Channel) -> None:
    """Bring the line to run from whatever state it was left in."""
    station = pb_grpc.StationServiceStub(channel)
    state = station.GetStatus(pb.GetStatusRequest(), timeout=TIMEOUT_S).state
    if state != pb.STATE_PREOPERATIONAL:
        station.Reset(pb.ResetRequest(), timeout=TIMEOUT_S)
    station.SelectModeAutomatic(pb.SelectModeAutomaticRequest(), timeout=TIMEOUT_S)
    station.PrepareRecipe(pb.PrepareRecipeRequest(name="station"), timeout=TIMEOUT_S)
    station.StartContinuous(pb.StartContinuousRequest(), timeout=TIMEOUT_S)


def test_whoever_only_reads_never_disturbs_the_line(attacked: AttackedRun, channel: grpc.Channel) -> None:
    """Whatever is sent to the methods that change nothing: the line runs on, in the same run."""
    before = attacked.status()
    held_against(attacked, channel, READING, 200)
    after = attacked.status()
    assert (after.run, after.state) == (before.run, pb.STATE_CONTINUOUS_EXECUTION)
    assert after.records > before.records
    assert attacked.goes_on()


def test_anything_to_every_method(attacked: AttackedRun, channel: grpc.Channel) -> None:
    """Commands, too: whatever state that leaves, the station comes out of it by its own commands and runs."""
    held_against(attacked, channel, EVERY, 400)
    run_again(channel)
    assert attacked.goes_on()


@pytest.mark.soak
def test_anything_to_every_method_for_long(attacked: AttackedRun, channel: grpc.Channel) -> None:
    """The same, many times over."""
    held_against(attacked, channel, EVERY, SOAKED)
    run_again(channel)
    assert attacked.goes_on()
