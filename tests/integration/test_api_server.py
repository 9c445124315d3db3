"""The server's life: it starts or says why not, and it always ends in bounded time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from api_station import TIMEOUT_S, BenchLine, Records, serving
from grpc_health.v1 import health_pb2, health_pb2_grpc

from inspection.api.client import StationClient
from inspection.api.errors import AddressError, ApiError, CallError
from inspection.api.server import ApiServer


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    store = Records(tmp_path / "store")
    yield store
    store.close()


def api_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "api" or thread.name.startswith("api-")]


def test_taken_port_is_one_clear_error(records: Records) -> None:
    """A second server on the same port is refused by name with the next step, and leaves no thread behind."""
    with serving(BenchLine(), records.feed) as bound:
        second = ApiServer(BenchLine(), records.feed, address=bound)
        with pytest.raises(ApiError, match=f"(?s){bound}.*api.address") as failed:
            second.start()
        assert failed.value.exit_code == 1
        second.stop(0.0)
        with StationClient(bound) as client:
            assert client.status().station == "bench"


def test_port_taken_by_another_program_is_the_same_error(records: Records) -> None:
    """It need not be one of ours that holds the port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ApiError, match=address):
            ApiServer(BenchLine(), records.feed, address=address).start()


def test_network_address_is_refused_before_anything_starts(records: Records) -> None:
    """An address that is open to the network is refused when the server is made."""
    with pytest.raises(AddressError, match="TLS"):
        ApiServer(BenchLine(), records.feed, address="0.0.0.0:0")
    assert not api_threads()


def test_records_that_cannot_be_read_refuse_the_start(records: Records) -> None:
    """A store that fails at the start is the error of the start."""

    class BrokenFeed:
        def __getattr__(self, name: str) -> object:
            raise OSError("disk gone")

    with pytest.raises(ApiError, match="disk gone"):
        ApiServer(BenchLine(), BrokenFeed(), address="127.0.0.1:0").start()  # type: ignore[arg-type]


@pytest.mark.parametrize("address", ["localhost:0", "[::1]:0"])
def test_every_loopback_works(records: Records, address: str) -> None:
    """The address that `start` gives can be connected to as it is."""
    if address.startswith("[") and not _has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    with serving(BenchLine(), records.feed, address=address) as bound, StationClient(bound) as client:
        assert client.status().station == "bench"


def test_stop_is_bounded_with_every_kind_of_call_open(records: Records) -> None:
    """Streams that nobody reads, a health watch and an image that waits for the model do not keep the server."""
    line = BenchLine()
    line.model_is_free.clear()
    line.show(1)
    records.add(3000)
    server = ApiServer(line, records.feed, address="127.0.0.1:0")
    bound = server.start()
    with StationClient(bound) as client, grpc.insecure_channel(bound) as channel:
        results, previews = client.watch_results(reconnect=False), client.watch_preview(reconnect=False)
        assert next(results).result.sequence == 1  # and reads no more: the stream is full
        assert next(previews).sequence == 1
        health = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
        next(health)
        image = np.zeros((20, 20), np.uint8)
        ended: list[grpc.StatusCode] = []

        def ask() -> None:
            with pytest.raises(CallError) as failed:
                client.inspect(image, timeout_s=TIMEOUT_S)
            ended.append(failed.value.code)

        asking = threading.Thread(target=ask)
        asking.start()
        assert line.model_was_asked.wait(TIMEOUT_S)
        server.stop(0.2)
        asking.join(TIMEOUT_S)
        assert ended
        with pytest.raises(CallError) as failed:
            list(previews)
        assert failed.value.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
        assert "api" not in api_threads()
        line.model_is_free.set()


def test_stop_may_be_repeated_and_start_may_not(records: Records) -> None:
    """Stopping twice, or before the start, is nothing; starting twice is an error."""
    server = ApiServer(BenchLine(), records.feed, address="127.0.0.1:0")
    server.stop(0.0)
    server.start()
    with pytest.raises(ApiError, match="once"):
        server.start()
    server.stop(0.5)
    server.stop(0.5)


def test_station_that_is_away_is_named(records: Records) -> None:
    """A client of a station that does not run gets one error with the address and the next step, and later succeeds."""
    with serving(BenchLine(), records.feed) as bound:
        client = StationClient(bound)
        assert client.status().station == "bench"
    with pytest.raises(CallError, match=f"{bound} does not answer.*lineward run") as failed:
        client.status()
    assert failed.value.code is grpc.StatusCode.UNAVAILABLE
    with serving(BenchLine(), records.feed, address=bound):
        assert next_status(client) == "bench"
    client.close()
    with pytest.raises(ApiError, match="closed"):
        client.status()


def next_status(client: StationClient) -> str:
    """Ask until the channel has found the station again."""
    for _ in range(200):
        try:
            return client.status().station
        except CallError:
            threading.Event().wait(0.05)
    return "never"


def test_closing_the_client_ends_its_watch(records: Records) -> None:
    """A watch that waits in another thread ends without an error when the client is closed."""
    records.add(1)
    with serving(BenchLine(), records.feed) as bound:
        client = StationClient(bound)
        first = threading.Event()

        def watch() -> None:
            for _ in client.watch_results():
                first.set()

        watching = threading.Thread(target=watch)
        watching.start()
        assert first.wait(TIMEOUT_S)
        client.close()
        watching.join(TIMEOUT_S)
        assert not watching.is_alive()


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True
