"""Clients that mean no good, against `lineward run`: nothing is let in, the memory is bounded, and the line goes on.

Floods of streams, repeated ids, expired certificates and a viewer's token to Stop: test_api_security.py and
test_api_tls.py.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator

import grpc
import pytest
from attacked_run import LIMIT_MB, AttackedRun, attacked_run
from real_run import TIMEOUT_S

from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc
from inspection.api.call_error import call_error
from inspection.api.pb import open_inference_pb2 as oip

GIVEN_MB = 400
"""What a station may hold more than before, at the most: some messages in several copies, and what malloc keeps."""
INSPECT = "/lineward.inspection.v1.InspectionService/Inspect"
STREAM = "/lineward.inspection.v1.InspectionService/InspectStream"


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AttackedRun]:
    """A station whose line runs."""
    with attacked_run(tmp_path_factory.mktemp("station")) as running:
        yield running


class Sent:
    """A client's messages, one after the other, until there are so many or the server cuts it off."""

    def __init__(self, message: bytes, count: int) -> None:
        self._message, self._count = message, count
        self.messages = 0
        self.peak_mb = 0.0

    def to(self, station: AttackedRun) -> Iterator[bytes]:
        for _ in range(self._count):
            self.messages += 1
            if self.messages % 8 == 0:
                self.peak_mb = max(self.peak_mb, station.resident_mb)
            yield self._message


def test_ten_gigabytes_to_a_method_that_takes_one_message(attacked: AttackedRun) -> None:
    """The first message is answered, and the client is cut off: what it would have sent is never read."""
    before_mb = attacked.resident_mb
    sent = Sent(b"\0" * 30_000_000, 10_000_000_000 // 30_000_000)
    with attacked.channel() as channel, pytest.raises(grpc.RpcError) as failed:
        channel.stream_unary(INSPECT)(sent.to(attacked), timeout=TIMEOUT_S)
    assert call_error(failed.value, "").code is grpc.StatusCode.INVALID_ARGUMENT
    assert sent.messages < 20
    assert attacked.resident_mb - before_mb < GIVEN_MB
    assert attacked.goes_on()


def flood(attacked: AttackedRun, total_bytes: int, given_mb: int) -> None:
    """Stream images that are none, as fast as they go, and read each answer; hold the memory while it lasts."""
    junk = pb.InspectStreamRequest(id="junk", request=pb.InspectRequest(encoded=b"\xff" * 8_000_000))
    sent = Sent(junk.SerializeToString(), total_bytes // 8_000_000)
    before_mb = attacked.resident_mb
    answered = 0
    with attacked.channel() as channel:
        for data in channel.stream_stream(STREAM)(sent.to(attacked)):
            answer = pb.InspectStreamResponse.FromString(data)
            assert (answer.id, answer.error.reason) == ("junk", "IMAGE")
            answered += 1
    assert answered == total_bytes // 8_000_000
    print(f"{total_bytes / 1e9:g} GB sent: {sent.peak_mb - before_mb:.0f} MB more at the peak")
    assert sent.peak_mb - before_mb < given_mb
    assert attacked.goes_on()


def test_a_gigabyte_of_images_that_are_none(attacked: AttackedRun) -> None:
    """Each is answered with its error; the station holds a few at a time and no more."""
    flood(attacked, 1_000_000_000, GIVEN_MB)


@pytest.mark.soak
def test_ten_gigabytes_of_images_that_are_none(attacked: AttackedRun) -> None:
    """The same for as long as it takes."""
    flood(attacked, 10_000_000_000, 2 * GIVEN_MB)


def test_a_message_over_the_limit_is_refused(attacked: AttackedRun) -> None:
    """RESOURCE_EXHAUSTED, again and again, for commands and for reading; none is taken into memory."""
    before_mb = attacked.resident_mb
    with attacked.channel() as channel:
        for method in (INSPECT, "/lineward.inspection.v1.RecipeService/CreateRecipe"):
            for _ in range(5):
                with pytest.raises(grpc.RpcError) as failed:
                    channel.unary_unary(method)(b"\0" * (LIMIT_MB + 1) * 1_000_000, timeout=TIMEOUT_S)
                assert call_error(failed.value, "").code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert attacked.resident_mb - before_mb < GIVEN_MB
    assert attacked.goes_on()


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Return a frame of HTTP/2 (RFC 9113, 4.1)."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def headers(method: str) -> bytes:
    """Return a request's headers, each a literal without indexing (RFC 7541, 6.2.2)."""
    told = {
        ":method": "POST", ":scheme": "http", ":path": method, ":authority": "station",
        "te": "trailers", "content-type": "application/grpc",
    }  # fmt: skip
    return b"".join(
        b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
        for name, value in told.items()
    )


BEGIN = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"")
LIES = {
    "a message of 4 GB": frame(0, 0, 1, b"\0" + struct.pack(">I", 2**32 - 1)),
    "a compressed message that is none": frame(0, 1, 1, b"\1" + struct.pack(">I", 5) + b"zipme"),
    "a message longer than what comes": frame(0, 1, 1, b"\0" + struct.pack(">I", 1000) + b"short"),
    "a frame longer than allowed": b"\xff\xff\xff\0\0" + struct.pack(">I", 1),
    "a frame of another stream": frame(0, 1, 7, b"\0" * 5),
    "no HTTP/2 at all": b"\xff" * 100,
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_lies_on_the_wire(attacked: AttackedRun, lie: bytes) -> None:
    """Whoever says one size and sends another, as long as he is let, is cut off or held up; nobody else notices."""
    before_mb = attacked.resident_mb
    host, _, port = attacked.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=2.0) as wire, contextlib.suppress(OSError):
        wire.sendall(BEGIN + frame(1, 4, 1, headers(INSPECT)) + lie)
        for _ in range(1000):
            wire.sendall(frame(0, 0, 1, b"\0" * 16_000))
    assert attacked.resident_mb - before_mb < GIVEN_MB
    assert attacked.goes_on()


def test_clients_that_never_read(attacked: AttackedRun) -> None:
    """Many watch everything that there is to watch and read nothing: a client who reads gets each record meanwhile."""
    before_mb = attacked.resident_mb
    with contextlib.ExitStack() as open_:
        sleeping = []
        for _ in range(10):
            channel = open_.enter_context(attacked.channel())
            sleeping.append(pb_grpc.ResultServiceStub(channel).WatchResults(pb.WatchResultsRequest()))
        for _ in range(8):
            channel = open_.enter_context(attacked.channel())
            stub = pb_grpc.StationServiceStub(channel)
            sleeping.append(stub.WatchPreview(pb.WatchPreviewRequest(max_rate_hz=30)))
            sleeping.append(pb_grpc.CameraServiceStub(channel).WatchCameras(pb.WatchCamerasRequest()))
        channel = open_.enter_context(attacked.channel())
        reading = pb_grpc.ResultServiceStub(channel).WatchResults(pb.WatchResultsRequest(), timeout=TIMEOUT_S)
        last = attacked.status().records
        sequences = [next(reading).result.sequence for _ in range(last + 50)]
        assert sequences == list(range(1, last + 51))
        assert all(call.is_active() for call in sleeping)
        for call in sleeping:
            call.cancel()
    assert attacked.resident_mb - before_mb < GIVEN_MB
    assert attacked.goes_on()


def test_connections_that_say_nothing(attacked: AttackedRun) -> None:
    """Three hundred open sockets: the next client is answered all the same."""
    host, _, port = attacked.address.rpartition(":")
    with contextlib.ExitStack() as open_:
        for _ in range(300):
            open_.enter_context(socket.create_connection((host, int(port)), timeout=5.0))
        assert attacked.goes_on()


def test_what_was_refused_is_let_go_of(attacked: AttackedRun) -> None:
    """Large images that cannot be read, over both doors, and texts that are no recipe: none of them stays in memory."""
    before_mb = attacked.resident_mb
    peak_mb = before_mb
    tensor = oip.ModelInferRequest(model_name="tiny", raw_input_contents=[b"\0" * 20_000_000]).SerializeToString()
    image = pb.InspectRequest(encoded=b"\0" * 20_000_000).SerializeToString()
    recipe = pb.CreateRecipeRequest(name="long", text="#" * 20_000_000).SerializeToString()
    with attacked.channel() as channel:
        for _ in range(50):
            for method, request in (
                (INSPECT, image),
                ("/inference.GRPCInferenceService/ModelInfer", tensor),
                ("/lineward.inspection.v1.RecipeService/CreateRecipe", recipe),
            ):
                with pytest.raises(grpc.RpcError) as failed:
                    channel.unary_unary(method)(request, timeout=TIMEOUT_S)
                assert call_error(failed.value, "").code is grpc.StatusCode.INVALID_ARGUMENT
                peak_mb = max(peak_mb, attacked.resident_mb)
    assert peak_mb - before_mb < GIVEN_MB
    assert attacked.goes_on()
