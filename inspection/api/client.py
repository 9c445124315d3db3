"""A client of a station, for the operator page, the command line and integrators who write Python."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import grpc
import numpy as np
from numpy.typing import NDArray

from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc
from inspection.api.address import DEFAULT_ADDRESS, DEFAULT_MAX_MESSAGE_MB
from inspection.api.blocking_calls import BlockingCalls
from inspection.api.calls import Repeats, is_repeatable, passes, sendable_token, turn
from inspection.api.channel import Credentials, open_channel
from inspection.api.errors import CallError, ClosedError
from inspection.api.pictures import inspect_request, whole_image

_Request = TypeVar("_Request")
_Answer = TypeVar("_Answer")


class StationClient:
    """One station as its clients see it. Owned by whoever made it; safe from any thread.

    Each service is an attribute with the methods of the proto: `client.lots.StartLot(pb.StartLotRequest(lot="4711"))`.
    A command gets a request id of its own, so that it is carried out once however often it is sent. A call with one
    answer ends within `timeout_s`, or the `timeout` that it is given, and the `away_s` in which it is repeated; the
    watches end when their consumer leaves or the client closes. Failures are CallError: code, reason and metadata as
    documented in the proto.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        timeout_s: float = 10.0,
        away_s: float = 0.0,
        max_message_mb: int = DEFAULT_MAX_MESSAGE_MB,
        token: str = "",
        ca: Path | None = None,
        certificate: Path | None = None,
        key: Path | None = None,
    ) -> None:
        """Connect when first used, and again by itself whenever the station was away.

        away_s: how long a call that finds the station away is made again, with the same request id; 0: not at all.
        token, ca, certificate, key: where the station asks for a login (`inspection.api.channel.Credentials`).
        Raises ApiError for a token that cannot be sent, and what `open_channel` raises.
        """
        self.address, token = address, sendable_token(token)
        self._timeout_s = timeout_s
        self._away_s = away_s
        self._max_message_bytes = max_message_mb * 1_000_000
        self._closed = threading.Event()
        self._channel = open_channel(address, Credentials(token, ca, certificate, key), self._max_message_bytes)
        calls = BlockingCalls(self._channel, address, token, timeout_s, away_s, self._closed)
        channel = cast(grpc.Channel, calls)  # of which a stub asks its methods, and nothing more
        self.station = pb_grpc.StationServiceStub(channel)
        self.recipes = pb_grpc.RecipeServiceStub(channel)
        self.lots = pb_grpc.LotServiceStub(channel)
        self.results = pb_grpc.ResultServiceStub(channel)
        self.inspection = pb_grpc.InspectionServiceStub(channel)
        self.models = pb_grpc.ModelServiceStub(channel)
        self.cameras = pb_grpc.CameraServiceStub(channel)
        self.alarms = pb_grpc.AlarmServiceStub(channel)
        self.audit = pb_grpc.AuditServiceStub(channel)
        self.challenging = pb_grpc.ChallengeServiceStub(channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End every call and watch, from any thread. Safe to repeat."""
        self._closed.set()
        self._channel.close()

    # ------------------------------------------------------------ what spans several calls

    def pages(self, method: Callable[[_Request], _Answer], request: _Request) -> Iterator[_Answer]:
        """Yield every page of a List method, for example `client.results.ListResults`. Raises CallError."""
        asked: Any = type(request)()
        asked.MergeFrom(request)
        while True:
            page = method(asked)
            yield page
            if not turn(asked, page):
                return

    def watch(
        self, method: grpc.UnaryStreamMultiCallable[_Request, _Answer], request: _Request, *, reconnect: bool = True
    ) -> Iterator[_Answer]:
        """Yield what a Watch method streams, to its end, for example of `client.lots.WatchLot`.

        With `reconnect` it outlives restarts of the station and broken connections, and begins anew with what stands
        then; else, and for what waiting does not mend, it raises CallError. For records there is `watch_results`.
        """
        repeats = Repeats(math.inf if reconnect else 0.0, passes)
        while not self._closed.is_set():
            try:
                for answer in _cancelled_when_left(method(request)):
                    repeats.worked()
                    yield answer
                return
            except CallError as failure:
                pause_s = repeats.pause_s(failure)
            except ClosedError:
                return
            self._closed.wait(pause_s)

    def watch_results(
        self, resume_token: str = "", *, only_new: bool = False, reconnect: bool = True
    ) -> Iterator[pb.WatchResultsResponse]:
        """Yield each durable record after the token exactly once, in order, with the token to come back with.

        only_new: begin with what becomes durable from now on. With `reconnect` the generator outlives restarts of the
        station and broken connections; else it raises CallError. A token that does not fit raises CallError at once.
        """
        request = pb.WatchResultsRequest(resume_token=resume_token, only_new=only_new)
        for response in self.watch(self.results.WatchResults, request, reconnect=reconnect):
            request.resume_token, request.only_new = response.resume_token, False
            if response.HasField("result"):
                yield response

    def image(self, sequence: int) -> tuple[bytes, str]:
        """Return a record's image file and its content type, checked against the record's hash.

        Raises CallError (NOT_FOUND: RECORD or IMAGE; DATA_LOSS: it is not what was recorded).
        """
        request, repeats = pb.GetResultImageRequest(sequence=sequence), Repeats(self._away_s, is_repeatable)
        while True:
            try:
                pieces = list(self.results.GetResultImage(request, timeout=self._timeout_s))
                return whole_image(sequence, pieces)
            except CallError as failure:
                self._closed.wait(repeats.pause_s(failure))

    # --------------------------------------------------------------- the most usual single calls

    def status(self) -> pb.GetStatusResponse:
        """Return the station's status. Raises CallError."""
        return self.station.GetStatus(pb.GetStatusRequest())

    def start_line(self) -> pb.State.ValueType:
        """Start the line, unless it runs, and return the state. Raises CallError (reason STATE)."""
        try:
            return self.station.StartContinuous(pb.StartContinuousRequest()).state
        except CallError as error:
            if error.reason == "STATE" and error.metadata.get("state") == "CONTINUOUS_EXECUTION":
                return pb.STATE_CONTINUOUS_EXECUTION
            raise

    def stop_line(self, timeout_s: float = 60.0) -> pb.State.ValueType:
        """Stop the line, wait for the parts in flight and return the state. Raises CallError."""
        return self.station.Stop(pb.StopRequest(), timeout=timeout_s).state

    def trigger_once(self) -> int:
        """Have a picture made and return its part. Raises CallError (FAILED_PRECONDITION: STATE, TRIGGER)."""
        return self.cameras.TriggerCamera(pb.TriggerCameraRequest()).part

    def confirm_alarms(self, who: str, names: Iterable[str] = ()) -> pb.AcknowledgeAlarmsResponse:
        """Let go of held alarms whose fault has gone, all of them when none is named. Raises CallError."""
        return self.alarms.AcknowledgeAlarms(pb.AcknowledgeAlarmsRequest(names=names, who=who))

    def inspect(self, image: Path | NDArray[np.uint8], timeout_s: float | None = None) -> pb.InspectResponse:
        """Judge an image file, or pixels as uint8 (H, W) or RGB (H, W, 3). Raises ApiError and CallError."""
        return self.inspection.Inspect(inspect_request(image, self._max_message_bytes), timeout=timeout_s)

    def watch_preview(self, max_rate_hz: float = 0.0, *, reconnect: bool = True) -> Iterator[pb.WatchPreviewResponse]:
        """Yield the newest picture with its verdict, at most `max_rate_hz` a second (0: 5). Raises CallError."""
        request = pb.WatchPreviewRequest(max_rate_hz=max_rate_hz)
        return self.watch(self.station.WatchPreview, request, reconnect=reconnect)

    def challenge(self, parts: int = 0, operator: str = "") -> Iterator[pb.Challenge]:
        """Begin a challenge of `parts` known-bad parts (0: as configured) and yield it after each change, to its end.

        The challenge goes on when the iterator is left: `cancel_challenge` ends it. Raises CallError
        (FAILED_PRECONDITION: CHALLENGE_RUNNING or STATE; INVALID_ARGUMENT: PARTS or OPERATOR; UNAVAILABLE: RECORDS).
        """
        request = pb.StartChallengeRequest(parts=parts, operator=operator)
        for response in _cancelled_when_left(self.challenging.StartChallenge(request)):
            yield response.challenge

    def cancel_challenge(self, name: str = "") -> pb.Challenge:
        """Give a challenge up ('' for whichever runs). Raises CallError (NOT_FOUND: CHALLENGE)."""
        return self.challenging.CancelChallenge(pb.CancelChallengeRequest(name=name)).challenge

    def challenge_status(self) -> pb.GetChallengeStatusResponse:
        """Return whether production may run, and why not. Raises CallError."""
        return self.challenging.GetChallengeStatus(pb.GetChallengeStatusRequest())

    def challenges(self, limit: int = 0) -> list[pb.Challenge]:
        """Return past challenges, newest first (0: 20 of them). Raises CallError (INVALID_ARGUMENT: LIMIT)."""
        return list(self.challenging.ListChallenges(pb.ListChallengesRequest(limit=limit)).challenges)


def _cancelled_when_left(stream: Any) -> Iterator[Any]:
    try:
        yield from stream
    finally:
        stream.cancel()
