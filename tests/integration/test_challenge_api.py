"""The challenge service over a real channel: what it refuses, and what a disk that refuses does to the interlock."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from api_station import BenchLine, Records, serving
from challenged import RUN, a_result
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from station_runs import wait_until

from inspection.alarm_board import AlarmBoard
from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc
from inspection.api.client import StationClient
from inspection.api.errors import CallError
from inspection.api.server import ApiServer
from inspection.challenge.book import Phase
from inspection.challenge.due import Production
from inspection.challenge.interlock import Interlock
from inspection.challenge.options import ChallengeOptions
from inspection.control import State
from inspection.records.challenges import ChallengeEntry

TIMEOUT_S = 30.0


class Bench:
    """Real records, a real interlock and its API, but parts that the test lays by hand."""

    def __init__(self, folder: Path) -> None:
        self.records = Records(folder, RUN)
        self.reader = self.records.reader
        self.line = BenchLine()
        self.line.state = State.CONTINUOUS_EXECUTION
        self.alarms = AlarmBoard()
        self.failures: list[str] = []
        self.interlock = Interlock(
            ChallengeOptions(required=True, parts=2),
            Production(RUN, "b", "c"),
            self,
            self.alarms,
            lambda: self.line.state,
            on_failure=self.failures.append,
            drain_s=5.0,
        )
        self.records.writer.on_durable(self.interlock.on_durable)
        self.interlock.open()
        self.server = ApiServer(self.line, self.records.feed, address="127.0.0.1:0", challenges=self.interlock)
        self.address = self.server.start()

    def note_challenge(self, entry: ChallengeEntry) -> None:
        self.records.writer.note_challenge(entry)

    def lay(self, kind: str = "found") -> None:
        """Let one part trigger and be recorded."""
        self.records.parts += 1
        name = self.interlock.mark(self.records.parts)
        assert self.records.writer.submit(a_result(self.records.parts, name, kind))
        assert self.records.writer.flush(TIMEOUT_S)

    @contextlib.contextmanager
    def disk_refuses(self) -> Iterator[None]:
        """Make the database refuse every write, as a disk that went read-only does."""
        driver = self.records.writer._store.connection.connection.driver_connection
        driver.execute("PRAGMA query_only = ON")
        try:
            yield
        finally:
            driver.execute("PRAGMA query_only = OFF")

    def close(self) -> None:
        self.interlock.close()
        self.server.stop(1.0)
        self.records.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "store")
    yield made
    made.close()
    assert made.failures == []


@pytest.fixture
def client(bench: Bench) -> Iterator[StationClient]:
    with StationClient(bench.address) as made:
        yield made


def test_progress_comes_part_by_part(bench: Bench, client: StationClient) -> None:
    """First that it runs, then each part, then its durable end; status and list say the same."""
    progress = client.challenge(operator="김")
    first = next(progress)
    assert (first.phase, first.parts, first.laid, list(first.marks)) == (
        pb.CHALLENGE_PHASE_RUNNING, 2, 0, ["#1", "#2"],
    )  # fmt: skip
    bench.lay()
    while len((seen := next(progress)).findings) < 1:
        assert seen.outcome == pb.CHALLENGE_OUTCOME_UNSPECIFIED
    assert client.challenge_status().challenge.laid == 1
    bench.lay()
    *_, last = progress
    assert (last.phase, last.outcome, last.ending) == (
        pb.CHALLENGE_PHASE_ENDED, pb.CHALLENGE_OUTCOME_PASSED, pb.CHALLENGE_ENDING_COMPLETE,
    )  # fmt: skip
    status, (past,) = client.challenge_status(), client.challenges()
    assert (status.required, status.blocks, status.due, status.passed) == (
        True, False, pb.CHALLENGE_DUE_NOT_YET, first.name,
    )  # fmt: skip
    assert (past.name, past.operator, past.outcome) == (first.name, "김", pb.CHALLENGE_OUTCOME_PASSED)
    assert list(past.findings) == list(last.findings)


@pytest.mark.parametrize(
    ("request_", "code", "reason", "field"),
    [
        (pb.StartChallengeRequest(parts=1), grpc.StatusCode.INVALID_ARGUMENT, "PARTS", "parts"),
        (pb.StartChallengeRequest(parts=-5), grpc.StatusCode.INVALID_ARGUMENT, "PARTS", "parts"),
        (pb.StartChallengeRequest(operator="x" * 65), grpc.StatusCode.INVALID_ARGUMENT, "OPERATOR", "operator"),
        (pb.StartChallengeRequest(operator="kim\nlee"), grpc.StatusCode.INVALID_ARGUMENT, "OPERATOR", "operator"),
        (pb.CancelChallengeRequest(name="none"), grpc.StatusCode.NOT_FOUND, "CHALLENGE", "name"),
        (pb.ListChallengesRequest(limit=201), grpc.StatusCode.INVALID_ARGUMENT, "LIMIT", "limit"),
        (pb.ListChallengesRequest(limit=-1), grpc.StatusCode.INVALID_ARGUMENT, "LIMIT", "limit"),
    ],
)
def test_what_is_wrong_with_a_request_is_told(
    bench: Bench, request_: object, code: grpc.StatusCode, reason: str, field: str
) -> None:
    """Code, reason and the field at fault come as google.rpc.Status; nothing was begun."""
    with grpc.insecure_channel(bench.address) as channel:
        stub = pb_grpc.ChallengeServiceStub(channel)
        calls = {
            pb.StartChallengeRequest: lambda: next(stub.StartChallenge(request_, timeout=TIMEOUT_S)),
            pb.CancelChallengeRequest: lambda: stub.CancelChallenge(request_, timeout=TIMEOUT_S),
            pb.ListChallengesRequest: lambda: stub.ListChallenges(request_, timeout=TIMEOUT_S),
        }
        with pytest.raises(grpc.RpcError) as failed:
            calls[type(request_)]()
    status = rpc_status.from_call(failed.value)
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(bad)
    assert (status.code, info.reason, bad.field_violations[0].field) == (code.value[0], reason, field)
    assert bench.interlock.view().challenge is None


@pytest.mark.parametrize("state", [State.READY, State.ERROR])
def test_a_line_that_does_not_run_cannot_be_challenged(bench: Bench, client: StationClient, state: State) -> None:
    """The refusal names the state and the next step."""
    bench.line.state = state
    with pytest.raises(CallError, match="start the line") as refused:
        next(client.challenge())
    assert (refused.value.code, refused.value.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "STATE")
    assert refused.value.metadata == {"state": state.value}


def test_a_server_without_a_line_says_so(tmp_path: Path) -> None:
    """Every call of the service is refused with its reason."""
    records = Records(tmp_path / "store")
    with serving(BenchLine(), records.feed) as address, StationClient(address) as client:
        for call in (
            client.challenge_status,
            client.challenges,
            client.cancel_challenge,
            lambda: next(client.challenge()),
        ):
            with pytest.raises(CallError, match="no line") as refused:
                call()
            assert (refused.value.code, refused.value.reason) == (grpc.StatusCode.UNIMPLEMENTED, "NO_LINE")
    records.close()


def test_a_challenge_that_cannot_be_recorded_is_not_begun(bench: Bench, client: StationClient) -> None:
    """UNAVAILABLE with the reason; no part is marked, and the next operator may begin when the disk works again."""
    with bench.disk_refuses():
        with pytest.raises(CallError, match="cannot be stored") as refused:
            next(client.challenge())
        assert (refused.value.code, refused.value.reason) == (grpc.StatusCode.UNAVAILABLE, "RECORDS")
        assert refused.value.retry_after_s is not None
        assert bench.interlock.mark(1) == ""
        assert bench.alarms.blocking
    assert next(client.challenge()).phase == pb.CHALLENGE_PHASE_RUNNING


def test_a_pass_counts_when_it_is_durable_and_not_before(bench: Bench, client: StationClient) -> None:
    """Both parts ejected, but the disk refuses the end: nothing passes until it is stored, then it does."""
    progress = client.challenge()
    next(progress)
    note, refused = bench.records.writer.note_challenge, threading.Event()

    def on_a_dead_disk(entry: ChallengeEntry) -> None:
        with bench.disk_refuses():
            try:
                note(entry)
            finally:
                refused.set()

    bench.note_challenge = on_a_dead_disk  # type: ignore[method-assign]
    bench.lay()
    bench.lay()
    assert refused.wait(TIMEOUT_S)
    view = bench.interlock.view()
    assert view.challenge is not None
    assert (view.challenge.phase, view.blocks, bench.alarms.blocking) == (Phase.SETTLING, True, True)
    bench.note_challenge = note  # type: ignore[method-assign]
    *_, last = progress
    assert last.outcome == pb.CHALLENGE_OUTCOME_PASSED
    assert not bench.alarms.blocking


def test_a_stream_that_breaks_leaves_the_challenge_running(bench: Bench, client: StationClient) -> None:
    """The watcher's network is no part of the proof: the challenge ends as its parts end."""
    progress = client.challenge()
    name = next(progress).name
    progress.close()  # type: ignore[attr-defined]
    bench.lay()
    bench.lay()
    wait_until(lambda: client.challenge_status().challenge.phase == pb.CHALLENGE_PHASE_ENDED)
    assert client.challenge_status().passed == name


def test_a_station_that_shuts_down_ends_the_stream(bench: Bench, client: StationClient) -> None:
    """UNAVAILABLE, reason SHUTDOWN; and a challenge that nobody finished is recorded as such."""
    progress = client.challenge()
    next(progress)
    bench.server.stop(1.0)
    with pytest.raises(CallError) as ended:
        list(progress)
    assert (ended.value.code, ended.value.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTDOWN")
    bench.interlock.close()
    assert [str(one.entry.ending) for one in bench.interlock.past(5)] == ["LINE_STOPPED"]
