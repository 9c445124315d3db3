"""What both clients do for every call: services, request ids, repeats, pages, and failures in plain words."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from api_station import REJECTED, TIMEOUT_S, BenchLine, CuttingProxy, Records
from entry_file import EntryFile

from inspection.api.access_file import add_token
from inspection.api.options import SecurityOptions
from inspection.api.own_ca import OwnCa, now_utc
from inspection.api.roles import Role
from inspection.api.server import ApiServer
from inspection.client import (
    ApiError,
    AsyncStationClient,
    CallError,
    StationClient,
    TokenFile,
    UntrustedError,
    pb,
)
from inspection.control import JobRequest


class SlowLine(BenchLine):
    """A line whose start waits, and counts how often it was carried out."""

    def __init__(self) -> None:
        super().__init__()
        self.starts = 0
        self.begun, self.may_go_on = threading.Event(), threading.Event()

    def start_continuous(self, job: JobRequest) -> str:
        self.starts += 1
        self.begun.set()
        assert self.may_go_on.wait(TIMEOUT_S)
        self.start_line()
        return f"job {self.starts}"


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    made = Records(tmp_path / "store")
    yield made
    made.close()


@contextlib.contextmanager
def station(records: Records, folder: Path, line: BenchLine | None = None, **options: Any) -> Iterator[str]:
    """Run a server with an audit log; gives its address."""
    address = options.pop("address", "127.0.0.1:0")
    server = ApiServer(
        line or BenchLine(),
        records.feed,
        address=address,
        security=SecurityOptions(**options),
        entries=EntryFile(folder / "entries"),
    )
    try:
        yield server.start()
    finally:
        server.stop(1.0)


def from_aio(address: str, use: Callable[[AsyncStationClient], Any], **options: Any) -> Any:
    """Open an aio client on a loop of its own and return what a coroutine makes of it."""

    async def run() -> Any:
        async with AsyncStationClient(address, **options) as client:
            return await use(client)

    return asyncio.run(run())


def test_both_clients_have_every_method_of_every_service() -> None:
    """Whatever the protos offer can be called, by its own name, from both clients."""

    async def attributes() -> list[dict[str, Any]]:
        async with AsyncStationClient("127.0.0.1:1") as aio:
            with StationClient("127.0.0.1:1") as blocking:
                return [vars(aio), vars(blocking)]

    for found in asyncio.run(attributes()):
        stubs = {type(value).__name__: value for value in found.values()}
        for proto in pb.PROTOS:
            for name, service in proto.services_by_name.items():
                stub = stubs[f"{name}Stub"]
                assert [method.name for method in service.methods if not hasattr(stub, method.name)] == []


def start_blocking(address: str, away_s: float = 30.0) -> str:
    with StationClient(address, away_s=away_s) as client:
        return client.station.StartContinuous(pb.StartContinuousRequest()).job_id


def start_aio(address: str, away_s: float = 30.0) -> str:
    async def start(client: AsyncStationClient) -> str:
        return (await client.station.StartContinuous(pb.StartContinuousRequest())).job_id

    return str(from_aio(address, start, away_s=away_s))


@pytest.mark.parametrize("start", [start_blocking, start_aio])
def test_a_command_whose_answer_got_lost_is_carried_out_once(
    start: Callable[[str], str], records: Records, tmp_path: Path
) -> None:
    """The connection breaks while the line starts: the client sends the command again and gets the first answer."""
    line = SlowLine()
    with station(records, tmp_path, line) as bound, contextlib.closing(CuttingProxy(bound, [])) as proxy:
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(start, proxy.address)
            assert line.begun.wait(TIMEOUT_S)
            before = proxy.connections
            proxy.cut()
            until(lambda: proxy.connections > before)
            line.may_go_on.set()
            assert asked.result(TIMEOUT_S) == "job 1"
        assert line.starts == 1


@pytest.mark.parametrize("start", [start_blocking, start_aio])
def test_a_station_that_is_away_at_first_is_waited_for(
    start: Callable[[str], str], records: Records, tmp_path: Path
) -> None:
    """A call made before the station runs is answered when it does, within the time allowed."""
    with station(records, tmp_path) as address:
        pass
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(start, address)
        with pytest.raises(CallError, match=r"does not answer.*lineward run"):
            start(address, 0.3)  # type: ignore[call-arg]
        assert not asked.done()
        with station(records, tmp_path, address=address):
            assert asked.result(TIMEOUT_S) == "a job"


def test_two_commands_of_one_request_are_two(records: Records, tmp_path: Path) -> None:
    """An id is made for each call, not for the caller's message; an id of the caller's own is left alone."""
    line = SlowLine()
    line.may_go_on.set()
    request = pb.StartContinuousRequest()
    own = pb.StartContinuousRequest(request_id="1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed")
    with station(records, tmp_path, line) as address, StationClient(address) as client:
        assert [client.station.StartContinuous(request).job_id for _ in range(2)] == ["job 1", "job 2"]
        assert request.request_id == ""
        assert [client.station.StartContinuous(own).job_id for _ in range(2)] == ["job 3", "job 3"]


def test_all_pages_of_a_list(records: Records, tmp_path: Path) -> None:
    """Both clients turn the pages to the last and leave the caller's request as it was."""
    records.add(7)
    request = pb.ListResultsRequest(page_size=3, oldest_first=True)

    async def turned(client: AsyncStationClient) -> list[int]:
        pages = client.pages(client.results.ListResults, request)
        return [result.sequence async for page in pages for result in page.results]

    with station(records, tmp_path) as address, StationClient(address) as client:
        pages = client.pages(client.results.ListResults, request)
        assert [result.sequence for page in pages for result in page.results] == list(range(1, 8))
        assert from_aio(address, turned) == list(range(1, 8))
    assert request.page_token == ""


def test_an_image_that_is_not_what_was_recorded_is_no_image(records: Records, tmp_path: Path) -> None:
    """The clients hold every picture against the record's hash."""
    records.add(1, REJECTED, np.full((20, 30), 200, np.uint8))
    with station(records, tmp_path) as address, StationClient(address) as client:
        assert from_aio(address, lambda aio: aio.image(1)) == client.image(1) == records.reader.image(1)
        (file,) = (tmp_path / "store").rglob("*.jpg")
        file.chmod(0o644)
        file.write_bytes(b"another picture")
        for ask in (lambda: client.image(1), lambda: from_aio(address, lambda aio: aio.image(1))):
            with pytest.raises(CallError, match="records verify") as failed:
                ask()
            assert (failed.value.code, failed.value.reason) == (grpc.StatusCode.DATA_LOSS, "IMAGE")
        sent = list(client.results.GetResultImage(pb.GetResultImageRequest(sequence=1)))
        assert b"".join(piece.data for piece in sent) == b"another picture"
        assert sent[0].sha256 == client.results.GetResult(pb.GetResultRequest(sequence=1)).result.image_sha256


def test_pictures_are_judged_by_both(records: Records, tmp_path: Path) -> None:
    """The aio client judges pixels as the blocking one does."""
    bright = np.full((20, 20), 250, np.uint8)
    with station(records, tmp_path) as address, StationClient(address) as client:
        judged = from_aio(address, lambda aio: aio.inspect(bright))
        assert judged.verdict == client.inspect(bright).verdict == pb.VERDICT_REJECT


# What goes wrong, in plain words


@pytest.fixture
def tls(tmp_path: Path) -> dict[str, Path]:
    for name in ("own", "other"):
        OwnCa.in_folder(tmp_path / name, now_utc()).server(["127.0.0.1"], now_utc())
    return {"tls_certificate": tmp_path / "own" / "server.pem", "tls_key": tmp_path / "own" / "server.key"}


def watch_blocking(address: str, **options: Any) -> None:
    with StationClient(address, **options) as client:
        for _ in client.watch_results():
            pass


def watch_aio(address: str, **options: Any) -> None:
    async def watch(client: AsyncStationClient) -> None:
        async for _ in client.watch_results():
            pass

    from_aio(address, watch, **options)


@pytest.mark.parametrize("watch", [watch_blocking, watch_aio])
def test_another_ca_ends_the_watch_in_plain_words(
    watch: Callable[..., None], records: Records, tmp_path: Path, tls: dict[str, Path]
) -> None:
    """What cannot prove that it is the station is not waited for: the text names the file that is needed."""
    add_token(tmp_path / "access.json", "mes", Role.VIEWER)
    with station(records, tmp_path, tokens=tmp_path / "access.json", **tls) as address:
        with pytest.raises(UntrustedError, match=r"not signed by the CA.*ca\.pem is needed"):
            watch(address, ca=tmp_path / "other" / "ca.pem")
        elsewhere = f"127.0.0.2:{address.rpartition(':')[2]}"
    with (
        station(records, tmp_path, tokens=tmp_path / "access.json", **tls, address=elsewhere),
        pytest.raises(UntrustedError, match="made for other names"),
    ):
        watch(elsewhere, ca=tmp_path / "own" / "ca.pem")


@pytest.mark.parametrize("watch", [watch_blocking, watch_aio])
def test_tls_where_there_is_none_and_no_ca_in_its_file(
    watch: Callable[..., None], records: Records, tmp_path: Path, tls: dict[str, Path]
) -> None:
    """A client that trusts a CA sends nothing without TLS; a file that is no certificate is named as such."""
    with station(records, tmp_path) as address:
        with pytest.raises(UntrustedError, match="it speaks no TLS"):
            watch(address, ca=tmp_path / "own" / "ca.pem")
        (tmp_path / "no.pem").write_text("nothing")
        with pytest.raises(UntrustedError, match="holds no certificate"):
            watch(address, ca=tmp_path / "no.pem")


@pytest.mark.parametrize("watch", [watch_blocking, watch_aio])
def test_a_token_that_expires_ends_the_watch(watch: Callable[..., None], records: Records, tmp_path: Path) -> None:
    """It ends in the middle of the stream, and again at once when the client comes back with it."""
    records.add(3)
    token = add_token(tmp_path / "access.json", "mes", Role.VIEWER, int(time.time()) + 2)
    with station(records, tmp_path, tokens=tmp_path / "access.json") as address:
        for _ in range(2):
            with pytest.raises(CallError, match="has expired") as failed:
                watch(address, token=token)
            assert (failed.value.code, failed.value.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED")


def test_a_token_as_its_file_has_it_is_taken(records: Records, tmp_path: Path) -> None:
    """The line break at the end of a file is no part of the token; the blocking client and its twin leave it out."""
    token = add_token(tmp_path / "access.json", "mes", Role.VIEWER)
    (tmp_path / "token").write_text(f"  {token}\r\n")
    as_read = (tmp_path / "token").read_text()

    async def name(client: AsyncStationClient) -> Any:
        return (await client.station.GetStatus(pb.GetStatusRequest())).station

    with station(records, tmp_path, tokens=tmp_path / "access.json") as address:
        assert from_aio(address, name, token=as_read) == "bench"
        client = StationClient(address, token=as_read)
        assert client.status().station == "bench"
        client.close()


@pytest.mark.parametrize("token", ["lineward_a\nb", "lineward_é", "lineward_a\x00", "lineward_a b", "\ufefflineward_a"])
def test_a_token_that_cannot_be_sent_is_one_sentence(token: str) -> None:
    """It says which character is wrong and what to do, and does not hold the token."""
    for client in (StationClient, AsyncStationClient):
        with pytest.raises(ApiError, match=r"as character \d+ of \d+ — .* — hand over what `lineward token") as refused:
            client("127.0.0.1:1", token=token)
        assert "lineward_a" not in str(refused.value)


def test_a_closed_client_says_so_and_its_watch_ends(records: Records, tmp_path: Path) -> None:
    """Closing ends a watch without an error, and what comes later is told to open another client."""
    records.add(1)

    async def closed_while_watching(client: AsyncStationClient) -> list[int]:
        seen = []
        async for response in client.watch_results():
            seen.append(response.result.sequence)
            await client.close()
        with pytest.raises(ApiError, match="is closed"):
            await client.station.GetStatus(pb.GetStatusRequest())
        with pytest.raises(ApiError, match="is closed"):
            await client.image(1)
        return seen

    with station(records, tmp_path) as address:
        assert from_aio(address, closed_while_watching) == [1]
        client = StationClient(address)
        seen = []
        for response in client.watch_results():
            seen.append(response.result.sequence)
            client.close()
        assert seen == [1]
        with pytest.raises(ApiError, match="is closed"):
            client.image(1)


def test_the_place_is_kept_in_a_file(tmp_path: Path) -> None:
    """A token file begins empty, holds the last token, and says what to do when it holds none."""
    place = TokenFile(tmp_path / "place")
    assert place.read() == ""
    for token in ("first", "second"):
        place.write(token)
        assert TokenFile(tmp_path / "place").read() == token
    assert [file.name for file in tmp_path.iterdir()] == ["place"]
    (tmp_path / "place").write_bytes(b"\xff")
    with pytest.raises(ApiError, match="move it away"):
        place.read()


def until(holds: Callable[[], Any]) -> None:
    """Look at something until it holds; fail after the bounded time."""
    end_s = time.monotonic() + TIMEOUT_S
    while not holds():
        assert time.monotonic() < end_s, "it did not happen in time"
        threading.Event().wait(0.02)
