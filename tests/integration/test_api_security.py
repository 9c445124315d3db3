"""Logins, roles, limits and the audit log, against the real server over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from api_station import TIMEOUT_S, BenchLine, Records
from entry_file import EntryFile
from grpc_health.v1 import health_pb2, health_pb2_grpc

from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc
from inspection.api.access_file import add_token, revoke
from inspection.api.call_error import call_error
from inspection.api.client import StationClient
from inspection.api.errors import AddressError, CallError
from inspection.api.guard import Guard
from inspection.api.options import SecurityOptions
from inspection.api.roles import Role
from inspection.api.server import ApiServer
from inspection.control import State


class Plant:
    """One server that asks for a login, with a caller of each role and its audit log."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.file = folder / "access.json"
        self.tokens = {str(role): add_token(self.file, str(role), role) for role in Role}
        self.line = BenchLine()
        self.records = Records(folder / "store")
        self.book = EntryFile(folder / "entries")
        self.options = SecurityOptions(tokens=self.file, **options)
        self.server: ApiServer | None = None
        self.start()

    def start(self) -> None:
        self.server = ApiServer(
            self.line, self.records.feed, address="127.0.0.1:0", security=self.options, entries=self.book
        )
        self.address = self.server.start()

    def stop(self) -> None:
        assert self.server is not None
        self.server.stop(1.0)

    def client(self, role: str) -> StationClient:
        return StationClient(self.address, token=self.tokens[role])

    def close(self) -> None:
        self.stop()
        self.records.close()


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    made = Plant(tmp_path)
    yield made
    made.close()


@contextlib.contextmanager
def plant_with(folder: Path, **options: Any) -> Iterator[Plant]:
    made = Plant(folder, **options)
    try:
        yield made
    finally:
        made.close()


def refused(call: Callable[[], Any]) -> CallError:
    with pytest.raises(CallError) as found:
        call()
    return found.value


def until(holds: Callable[[], Any], timeout_s: float = 10.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end_s, "it did not happen in time"
        time.sleep(0.02)


def start_line(plant: Plant, role: str, request_id: str) -> pb.StartContinuousResponse:
    return call(plant, role, "StartContinuous", pb.StartContinuousRequest(), request_id)


def call(plant: Plant, role: str, method: str, request: Any, request_id: str) -> Any:
    with grpc.insecure_channel(plant.address) as channel:
        stub = pb_grpc.StationServiceStub(channel)
        metadata = [("authorization", f"Bearer {plant.tokens[role]}"), ("x-request-id", request_id)]
        try:
            return getattr(stub, method)(request, timeout=TIMEOUT_S, metadata=metadata)
        except grpc.RpcError as error:
            raise call_error(error, plant.address) from error


ID = "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"
OTHER_ID = "2b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"


def test_without_a_token_there_is_health_and_nothing_else(plant: Plant) -> None:
    """A call without a token ends with TOKEN_MISSING and the command that makes one; health answers."""
    with StationClient(plant.address) as nobody:
        error = refused(nobody.status)
    assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING")
    assert "lineward token add" in str(error)
    with grpc.insecure_channel(plant.address) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("token", ["lineward_wrong", "x", "lineward_" + "A" * 43])
def test_a_wrong_token_is_nobodys(plant: Plant, token: str) -> None:
    """It ends with TOKEN_UNKNOWN, and the line does nothing."""
    with StationClient(plant.address, token=token) as stranger:
        error = refused(stranger.start_line)
    assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_UNKNOWN")
    assert plant.line.state is State.READY


def test_each_role_may_do_what_its_row_says(plant: Plant) -> None:
    """All roles see the status; all but the viewer run the line; only some have pictures judged."""
    import numpy as np

    for role in Role:
        with plant.client(role) as client:
            assert client.status().station == "bench"
            if role is not Role.VIEWER:
                client.start_line()
                client.stop_line()
            if role in (Role.VIEWER, Role.OPERATOR):
                assert refused(lambda c=client: c.inspect(np.zeros((8, 8), np.uint8))).reason == "ROLE"
            else:
                client.inspect(np.zeros((8, 8), np.uint8))


def test_a_viewer_cannot_stop_the_line(plant: Plant) -> None:
    """PERMISSION_DENIED says which roles are needed; the line runs on, and it is written down."""
    with plant.client("operator") as operator, plant.client("viewer") as viewer:
        operator.start_line()
        error = refused(viewer.stop_line)
    assert (error.code, error.reason) == (grpc.StatusCode.PERMISSION_DENIED, "ROLE")
    assert error.metadata["role"] == "viewer"
    assert error.metadata["needed"] == "admin, engineer, integrator, operator"
    assert plant.line.state is State.CONTINUOUS_EXECUTION
    assert ("Stop", "refused", "viewer", "PERMISSION_DENIED") in plant.book.told()


def test_an_expired_token_is_refused_and_ends_its_streams(plant: Plant) -> None:
    """A stream that is open when the token's day comes ends with TOKEN_EXPIRED; so does each call after it."""
    plant.tokens["guest"] = add_token(plant.file, "guest", Role.VIEWER, int(time.time()) + 2)
    until(lambda: _is_admitted(plant, "guest"))
    with plant.client("guest") as guest:
        assert refused(lambda: list(guest.watch_results(reconnect=False))).reason == "TOKEN_EXPIRED"
        assert refused(guest.status).reason == "TOKEN_EXPIRED"


def test_a_revoked_token_ends_its_streams_and_nobody_elses(plant: Plant) -> None:
    """Within seconds the open stream of the revoked caller ends; another one goes on and gets the next record."""
    seen: list[int] = []
    with plant.client("engineer") as other, plant.client("viewer") as viewer, ThreadPoolExecutor(2) as pool:
        staying = pool.submit(lambda: seen.append(next(other.watch_results(reconnect=False)).result.sequence))
        ending = pool.submit(lambda: refused(lambda: list(viewer.watch_results(reconnect=False))))
        time.sleep(0.5)  # both may be open or not yet: what holds is the same
        revoke(plant.file, "viewer")
        error = ending.result(TIMEOUT_S)
        assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_UNKNOWN")
        assert refused(viewer.status).reason == "TOKEN_UNKNOWN"
        plant.records.add()
        staying.result(TIMEOUT_S)
    assert seen == [1]


def test_guessing_tokens_is_slowed_down_and_fills_no_disk(plant: Plant) -> None:
    """After some wrong tokens the host hears RATE; its right tokens work on, and few entries are written."""
    reasons = []
    with grpc.insecure_channel(plant.address) as channel:
        stub = pb_grpc.StationServiceStub(channel)
        for number in range(200):
            try:
                stub.GetStatus(pb.GetStatusRequest(), metadata=[("authorization", f"Bearer lineward_{number}")])
            except grpc.RpcError as error:
                reasons.append(call_error(error, plant.address))
    assert [error.reason for error in reasons[:10]] == ["TOKEN_UNKNOWN"] * 10
    assert {error.reason for error in reasons[20:]} == {"RATE"}
    assert reasons[-1].code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (reasons[-1].retry_after_s or 0) > 0
    assert len(plant.book.told()) <= 12
    with plant.client("viewer") as viewer:
        assert viewer.status().station == "bench"


@pytest.mark.parametrize("sent", [["Basic abc"], ["Bearer a", "Bearer b"], [""], ["Bearer"]])
def test_another_authorization_is_no_token(plant: Plant, sent: list[str]) -> None:
    """Two headers, another scheme and an empty one are refused, never taken for nobody's harmless call."""
    metadata = [("authorization", value) for value in sent]
    with grpc.insecure_channel(plant.address) as channel:
        stub = pb_grpc.StationServiceStub(channel)
        with pytest.raises(grpc.RpcError) as error:
            stub.GetStatus(pb.GetStatusRequest(), metadata=metadata, timeout=TIMEOUT_S)
    assert call_error(error.value, "").reason == "TOKEN_UNKNOWN"


def test_too_many_commands_are_refused_but_a_stop_never_for_others(tmp_path: Path) -> None:
    """Commands beyond the rate hear RATE with the time to wait; a stop has a rate of its own, and others theirs."""
    with (
        plant_with(tmp_path, commands_per_s=1.0) as plant,
        plant.client("operator") as operator,
        plant.client("admin") as admin,
    ):
        operator.start_line()
        operator.start_line()
        error = refused(operator.start_line)
        assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE")
        assert 0 < (error.retry_after_s or 0) <= 1.0
        operator.stop_line()
        admin.start_line()
        assert operator.status().station == "bench"


def test_a_thousand_streams_of_one_caller_hurt_nobody_else(tmp_path: Path) -> None:
    """Forty are open, the others hear STREAMS or are turned away by HTTP/2; another caller is answered all the time."""
    with plant_with(tmp_path) as plant, plant.client("admin") as other:
        reasons, open_streams = asyncio.run(_flood(plant, other))
        assert len(reasons) == 960
        assert set(reasons) <= {"STREAMS", "UNAVAILABLE"}
        assert reasons.count("STREAMS") > 100
        assert open_streams == 40
        until(lambda: _can_watch(plant, "viewer"))


async def _flood(plant: Plant, other: StationClient) -> tuple[list[str], int]:
    metadata = [("authorization", f"Bearer {plant.tokens['viewer']}")]
    async with grpc.aio.insecure_channel(plant.address) as channel:
        stub = pb_grpc.ResultServiceStub(channel)
        streams = [stub.WatchResults(pb.WatchResultsRequest(only_new=True), metadata=metadata) for _ in range(1000)]
        reading = [asyncio.create_task(_end_of(stream)) for stream in streams]
        slowest_s = 0.0
        while sum(task.done() for task in reading) < 960:
            begun_s = time.monotonic()
            await asyncio.to_thread(other.status)
            slowest_s = max(slowest_s, time.monotonic() - begun_s)
            assert slowest_s < 5.0
        reasons = [task.result() for task in reading if task.done()]
        open_streams = sum(not task.done() for task in reading)
        await asyncio.to_thread(other.start_line)
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        return reasons, open_streams


async def _end_of(stream: Any) -> str:
    try:
        async for _ in stream:
            pass
    except grpc.aio.AioRpcError as error:
        found = call_error(error, "")
        return found.reason or found.code.name
    return ""


def _can_watch(plant: Plant, role: str) -> bool:
    with grpc.insecure_channel(plant.address) as channel:
        watch = pb_grpc.ResultServiceStub(channel).WatchResults(
            pb.WatchResultsRequest(), metadata=[("authorization", f"Bearer {plant.tokens[role]}")]
        )
        plant.records.add()
        try:
            next(watch)
        except grpc.RpcError:
            return False
        watch.cancel()
        return True


def _is_admitted(plant: Plant, role: str) -> bool:
    with plant.client(role) as client, contextlib.suppress(CallError):
        return bool(client.status().station)
    return False


def test_a_method_without_a_row_is_refused_to_everybody(tmp_path: Path) -> None:
    """Also the admin hears PERMISSION_DENIED, and the service is not asked."""
    token = add_token(tmp_path / "access.json", "boss", Role.ADMIN)
    asked = threading.Event()

    async def served(request: bytes, context: Any) -> bytes:
        asked.set()
        return b"secret"

    async def run() -> str:
        with ThreadPoolExecutor(2) as pool:
            options = SecurityOptions(tokens=tmp_path / "access.json")
            server = grpc.aio.server(interceptors=[Guard(options, None, lambda: "", pool, pool)])
            handlers = {"Method": grpc.unary_unary_rpc_method_handler(served)}
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("some.New", handlers),))
            port = server.add_insecure_port("127.0.0.1:0")
            await server.start()
            try:
                async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                    metadata = (("authorization", f"Bearer {token}"),)
                    await channel.unary_unary("/some.New/Method")(b"", metadata=metadata)
            except grpc.aio.AioRpcError as error:
                return call_error(error, "").reason
            finally:
                await server.stop(0)
        return ""

    assert asyncio.run(run()) == "ROLE"
    assert not asked.is_set()


def test_the_page_and_commands_of_this_user_need_no_token(plant: Plant) -> None:
    """The private socket makes its caller the operator: it runs the line, and is written down."""
    assert plant.server is not None
    socket = Path(plant.server.local_address.removeprefix("unix:"))
    assert socket.parent.stat().st_mode & 0o077 == 0
    with StationClient(plant.server.local_address) as page:
        page.start_line()
        page.stop_line()
    assert ("StartContinuous", "done", "local", "OK") in plant.book.told()
    plant.stop()
    assert not socket.exists()


def test_no_address_is_open_to_the_network_without_tls_and_tokens(plant: Plant) -> None:
    """Tokens alone would travel in the clear: the server is not made."""
    with pytest.raises(AddressError, match=r"certificate make.*token add"):
        ApiServer(plant.line, plant.records.feed, address="0.0.0.0:0", security=plant.options)


INSPECT = "/lineward.inspection.v1.InspectionService/Inspect"


def test_who_has_no_token_is_refused_before_anything_is_read(plant: Plant) -> None:
    """The answer comes without a single byte of the request: strangers fill no memory with messages."""
    go_on = threading.Event()

    def never() -> Iterator[bytes]:
        go_on.wait(TIMEOUT_S)
        yield from ()

    with grpc.insecure_channel(plant.address) as channel:
        try:
            with pytest.raises(grpc.RpcError) as error:
                channel.stream_unary(INSPECT)(never(), timeout=TIMEOUT_S)
        finally:
            go_on.set()
    assert call_error(error.value, "").reason == "TOKEN_MISSING"


@pytest.mark.parametrize("method", [INSPECT, "/lineward.inspection.v1.StationService/ConfirmAll"])
@pytest.mark.parametrize("sent", [[], [b"\xff\xff\xff"]])
def test_no_request_and_garbage_are_told_apart_from_failures(plant: Plant, method: str, sent: list[bytes]) -> None:
    """A call without a message, and one that is no protobuf, is INVALID_ARGUMENT, and nothing is written down."""
    metadata = [("authorization", f"Bearer {plant.tokens['admin']}")]
    with grpc.insecure_channel(plant.address) as channel:
        calling = channel.stream_unary(method)
        with pytest.raises(grpc.RpcError) as error:
            calling(iter(sent), metadata=metadata, timeout=TIMEOUT_S)
    found = call_error(error.value, "")
    assert (found.code, found.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST")
    assert plant.book.told() == []


# Request ids


def test_a_repeated_id_gets_the_first_answer_and_does_nothing(plant: Plant) -> None:
    """The line that was started, stopped and asked to start again by the same request stays stopped."""
    first = start_line(plant, "operator", ID)
    with plant.client("operator") as client:
        client.stop_line()
    assert start_line(plant, "operator", ID) == first
    assert plant.line.state is State.READY
    assert [one for one in plant.book.told() if one[:2] == ("StartContinuous", "done")] == [
        ("StartContinuous", "done", "operator", "OK")
    ]


def test_a_repeated_id_gets_the_first_error(plant: Plant) -> None:
    """A command that was refused for the state stays refused under its id, with the same reason."""
    plant.line.state = State.ERROR
    first = refused(lambda: start_line(plant, "operator", ID))
    plant.line.state = State.READY
    again = refused(lambda: start_line(plant, "operator", ID))
    assert (first.code, first.reason, str(first)) == (again.code, again.reason, str(again))
    assert again.reason == "STATE"
    assert plant.line.state is State.READY
    start_line(plant, "operator", OTHER_ID)


def test_an_id_belongs_to_one_request(plant: Plant) -> None:
    """The same id with other bytes, or for another method, is INVALID_ARGUMENT; another caller's is its own."""
    call(plant, "operator", "ConfirmAll", pb.ConfirmAllRequest(who="kim"), ID)
    for method, request in (
        ("ConfirmAll", pb.ConfirmAllRequest(who="lee")),
        ("StartContinuous", pb.StartContinuousRequest()),
    ):
        error = refused(lambda m=method, r=request: call(plant, "operator", m, r, ID))
        assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID")
    assert plant.line.confirmed_by == "kim"
    start_line(plant, "engineer", ID)
    assert plant.line.state is State.CONTINUOUS_EXECUTION


@pytest.mark.parametrize("request_id", ["1", "1b9d6bcd-bbfd-1b2d-9b5d-ab8dfbbd4bed", "x" * 1000])
def test_what_is_no_uuid4_is_refused(plant: Plant, request_id: str) -> None:
    """An id that anybody might choose twice is no id."""
    error = refused(lambda: start_line(plant, "operator", request_id))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID")
    assert plant.line.state is State.READY


def test_many_at_once_with_one_id_are_one_command(plant: Plant) -> None:
    """Those who come while the first is being carried out wait for it and get its answer."""
    begun, go_on = threading.Event(), threading.Event()
    started = []
    start = plant.line.start_line

    def slow_start() -> None:
        started.append(1)
        begun.set()
        assert go_on.wait(TIMEOUT_S)
        start()

    plant.line.start_line = slow_start  # type: ignore[method-assign]
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(start_line, plant, "operator", ID) for _ in range(8)]
        assert begun.wait(TIMEOUT_S)
        go_on.set()
        answers = {one.result(TIMEOUT_S).state for one in calls}
    assert answers == {pb.STATE_CONTINUOUS_EXECUTION}
    assert len(started) == 1


def test_an_id_is_known_after_a_restart(plant: Plant) -> None:
    """A server that was started anew answers a repeated id from the audit log, and refuses it for another request."""
    first = start_line(plant, "operator", ID)
    plant.stop()
    plant.line.state = State.READY
    plant.start()
    assert start_line(plant, "operator", ID) == first
    assert plant.line.state is State.READY
    error = refused(lambda: call(plant, "operator", "ConfirmAll", pb.ConfirmAllRequest(who="kim"), ID))
    assert error.reason == "REQUEST_ID"


def test_a_command_that_a_crash_interrupted_is_not_carried_out_again(plant: Plant) -> None:
    """Of an id that was asked for and never ended nobody knows what came: ABORTED, and a new id is needed."""
    start_line(plant, "operator", ID)
    plant.stop()
    asked = [line for line in plant.book.file.read_text().splitlines(keepends=True) if '"asked"' in line]
    plant.book.file.write_text("".join(asked))
    plant.line.state = State.READY
    plant.start()
    error = refused(lambda: start_line(plant, "operator", ID))
    assert (error.code, error.reason) == (grpc.StatusCode.ABORTED, "REQUEST_ID")
    assert plant.line.state is State.READY
    start_line(plant, "operator", OTHER_ID)
    assert plant.line.state is State.CONTINUOUS_EXECUTION


def test_a_stop_is_carried_out_under_any_id(plant: Plant) -> None:
    """An id that was used before never keeps the line from being stopped."""
    call(plant, "operator", "Stop", pb.StopRequest(), ID)
    start_line(plant, "operator", OTHER_ID)
    call(plant, "operator", "Stop", pb.StopRequest(), ID)
    assert plant.line.state is State.READY
    start_line(plant, "operator", str(uuid.uuid4()))
    call(plant, "operator", "Stop", pb.StopRequest(), "no id at all")
    assert plant.line.state is State.READY


def test_an_id_is_the_same_in_the_field_and_beside_it_in_either_case(plant: Plant) -> None:
    """The answer of the first comes again: the id belongs to what is asked, not to how it is sent."""
    first = start_line(plant, "operator", ID)
    again = call(plant, "operator", "StartContinuous", pb.StartContinuousRequest(request_id=ID.upper()), "")
    assert again == first
    assert [one for one in plant.book.told() if one[:2] == ("StartContinuous", "done")] == [
        ("StartContinuous", "done", "operator", "OK")
    ]


def test_a_command_goes_on_when_its_client_has_gone(plant: Plant) -> None:
    """A client that gives up while the line starts gets its answer later, under the same id."""
    begun, go_on = threading.Event(), threading.Event()
    start = plant.line.start_line

    def slow_start() -> None:
        begun.set()
        assert go_on.wait(TIMEOUT_S)
        start()

    plant.line.start_line = slow_start  # type: ignore[method-assign]
    with grpc.insecure_channel(plant.address) as channel:
        metadata = [("authorization", f"Bearer {plant.tokens['operator']}"), ("x-request-id", ID)]
        giving_up = pb_grpc.StationServiceStub(channel).StartContinuous.future(
            pb.StartContinuousRequest(), metadata=metadata
        )
        assert begun.wait(TIMEOUT_S)
        giving_up.cancel()
        plant.line.start_line = start  # type: ignore[method-assign]
        go_on.set()
        assert start_line(plant, "operator", ID).state == pb.STATE_CONTINUOUS_EXECUTION
    assert len([one for one in plant.book.told() if one[:2] == ("StartContinuous", "done")]) == 1


# The audit log


def test_each_command_is_written_with_who_where_and_what_changed(plant: Plant) -> None:
    """The entry is there when the answer is: role, peer, id, request, state before and after, outcome."""
    start_line(plant, "engineer", ID)
    asked, done = plant.book.entries()
    assert (asked.entry.content["phase"], asked.entry.content["before"]) == ("asked", "READY")
    entry = done.entry
    assert (entry.subject, entry.who) == ("/lineward.inspection.v1.StationService/StartContinuous", "engineer")
    assert entry.content["role"] == "engineer"
    assert entry.content["peer"] == "ipv4:127.0.0.1"
    assert entry.content["request_id"] == ID
    assert (entry.content["before"], entry.content["after"]) == ("READY", "CONTINUOUS_EXECUTION")
    assert entry.content["outcome"]["code"] == "OK"


def test_a_command_that_fails_is_written_too(plant: Plant) -> None:
    """With the code that its client gets."""
    plant.line.state = State.ERROR
    with plant.client("operator") as client:
        refused(client.start_line)
    assert plant.book.told()[-1] == ("StartContinuous", "done", "operator", "FAILED_PRECONDITION")


def test_reading_is_not_written(plant: Plant) -> None:
    """Entries are about what changes something."""
    with plant.client("viewer") as viewer:
        viewer.status()
    assert plant.book.told() == []


def test_a_full_disk_refuses_commands_and_never_a_stop(plant: Plant) -> None:
    """What cannot be written down is not carried out, and says so; stopping works, and so does all else afterwards."""
    with plant.client("operator") as client:
        client.start_line()
        plant.book.is_full = True
        client.stop_line()
        assert plant.line.state is State.READY
        error = refused(client.start_line)
        assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "AUDIT")
        assert plant.line.state is State.READY
        assert (error.retry_after_s or 0) > 0
        plant.book.is_full = False
        client.start_line()
    assert plant.line.state is State.CONTINUOUS_EXECUTION


def test_an_id_whose_command_could_not_be_written_may_be_tried_again(plant: Plant) -> None:
    """It was not carried out, so its id is free."""
    plant.book.is_full = True
    assert refused(lambda: start_line(plant, "operator", ID)).reason == "AUDIT"
    plant.book.is_full = False
    start_line(plant, "operator", ID)
    assert plant.line.state is State.CONTINUOUS_EXECUTION


def test_tokens_and_pictures_are_in_no_entry(plant: Plant) -> None:
    """Neither a right token nor a wrong one is written down."""
    with plant.client("operator") as client, StationClient(plant.address, token="lineward_guess") as wrong:
        client.start_line()
        refused(wrong.start_line)
    written = plant.book.file.read_text()
    assert plant.tokens["operator"][9:] not in written
    assert "guess" not in written
    assert ("StartContinuous", "refused", "", "UNAUTHENTICATED") in plant.book.told()
