"""Results over a real channel: every record exactly once, in order, whatever breaks in between."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from api_station import REJECTED, TIMEOUT_S, BenchLine, CuttingProxy, Records, serving, wait_until
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc
from inspection.api.client import StationClient
from inspection.api.errors import CallError
from inspection.api.result_service import MAX_WATCHERS
from inspection.api.tail import ResultTail
from inspection.records.record import StoredRecord


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    store = Records(tmp_path / "store")
    yield store
    store.close()


@pytest.fixture
def address(records: Records) -> Iterator[str]:
    with serving(BenchLine(), records.feed) as bound:
        yield bound


@pytest.fixture
def client(address: str) -> Iterator[StationClient]:
    with StationClient(address) as station:
        yield station


class Watcher:
    """Collects what one client gets, in a thread of its own."""

    def __init__(self, watch: Callable[[], Iterator[pb.WatchResultsResponse]]) -> None:
        self._watch = watch
        self._changed = threading.Condition()
        self.sequences: list[int] = []
        self.tokens: list[str] = []
        self.failure: Exception | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            for response in self._watch():
                with self._changed:
                    self.sequences.append(response.result.sequence)
                    self.tokens.append(response.resume_token)
                    self._changed.notify_all()
        except CallError as error:
            with self._changed:
                self.failure = error
                self._changed.notify_all()

    def wait_for(self, count: int) -> list[int]:
        wait_until(lambda: len(self.sequences) >= count or self.failure is not None, self._changed)
        return self.sequences

    def wait_last(self, sequence: int) -> None:
        wait_until(lambda: self.sequences[-1:] == [sequence] or self.failure is not None, self._changed)

    def has_begun(self) -> bool:
        """Give the first result a moment to come."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self.sequences), 0.1)

    def wait_failure(self) -> Exception:
        wait_until(lambda: self.failure is not None, self._changed)
        assert self.failure is not None
        return self.failure


def take(stream: Iterator[pb.WatchResultsResponse], count: int) -> list[pb.WatchResultsResponse]:
    return list(itertools.islice(stream, count))


def test_result_is_the_record(records: Records, client: StationClient) -> None:
    """Every field of a result is what the durable record holds."""
    records.add(1)
    records.add(1, REJECTED, np.zeros((20, 30), np.uint8))
    passed, rejected = (response.result for response in take(client.watch_results(), 2))
    stored: StoredRecord = records.reader.get(2)
    assert (passed.verdict, passed.evaluation, passed.reason) == (pb.VERDICT_PASS, pb.EVALUATION_OK, pb.REASON_NONE)
    assert (rejected.verdict, rejected.reason) == (pb.VERDICT_REJECT, pb.REASON_MODEL)
    assert rejected.ejector_action == pb.EJECTOR_ACTION_FIRED
    assert not passed.HasField("lateness_us")
    for name in ("sequence", "run", "part", "score", "threshold", "defect_class", "by_default", "lateness_us"):
        assert getattr(rejected, name) == getattr(stored, name), name
    for name in ("trigger_wall_ns", "latency_us", "bundle_digest", "has_image", "record_hash", "truth"):
        assert getattr(rejected, name) == getattr(stored, name), name
    assert tuple(rejected.raw_scores) == stored.raw_scores


def test_stored_records_come_first_then_new_ones(records: Records, client: StationClient) -> None:
    """A watcher gets the past and the present as one stream."""
    records.add(ResultTail.CAPACITY // 4)
    watcher = Watcher(client.watch_results)
    watcher.wait_for(ResultTail.CAPACITY // 4)
    records.add(5)
    assert watcher.wait_for(ResultTail.CAPACITY // 4 + 5) == list(range(1, ResultTail.CAPACITY // 4 + 6))


def test_only_new_begins_now(records: Records, address: str) -> None:
    """only_new gives its place first, without a result, and then only what comes later."""
    records.add(4)
    with grpc.insecure_channel(address) as channel:
        stream = pb_grpc.ResultServiceStub(channel).WatchResults(
            pb.WatchResultsRequest(only_new=True), timeout=TIMEOUT_S
        )
        first = next(stream)
        assert not first.HasField("result")
        records.add(1)
        assert next(stream).result.sequence == 5
    records.add(1)
    with StationClient(address) as late:
        assert [r.result.sequence for r in take(late.watch_results(first.resume_token), 2)] == [5, 6]


def test_any_number_of_clients_get_the_same(records: Records, address: str) -> None:
    """Twenty watchers that begin at different places all end with the same records."""
    records.add(20)
    with StationClient(address) as client:
        tokens = ["", *(response.resume_token for response in take(client.watch_results(), 19))]
        watchers = [Watcher(lambda token=token: client.watch_results(token)) for token in tokens]
        records.add(30)
        for handled, watcher in enumerate(watchers):
            assert watcher.wait_for(50 - handled) == list(range(handled + 1, 51))


def test_slow_watcher_holds_up_nobody_and_loses_nothing(records: Records, address: str) -> None:
    """A client that reads one result and then waits delays no other, and later gets every record from the store."""
    total = ResultTail.CAPACITY * 8
    with StationClient(address) as slow, StationClient(address) as quick:
        records.add(1)
        crawling = slow.watch_results()
        assert next(crawling).result.sequence == 1
        running = Watcher(quick.watch_results)
        records.add(total - 1)
        assert running.wait_for(total) == list(range(1, total + 1))
        assert [response.result.sequence for response in take(crawling, total - 1)] == list(range(2, total + 1))


def test_bad_tokens_end_the_call_with_their_code(records: Records, client: StationClient, tmp_path: Path) -> None:
    """No token, another store's token, both kinds of beginning: each ends at once, reconnecting or not."""
    records.add(2)
    other = Records(tmp_path / "other", run="second")
    other.add(3)
    with serving(BenchLine(), other.feed) as elsewhere, StationClient(elsewhere) as stranger:
        foreign = take(stranger.watch_results(), 3)[-1].resume_token
    other.close()
    for token, only_new in (("nonsense", False), (foreign, False), (foreign, True)):
        with pytest.raises(CallError) as failed:
            next(client.watch_results(token, only_new=only_new))
        assert failed.value.code is grpc.StatusCode.INVALID_ARGUMENT
        assert failed.value.reason == "TOKEN"


def test_token_beyond_a_restored_backup_is_out_of_range(tmp_path: Path) -> None:
    """When records that a client has seen are gone, the client is told, with both numbers."""
    records = Records(tmp_path / "store")
    records.add(3)
    records.close()
    shutil.copytree(tmp_path / "store", tmp_path / "backup")
    records = Records(tmp_path / "store", run="second")
    records.add(2)
    with serving(BenchLine(), records.feed) as bound, StationClient(bound) as client:
        token = take(client.watch_results(), 5)[-1].resume_token
    records.close()
    restored = Records(tmp_path / "backup", run="third")
    with serving(BenchLine(), restored.feed) as bound, StationClient(bound) as client:
        with pytest.raises(CallError, match=r"record 5.*last record is 3") as failed:
            next(client.watch_results(token))
        assert failed.value.code is grpc.StatusCode.OUT_OF_RANGE
        assert failed.value.metadata == {"sequence": "5", "last_sequence": "3"}
    restored.close()


def test_one_watcher_too_many_is_refused_until_one_leaves(records: Records, address: str) -> None:
    """The limit is a clear refusal with a time to come back, not a silence; and a place that is left is free again."""
    records.add(1)
    with contextlib.ExitStack() as stack:  # no client may have them all
        clients = [stack.enter_context(StationClient(address)) for _ in range(4)]
        client = clients[1]
        streams = [clients[number % 4].watch_results() for number in range(MAX_WATCHERS)]
        for stream in streams:
            next(stream)
        with pytest.raises(CallError, match=f"{MAX_WATCHERS} may") as failed:
            next(client.watch_results(reconnect=False))
        assert failed.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (failed.value.reason, failed.value.metadata) == ("WATCHERS", {"limit": str(MAX_WATCHERS)})
        assert failed.value.retry_after_s
        assert client.status().station == "bench", "watchers must leave room for other calls"
        streams.pop().close()
        assert next(client.watch_results()).result.sequence == 1  # comes back by itself until there is room


def test_images_are_the_stored_files(records: Records, client: StationClient) -> None:
    """A kept image comes as its file; one that was not kept, or no such record, says which of the two."""
    records.add(1, REJECTED, np.full((20, 30), 200, np.uint8))
    records.add(1)
    assert client.image(1) == records.reader.image(1)
    assert client.image(1)[1] == "image/jpeg"
    for sequence, reason in ((2, "IMAGE"), (3, "RECORD"), (0, "RECORD"), (-(2**63), "RECORD")):
        with pytest.raises(CallError) as failed:
            client.image(sequence)
        assert (failed.value.code, failed.value.reason) == (grpc.StatusCode.NOT_FOUND, reason)


def test_image_over_the_message_limit_comes_in_pieces(records: Records) -> None:
    """An image that no message may hold comes whole, in pieces."""
    noise = np.random.default_rng(3).integers(0, 256, (1200, 1600), dtype=np.uint8)
    records.add(1, REJECTED, noise)
    with serving(BenchLine(), records.feed, max_message_mb=1) as bound, StationClient(bound) as client:
        data, _ = client.image(1)
    assert len(data) > 1_000_000
    assert (data, "image/jpeg") == records.reader.image(1)


def test_store_that_cannot_be_read_is_told_and_recovers(records: Records) -> None:
    """While the disk fails, watchers end with UNAVAILABLE and the reason; afterwards the same client goes on."""

    class FailingFeed:
        """The real feed behind a disk that can fail."""

        def __init__(self) -> None:
            self.fails = False

        def __getattr__(self, name: str) -> object:
            if self.fails:
                raise OperationalError("SELECT", {}, sqlite3.OperationalError("disk I/O error"))
            return getattr(records.feed, name)

    feed = FailingFeed()
    records.add(2)
    with serving(BenchLine(), feed) as bound, StationClient(bound) as client:  # type: ignore[arg-type]
        patient = Watcher(client.watch_results)
        hasty = Watcher(lambda: client.watch_results(reconnect=False))
        patient.wait_for(2)
        hasty.wait_for(2)
        feed.fails = True
        failure = hasty.wait_failure()
        assert isinstance(failure, CallError)
        assert (failure.code, failure.reason) == (grpc.StatusCode.UNAVAILABLE, "RECORDS")
        assert "disk I/O error" in str(failure)
        feed.fails = False
        records.add(2)
        assert patient.wait_for(4) == [1, 2, 3, 4]


def test_end_of_the_station_ends_the_stream_cleanly(records: Records) -> None:
    """A watcher of a station that shuts down hears UNAVAILABLE with the reason, and its last token is still good."""
    records.add(2)
    with contextlib.ExitStack() as server:
        client = StationClient(server.enter_context(serving(BenchLine(), records.feed)))
        watcher = Watcher(lambda: client.watch_results(reconnect=False))
        watcher.wait_for(2)
    failure = watcher.wait_failure()
    client.close()
    assert isinstance(failure, CallError)
    assert (failure.code, failure.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTDOWN")
    assert "station is shutting down" in str(failure)
    records.add(1)
    with serving(BenchLine(), records.feed) as bound, StationClient(bound) as again:
        assert next(again.watch_results(watcher.tokens[-1])).result.sequence == 3


@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_client_that_is_cut_off_gets_each_record_once(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """However often the connection is cut, and at whatever byte, the records come exactly once and in order."""
    cuts = data.draw(st.lists(st.integers(1, 9000), max_size=5), label="cuts after bytes")
    groups = data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=5), label="records a group")
    only_new = data.draw(st.booleans(), label="only_new")
    records = Records(tmp_path_factory.mktemp("cut"))
    records.add(3)
    with contextlib.ExitStack() as stack:
        stack.callback(records.close)
        bound = stack.enter_context(serving(BenchLine(), records.feed))
        proxy = stack.enter_context(contextlib.closing(CuttingProxy(bound, cuts)))
        client = stack.enter_context(StationClient(proxy.address))
        watcher = Watcher(lambda: client.watch_results(only_new=only_new))
        while only_new and not watcher.has_begun():
            records.add(1)
        for count in groups:
            records.add(count)
        watcher.wait_last(records.parts)
        first = watcher.sequences[0] if only_new else 1
        assert watcher.sequences == list(range(first, records.parts + 1))
        assert watcher.failure is None


@settings(max_examples=6, deadline=None)
@given(
    steps=st.lists(st.sampled_from(["add", "restart server", "restart store", "new client"]), min_size=2, max_size=7)
)
def test_client_outlives_restarts(tmp_path_factory: pytest.TempPathFactory, steps: list[str]) -> None:
    """Through restarts of the server, of the whole store, and of the client itself, each record comes exactly once."""
    folder = tmp_path_factory.mktemp("restart")
    with contextlib.ExitStack() as everything:
        records = Records(folder)
        server = contextlib.ExitStack()
        address = server.enter_context(serving(BenchLine(), records.feed))
        client = StationClient(address)
        watcher = Watcher(client.watch_results)
        everything.callback(lambda: (client.close(), server.close(), records.close()))
        seen: list[int] = []
        tokens = [""]
        total = 0
        for number, step in enumerate([*steps, "add"]):
            if step == "restart server":
                server.close()
                server.enter_context(serving(BenchLine(), records.feed, address=address))
            elif step == "restart store":
                server.close()
                records.close()
                records = Records(folder, run=f"run {number}")
                server.enter_context(serving(BenchLine(), records.feed, address=address))
            elif step == "new client":
                client.close()
                watcher.thread.join(TIMEOUT_S)
                seen += watcher.sequences
                tokens += watcher.tokens
                client = StationClient(address)
                watcher = Watcher(lambda client=client, token=tokens[-1]: client.watch_results(token))
            records.add(7)
            total += 7
        watcher.wait_for(total - len(seen))
        assert seen + watcher.sequences == list(range(1, total + 1))
        assert watcher.failure is None
