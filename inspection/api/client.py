"""A client of a station, for the operator page, the command line and integrators who write Python."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

import grpc
import numpy as np
from numpy.typing import NDArray

from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc
from inspection.api.address import DEFAULT_ADDRESS, DEFAULT_MAX_MESSAGE_MB
from inspection.api.call_error import call_error
from inspection.api.channel import Credentials, open_channel
from inspection.api.errors import ApiError, CallError

_FIRST_RETRY_S, _LAST_RETRY_S = 0.1, 5.0
_MESSAGE_ROOM_BYTES = 4096
_PASSING = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.RESOURCE_EXHAUSTED}
)  # what a stream that reconnects outlives
_Answer = TypeVar("_Answer")
_Item = TypeVar("_Item", covariant=True)


class _Stream(Protocol[_Item]):
    def __iter__(self) -> Iterator[_Item]: ...
    def cancel(self) -> bool: ...


class StationClient:
    """One station as its clients see it. Owned by whoever made it; safe from any thread.

    Every call ends within `timeout_s`, except the watches, which end when their consumer leaves or the client closes.
    Failures are CallError: code, reason and metadata as documented in the proto.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        timeout_s: float = 10.0,
        max_message_mb: int = DEFAULT_MAX_MESSAGE_MB,
        token: str = "",
        ca: Path | None = None,
        certificate: Path | None = None,
        key: Path | None = None,
    ) -> None:
        """Connect when first used, and again by itself whenever the station was away.

        token, ca, certificate, key: where the station asks for a login (`inspection.api.channel.Credentials`).
        """
        self.address = address
        self._timeout_s = timeout_s
        self._max_message_bytes = max_message_mb * 1_000_000
        self._channel = open_channel(
            address,
            Credentials(token, ca, certificate, key),
            [
                ("grpc.max_receive_message_length", self._max_message_bytes),
                ("grpc.max_send_message_length", self._max_message_bytes),
                ("grpc.initial_reconnect_backoff_ms", 100),
                ("grpc.min_reconnect_backoff_ms", 100),
                ("grpc.max_reconnect_backoff_ms", 2000),
                ("grpc.enable_http_proxy", 0),
                # grpc's own silent retry may lose a stream for good (no answer, no error) that begins just as the
                # station stops; seen with grpcio 1.85.1. The watches come back by themselves, so nothing needs it.
                ("grpc.enable_retries", 0),
                ("grpc.use_local_subchannel_pool", 1),  # its own connection, closed with it
            ],
        )
        self._station = pb_grpc.StationServiceStub(self._channel)
        self._results = pb_grpc.ResultServiceStub(self._channel)
        self._inspection = pb_grpc.InspectionServiceStub(self._channel)
        self._challenges = pb_grpc.ChallengeServiceStub(self._channel)
        self._alarms = pb_grpc.AlarmServiceStub(self._channel)
        self._cameras = pb_grpc.CameraServiceStub(self._channel)
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End every call and watch, from any thread. Safe to repeat."""
        self._closed.set()
        self._channel.close()

    def status(self) -> pb.GetStatusResponse:
        """Return the station's status. Raises CallError."""
        return self._ask(lambda: self._station.GetStatus(pb.GetStatusRequest(), timeout=self._timeout_s))

    def start_line(self) -> pb.State.ValueType:
        """Start the line, unless it runs, and return the state. Raises CallError (reason STATE)."""
        request = pb.StartContinuousRequest()
        try:
            return self._ask(lambda: self._station.StartContinuous(request, timeout=self._timeout_s)).state
        except CallError as error:
            if error.reason == "STATE" and error.metadata.get("state") == "CONTINUOUS_EXECUTION":
                return pb.STATE_CONTINUOUS_EXECUTION
            raise

    def stop_line(self, timeout_s: float = 60.0) -> pb.State.ValueType:
        """Stop the line, wait for the parts in flight and return the state. Raises CallError."""
        return self._ask(lambda: self._station.Stop(pb.StopRequest(), timeout=timeout_s)).state

    def trigger_once(self) -> int:
        """Have a picture made and return its part. Raises CallError (FAILED_PRECONDITION: STATE, TRIGGER)."""
        return self._ask(lambda: self._cameras.TriggerCamera(pb.TriggerCameraRequest(), timeout=self._timeout_s)).part

    def confirm_alarms(self, who: str, names: Iterable[str] = ()) -> pb.AcknowledgeAlarmsResponse:
        """Let go of held alarms whose fault has gone, all of them when none is named. Raises CallError."""
        request = pb.AcknowledgeAlarmsRequest(names=names, who=who)
        return self._ask(lambda: self._alarms.AcknowledgeAlarms(request, timeout=self._timeout_s))

    def image(self, sequence: int) -> tuple[bytes, str]:
        """Return a record's image file and its content type. Raises CallError (NOT_FOUND: RECORD or IMAGE)."""
        request = pb.GetResultImageRequest(sequence=sequence)
        pieces = self._ask(lambda: list(self._results.GetResultImage(request, timeout=self._timeout_s)))
        return b"".join(piece.data for piece in pieces), pieces[0].content_type

    def inspect(self, image: Path | NDArray[np.uint8], timeout_s: float | None = None) -> pb.InspectResponse:
        """Judge an image file, or pixels as uint8 (H, W) or RGB (H, W, 3). Raises ApiError and CallError."""
        request = _inspect_request(image)
        size_bytes = request.ByteSize()
        if size_bytes > self._max_message_bytes:
            raise ApiError(
                f"the image makes a message of {size_bytes} bytes — {self._max_message_bytes} are allowed — send it as "
                "JPEG or PNG, downsize it, or raise the limit on both sides (api.max_message_mb)"
            )
        allowed_s = self._timeout_s if timeout_s is None else timeout_s
        return self._ask(lambda: self._inspection.Inspect(request, timeout=allowed_s))

    def watch_results(
        self, resume_token: str = "", *, only_new: bool = False, reconnect: bool = True
    ) -> Iterator[pb.WatchResultsResponse]:
        """Yield each durable record after the token exactly once, in order, with the token to come back with.

        only_new: begin with what becomes durable from now on. With `reconnect` the generator outlives restarts of the
        station and broken connections; else it raises CallError. A token that does not fit raises CallError at once.
        """
        request = pb.WatchResultsRequest(resume_token=resume_token, only_new=only_new)
        for response in self._watch(lambda: self._results.WatchResults(request), reconnect):
            request.resume_token, request.only_new = response.resume_token, False
            if response.HasField("result"):
                yield response

    def watch_preview(self, max_rate_hz: float = 0.0, *, reconnect: bool = True) -> Iterator[pb.WatchPreviewResponse]:
        """Yield the newest picture with its verdict, at most `max_rate_hz` a second (0: 5). Raises CallError."""
        request = pb.WatchPreviewRequest(max_rate_hz=max_rate_hz)
        return self._watch(lambda: self._station.WatchPreview(request), reconnect)

    def challenge(self, parts: int = 0, operator: str = "") -> Iterator[pb.Challenge]:
        """Begin a challenge of `parts` known-bad parts (0: as configured) and yield it after each change, to its end.

        The challenge goes on when the iterator is left: `cancel_challenge` ends it. Raises CallError
        (FAILED_PRECONDITION: CHALLENGE_RUNNING or STATE; INVALID_ARGUMENT: PARTS or OPERATOR; UNAVAILABLE: RECORDS).
        """
        request = pb.StartChallengeRequest(parts=parts, operator=operator)
        try:
            for response in self._items(lambda: self._challenges.StartChallenge(request)):
                yield response.challenge
        except grpc.RpcError as error:
            raise call_error(error, self.address) from error

    def cancel_challenge(self, name: str = "") -> pb.Challenge:
        """Give a challenge up ('' for whichever runs). Raises CallError (NOT_FOUND: CHALLENGE)."""
        request = pb.CancelChallengeRequest(name=name)
        return self._ask(lambda: self._challenges.CancelChallenge(request, timeout=self._timeout_s)).challenge

    def challenge_status(self) -> pb.GetChallengeStatusResponse:
        """Return whether production may run, and why not. Raises CallError."""
        request = pb.GetChallengeStatusRequest()
        return self._ask(lambda: self._challenges.GetChallengeStatus(request, timeout=self._timeout_s))

    def challenges(self, limit: int = 0) -> list[pb.Challenge]:
        """Return past challenges, newest first (0: 20 of them). Raises CallError (INVALID_ARGUMENT: LIMIT)."""
        request = pb.ListChallengesRequest(limit=limit)
        return list(self._ask(lambda: self._challenges.ListChallenges(request, timeout=self._timeout_s)).challenges)

    def _watch(self, open_stream: Callable[[], Any], reconnect: bool) -> Iterator[Any]:
        """Yield from a stream; with `reconnect`, open it anew after a passing failure, with growing pauses."""
        pause_s = _FIRST_RETRY_S
        while not self._closed.is_set():
            try:
                for item in self._items(open_stream):
                    pause_s = _FIRST_RETRY_S
                    yield item
                floor_s = 0.0
            except grpc.RpcError as error:
                failure = call_error(error, self.address)
                if self._closed.is_set():
                    return
                if not reconnect or failure.code not in _PASSING:
                    raise failure from error
                floor_s = failure.retry_after_s or 0.0
            self._closed.wait(max(pause_s * random.uniform(0.5, 1.0), floor_s))
            pause_s = min(pause_s * 2, _LAST_RETRY_S)

    def _items(self, open_stream: Callable[[], _Stream[_Item]]) -> Iterator[_Item]:
        try:
            stream = open_stream()
        except ValueError:  # grpc's word for a channel that was closed
            self._refuse_closed()
            raise
        try:
            yield from stream
        finally:
            stream.cancel()

    def _ask(self, call: Callable[[], _Answer]) -> _Answer:
        try:
            return call()
        except grpc.RpcError as error:
            raise call_error(error, self.address) from error
        except ValueError:
            self._refuse_closed()
            raise

    def _refuse_closed(self) -> None:
        if self._closed.is_set():
            raise ApiError(f"this client of {self.address} is closed — an open one is needed — make another") from None


def _inspect_request(image: Path | NDArray[np.uint8]) -> pb.InspectRequest:
    if isinstance(image, Path):
        try:
            return pb.InspectRequest(encoded=image.read_bytes())
        except OSError as error:
            raise ApiError(f"{image}: cannot be read ({error.strerror}) — name a readable image file") from error
    is_mono, is_rgb = image.ndim == 2, image.ndim == 3 and image.shape[-1] == 3
    if image.dtype != np.uint8 or not (is_mono or is_rgb):
        raise ApiError(
            f"the pixels are {image.dtype} {image.shape} — uint8 (height, width) or (height, width, 3) in the order R, "
            "G, B are allowed — convert them"
        )
    height, width = image.shape[:2]
    raw = pb.RawImage(data=image.tobytes(), width=width, height=height, pixel_format="Mono8" if is_mono else "RGB8")
    return pb.InspectRequest(raw=raw)
