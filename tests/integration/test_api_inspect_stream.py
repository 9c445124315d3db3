"""Images in streams and in shared memory, against a whole station: in order, bounded, and never trusted."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from queue import SimpleQueue

import grpc
import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from served_station import served
from tiny_bundle import write_tiny_bundle

from camera.pixels import FORMATS
from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc
from inspection.api.inspect_stream import IN_FLIGHT
from inspection.api.inspection_service import MAX_STREAMS
from inspection.service import Service

TIMEOUT_S = 30.0
DARK, BRIGHT = np.full((40, 60), 20, np.uint8), np.full((40, 60), 220, np.uint8)
Stub = pb_grpc.InspectionServiceStub


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("station")
    with served(folder, write_tiny_bundle(folder / "tiny")) as running:
        yield running


@pytest.fixture(scope="module")
def stub(service: Service) -> Iterator[Stub]:
    with grpc.insecure_channel(service.api_address) as channel:
        yield Stub(channel)


def raw(pixels: np.ndarray) -> pb.RawImage:
    return pb.RawImage(data=pixels.tobytes(), width=pixels.shape[1], height=pixels.shape[0], pixel_format="Mono8")


def streamed(number: int, pixels: np.ndarray) -> pb.InspectStreamRequest:
    return pb.InspectStreamRequest(id=str(number), request=pb.InspectRequest(raw=raw(pixels)))


@contextmanager
def shared(pixels: np.ndarray, name: str = "") -> Iterator[SharedMemory]:
    """Pixels in shared memory of this process, as a client on the same machine makes it."""
    memory = SharedMemory(name or f"lineward-test-{os.getpid()}-{time.monotonic_ns()}", create=True, size=pixels.size)
    memory.buf[: pixels.size] = pixels.tobytes()
    try:
        yield memory
    finally:
        memory.close()
        memory.unlink()


def shared_request(name: str, **values: int | str) -> pb.InspectRequest:
    told = {"size_bytes": DARK.size, "width": 60, "height": 40, "pixel_format": "Mono8", **values}
    return pb.InspectRequest(shared=pb.SharedImage(name=name, **told))


# ------------------------------------------------------------------ streams


def test_answers_come_in_order_with_their_ids(stub: Stub) -> None:
    """A hundred images, good and bad and some that are none: each has its own answer, in the order of the requests."""
    requests = [streamed(number, BRIGHT if number % 3 == 0 else DARK) for number in range(100)]
    requests[50] = pb.InspectStreamRequest(id="50", request=pb.InspectRequest(encoded=b"no image"))
    answers = list(stub.InspectStream(iter(requests), timeout=TIMEOUT_S))
    assert [answer.id for answer in answers] == [str(number) for number in range(100)]
    assert (answers[50].error.code, answers[50].error.reason) == (grpc.StatusCode.INVALID_ARGUMENT.value[0], "IMAGE")
    for number, answer in enumerate(answers):
        if number != 50:
            expected = pb.VERDICT_REJECT if number % 3 == 0 else pb.VERDICT_PASS
            assert answer.response.verdict == expected


def test_one_at_a_time_is_answered_at_once(stub: Stub) -> None:
    """A client that sends the next image after the answer to the last one never waits for ever."""
    requests: SimpleQueue[pb.InspectStreamRequest | None] = SimpleQueue()
    answers = stub.InspectStream(iter(requests.get, None), timeout=TIMEOUT_S)
    for number in range(5):
        requests.put(streamed(number, DARK))
        assert next(answers).id == str(number)
    requests.put(None)
    assert list(answers) == []


def test_each_image_has_its_own_deadline(stub: Stub) -> None:
    """One that had no time is told so; those around it are judged."""
    hurried = streamed(1, DARK)
    hurried.request.timeout_ms = 1
    slow = np.zeros((4000, 4000), np.uint8)  # takes longer than that to be prepared
    hurried.request.raw.CopyFrom(raw(slow))
    first, second, third = stub.InspectStream(iter([streamed(0, DARK), hurried, streamed(2, DARK)]), timeout=TIMEOUT_S)
    assert second.error.code == grpc.StatusCode.DEADLINE_EXCEEDED.value[0]
    assert first.response.verdict == third.response.verdict == pb.VERDICT_PASS


def test_a_client_that_never_reads_is_held_up(service: Service) -> None:
    """It sends images for as long as it is let; the station stops reading, keeps its memory, and serves others."""
    image = np.zeros((200, 300), np.uint8)
    sent = threading.Semaphore(0)
    stop = threading.Event()

    def requests() -> Iterator[pb.InspectStreamRequest]:
        for number in range(10_000):
            if stop.is_set():
                return
            sent.release()
            yield streamed(number, image)

    options = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_536)]  # a window that does not grow
    before_mb = psutil.Process().memory_info().rss / 1e6
    with grpc.insecure_channel(service.api_address, options) as channel:
        call = pb_grpc.InspectionServiceStub(channel).InspectStream(requests(), timeout=TIMEOUT_S)
        count = 0
        while sent.acquire(timeout=1.5):  # until a second and a half has brought no further one
            count += 1
        grown_mb = psutil.Process().memory_info().rss / 1e6 - before_mb
        with grpc.insecure_channel(service.api_address) as other:
            answer = Stub(other).Inspect(pb.InspectRequest(raw=raw(DARK)), timeout=TIMEOUT_S)
        stop.set()
        call.cancel()
    assert answer.verdict == pb.VERDICT_PASS
    assert 500 < count < 10_000  # as many answers as the connection itself holds
    assert grown_mb < 150, count


def test_too_many_streams_are_refused(service: Service, stub: Stub) -> None:
    """One more than allowed: RESOURCE_EXHAUSTED; when one ends, the next is served."""
    queues: list[SimpleQueue[pb.InspectStreamRequest | None]] = [SimpleQueue() for _ in range(MAX_STREAMS)]
    streams = [stub.InspectStream(iter(queue.get, None), timeout=TIMEOUT_S) for queue in queues]
    for queue, stream in zip(queues, streams, strict=True):
        queue.put(streamed(0, DARK))
        next(stream)
    with pytest.raises(grpc.RpcError, match="streams of images") as failed:
        list(stub.InspectStream(iter([streamed(0, DARK)]), timeout=TIMEOUT_S))
    assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    for queue, stream in zip(queues, streams, strict=True):
        queue.put(None)
        assert list(stream) == []
    assert len(list(stub.InspectStream(iter([streamed(0, DARK)]), timeout=TIMEOUT_S))) == 1


# ------------------------------------------------------------- shared memory


def test_shared_memory_is_judged_as_bytes_are(stub: Stub) -> None:
    """Pixels in shared memory, at an offset and with padded rows, give the scores of the same pixels in a message."""
    padded = np.zeros((40, 64), np.uint8)
    padded[:, :60] = BRIGHT
    room = np.concatenate([np.zeros(4096, np.uint8), padded.ravel()])
    with shared(room) as memory:
        request = shared_request(f"/{memory.name}", offset_bytes=4096, size_bytes=40 * 64, stride_bytes=64)
        by_memory = stub.Inspect(request, timeout=TIMEOUT_S)
    assert by_memory == stub.Inspect(pb.InspectRequest(raw=raw(BRIGHT)), timeout=TIMEOUT_S)
    assert by_memory.verdict == pb.VERDICT_REJECT


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"name": "/lineward-none"}, "cannot be opened"),
        ({"name": "/etc/passwd"}, "not read"),
        ({"name": "lineward-../../etc/passwd"}, "not read"),
        ({"name": "psm_1234"}, "not read"),
        ({"offset_bytes": 1}, "2400 are there"),
        ({"offset_bytes": 2**64 - 1}, "2400 are there"),
        ({"height": 400, "size_bytes": 24_000}, "2400 are there"),
        ({"size_bytes": 2**40}, "2400 bytes are needed"),
        ({"size_bytes": 2**40, "stride_bytes": 2**31}, "allowed"),
        ({"width": 0}, "0×40"),
    ],
)
def test_a_lie_about_shared_memory_is_one_clear_status(stub: Stub, values: dict[str, int | str], text: str) -> None:
    """Names that are none, and sizes beyond what is there."""
    with shared(DARK) as memory, pytest.raises(grpc.RpcError, match=text) as failed:
        stub.Inspect(shared_request(**{"name": memory.name, **values}), timeout=TIMEOUT_S)
    assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_links_folders_and_open_memory_are_refused(stub: Stub, tmp_path: Path) -> None:
    """A symbolic link, a folder, a pipe, and memory that everybody may write are not read."""
    base = Path("/dev/shm") / f"lineward-test-{os.getpid()}"
    secret = tmp_path / "secret"
    secret.write_bytes(DARK.tobytes())
    link, folder, pipe, opened = (base.with_name(f"{base.name}-{kind}") for kind in ("link", "dir", "pipe", "open"))
    try:
        link.symlink_to(secret)
        folder.mkdir()
        os.mkfifo(pipe)
        opened.write_bytes(DARK.tobytes())
        opened.chmod(0o666)
        for path, text in ((link, "cannot be opened"), (folder, "no shared memory"), (pipe, "no shared memory")):
            with pytest.raises(grpc.RpcError, match=text):
                stub.Inspect(shared_request(path.name), timeout=TIMEOUT_S)
        with pytest.raises(grpc.RpcError, match="written by everybody") as failed:
            stub.Inspect(shared_request(opened.name), timeout=TIMEOUT_S)
        assert failed.value.code() is grpc.StatusCode.PERMISSION_DENIED
    finally:
        folder.rmdir()
        for path in (link, pipe, opened):
            path.unlink()


def test_memory_that_shrinks_while_it_is_read_kills_nobody(service: Service, stub: Stub) -> None:
    """A client cuts and restores its memory all the time: each answer is a verdict or INVALID_ARGUMENT, no SIGBUS."""
    size = 4000 * 4000
    path = Path("/dev/shm") / f"lineward-test-{os.getpid()}-cut"
    path.touch(0o600)
    over = threading.Event()

    def cut() -> None:
        with path.open("r+b") as file:
            while not over.is_set():
                file.truncate(size)
                file.truncate(4096)

    cutter = threading.Thread(target=cut)
    cutter.start()
    codes = set()
    try:
        for _ in range(150):
            request = shared_request(path.name, size_bytes=size, width=4000, height=4000)
            codes.add(stub.Inspect.future(request, timeout=TIMEOUT_S).code())
    finally:
        over.set()
        cutter.join()
        path.unlink()
    assert codes <= {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT}
    assert grpc.StatusCode.INVALID_ARGUMENT in codes
    assert stub.Inspect(pb.InspectRequest(raw=raw(DARK)), timeout=TIMEOUT_S).verdict == pb.VERDICT_PASS


# ------------------------------------------------------------------ anything

_INTS = st.integers(-(2**31), 2**31 - 1) | st.integers(-1, 70)
_UINTS = st.integers(0, 2**32 - 1) | st.integers(0, 300)
_FORMATS = st.sampled_from([*FORMATS, "", "mono8", "Mono8 "]) | st.text(max_size=10)
_RAW = st.builds(
    pb.RawImage,
    data=st.binary(max_size=3000) | st.integers(0, 20_000).map(bytes),
    width=_INTS, height=_INTS, pixel_format=_FORMATS, stride_bytes=_UINTS,
)  # fmt: skip
_SHARED = st.builds(
    pb.SharedImage,
    name=st.text(max_size=20) | st.just("lineward-test-any"),
    offset_bytes=st.integers(0, 2**64 - 1) | st.integers(0, 5000), size_bytes=st.integers(0, 2**64 - 1) | _UINTS,
    width=_INTS, height=_INTS, pixel_format=_FORMATS, stride_bytes=_UINTS,
)  # fmt: skip
_REQUESTS = st.one_of(
    st.builds(lambda one: pb.InspectRequest(raw=one), _RAW),
    st.builds(lambda one: pb.InspectRequest(shared=one), _SHARED),
    st.builds(lambda one: pb.InspectRequest(encoded=one), st.binary(max_size=500)),
    st.just(pb.InspectRequest()),
)
_ALLOWED = {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(request=_REQUESTS)
def test_any_request_is_an_answer_or_one_clear_status(stub: Stub, request: pb.InspectRequest) -> None:
    """Any bytes, sizes and formats: a verdict or INVALID_ARGUMENT; the next image is judged."""
    assert stub.Inspect.future(request, timeout=TIMEOUT_S).code() in _ALLOWED


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests=st.lists(_REQUESTS, max_size=2 * IN_FLIGHT + 1))
def test_any_stream_is_answered_to_its_end(stub: Stub, requests: list[pb.InspectRequest]) -> None:
    """Each gets its answer or its error, in order."""
    stream = [pb.InspectStreamRequest(id=str(place), request=one) for place, one in enumerate(requests)]
    answers = list(stub.InspectStream(iter(stream), timeout=TIMEOUT_S))
    assert [answer.id for answer in answers] == [one.id for one in stream]
    assert all(answer.WhichOneof("result") for answer in answers)
