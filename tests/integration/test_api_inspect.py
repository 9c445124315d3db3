"""One image in, one verdict out, over a real channel; and every kind of image that is refused."""

from __future__ import annotations

import re
import struct
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import grpc
import numpy as np
import pytest
from api_station import DIGEST, TIMEOUT_S, BenchLine, Records, serving
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc
from inspection.api.client import StationClient
from inspection.api.errors import ApiError, CallError
from inspection.api.inspection_service import MAX_WAITING
from inspection.control import State

DARK, BRIGHT = np.full((40, 60), 20, np.uint8), np.full((40, 60, 3), 220, np.uint8)


@pytest.fixture
def line() -> Iterator[BenchLine]:
    bench = BenchLine()
    yield bench
    bench.model_is_free.set()


@pytest.fixture
def address(line: BenchLine, tmp_path: Path) -> Iterator[str]:
    records = Records(tmp_path / "store")
    with serving(line, records.feed, max_message_mb=2) as bound:
        yield bound
    records.close()


@pytest.fixture
def client(address: str) -> Iterator[StationClient]:
    with StationClient(address, max_message_mb=2) as station:
        yield station


def big_png(width: int, height: int) -> bytes:
    """A few bytes whose header claims any size."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    head = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + head + struct.pack(">I4sI", 0, b"IEND", zlib.crc32(b"IEND"))


def test_files_and_pixels_are_judged_alike(line: BenchLine, client: StationClient, tmp_path: Path) -> None:
    """A file and an array give the verdict with every figure behind it, and the bundle that it came from."""
    path = tmp_path / "bright.png"
    cv2.imwrite(str(path), BRIGHT)
    for image in (path, BRIGHT):
        answer = client.inspect(image)
        assert (answer.verdict, answer.evaluation) == (pb.VERDICT_REJECT, pb.EVALUATION_NOT_OK)
        assert (answer.reason, answer.defect_class) == (pb.REASON_MODEL, "scratch")
        assert (answer.score, answer.threshold, list(answer.raw_scores)) == (0.9, 0.5, [-1.0, 2.0])
        assert answer.bundle_digest == DIGEST
    assert client.inspect(DARK).verdict == pb.VERDICT_PASS
    assert line.judged_shapes == [(40, 60, 3), (40, 60, 3), (40, 60)]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "0 bytes"),
        (b"\x00garbage" * 40, "none of the formats"),
        (cv2.imencode(".jpg", BRIGHT)[1].tobytes()[:300], "JPEG"),
        (big_png(20_000, 20_000), "20000×20000.*32 megapixels"),
    ],
    ids=["empty", "garbage", "truncated jpeg", "20000x20000"],
)
def test_bad_file_is_a_rich_refusal(line: BenchLine, address: str, data: bytes, text: str) -> None:
    """INVALID_ARGUMENT with ErrorInfo and the field at fault; the model is never asked."""
    with grpc.insecure_channel(address) as channel:
        stub = pb_grpc.InspectionServiceStub(channel)
        with pytest.raises(grpc.RpcError) as failed:
            stub.Inspect(pb.InspectRequest(encoded=data), timeout=TIMEOUT_S)
    status = rpc_status.from_call(failed.value)
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(request)
    assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (info.reason, info.domain) == ("IMAGE", "lineward.inspection.v1")
    assert request.field_violations[0].field == "encoded"
    assert re.search(text, status.message), status.message
    assert not line.model_was_asked.is_set()


def test_wrong_raw_size_names_both_sizes(address: str) -> None:
    """Pixels that do not fill width × height are refused at raw.data."""
    image = pb.RawImage(data=b"\0" * 100, width=40, height=60, pixel_format="RGB8")
    text = r"100 bytes.*7200 bytes"
    with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError, match=text) as failed:
        pb_grpc.InspectionServiceStub(channel).Inspect(pb.InspectRequest(raw=image), timeout=TIMEOUT_S)
    assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_message_over_the_limit_is_refused_on_both_sides(client: StationClient, address: str, tmp_path: Path) -> None:
    """The client refuses with size and limit before it sends; the server refuses whoever sends all the same."""
    large = np.zeros((1500, 1500), np.uint8)
    with pytest.raises(ApiError, match=r"2250.*2000000 are allowed"):
        client.inspect(large)
    with (
        StationClient(address, max_message_mb=8) as careless,
        pytest.raises(CallError, match="max_message_mb") as failed,
    ):
        careless.inspect(large)
    assert failed.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "2000000" in str(failed.value)
    assert client.inspect(DARK).verdict == pb.VERDICT_PASS  # and the station goes on


def test_deadline_of_the_client_is_kept(line: BenchLine, client: StationClient) -> None:
    """When the model is not free in time, the call ends as DEADLINE_EXCEEDED, and the next one is answered."""
    line.model_is_free.clear()
    with pytest.raises(CallError) as failed:
        client.inspect(DARK, timeout_s=0.3)
    assert failed.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    line.model_is_free.set()
    assert client.inspect(DARK).verdict == pb.VERDICT_PASS


def test_busy_model_says_when_to_come_back(line: BenchLine, address: str) -> None:
    """More images than may wait: RESOURCE_EXHAUSTED with RetryInfo; those that wait are answered in the end."""
    line.model_is_free.clear()
    refused = threading.Event()
    busy: list[CallError] = []

    def ask(_: int) -> pb.InspectResponse | None:
        with StationClient(address) as client:
            try:
                return client.inspect(DARK, timeout_s=TIMEOUT_S)
            except CallError as error:
                busy.append(error)
                refused.set()
                return None

    with ThreadPoolExecutor(MAX_WAITING + 1) as askers:
        answers = [askers.submit(ask, number) for number in range(MAX_WAITING + 1)]
        assert refused.wait(TIMEOUT_S)
        line.model_is_free.set()
        got = [answer.result() for answer in answers]
    assert sum(answer is not None for answer in got) == MAX_WAITING
    assert (busy[0].code, busy[0].reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "BUSY")
    assert busy[0].retry_after_s == 0.5


def test_model_that_is_not_ready_names_the_state(line: BenchLine, client: StationClient) -> None:
    """FAILED_PRECONDITION with the state in the metadata."""
    line.state = State.ERROR
    with pytest.raises(CallError, match="ERROR") as failed:
        client.inspect(DARK)
    assert (failed.value.code, failed.value.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "STATE")
    assert failed.value.metadata == {"state": "ERROR"}


@pytest.mark.parametrize("image", [DARK.astype(np.float32), np.zeros((4, 4, 4), np.uint8), np.zeros(16, np.uint8)])
def test_client_refuses_what_are_no_pixels(client: StationClient, image: np.ndarray) -> None:
    """A wrong type or shape is named before anything is sent."""
    with pytest.raises(ApiError, match="uint8"):
        client.inspect(image)


def test_client_names_a_file_that_cannot_be_read(client: StationClient, tmp_path: Path) -> None:
    """A missing file is one clear error."""
    with pytest.raises(ApiError, match=r"none\.png: cannot be read"):
        client.inspect(tmp_path / "none.png")
