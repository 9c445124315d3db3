"""What the page knows about the station: the newest status, previews and rejects, received over the API."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import grpc

from inspection.api import v1 as pb
from inspection.api import v1_grpc as rpc

FRESH_S = 2.0
"""What is older than this is never shown as present."""

REJECTS_SHOWN = 12

_STATUS_EVERY_S = 0.25
_STATUS_TIMEOUT_S = 1.5
_RETRY_S = 0.5
_COMMAND_TIMEOUT_S = 15.0
_PREVIEW_HZ = 5.0
_MAX_MESSAGE_BYTES = 64 * 1024 * 1024
_REFUSALS = (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)
_UNKNOWN_HOST_NS = -(10**18)
"""A moment so long ago that it is never fresh."""

_CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    # The station is on the same PC: knock often, so that the page is back a moment after the station.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A stream that began just as the station stopped could hang for good with them (seen in 5 of 200 restarts).
    ("grpc.enable_retries", 0),
)


@dataclass(frozen=True, slots=True)
class SeenPreview:
    """One preview, numbered by the page, and when it arrived; long ago for one whose age is unknown."""

    number: int
    received_host_ns: int
    message: pb.WatchPreviewResponse


class StationFeed:
    """The page's one connection to the station; owned by the server, lives on its event loop, shared by all browsers.

    Queues: `previews` keeps the newest 8 (a browser asks for a picture just after it was told its number), `rejects`
    the newest 12; both drop the oldest. `missed_previews` is left to the station, which counts what it drops.
    """

    def __init__(self, api: str) -> None:
        self.api = api
        self.status: pb.GetStatusResponse | None = None
        self.previews: deque[SeenPreview] = deque(maxlen=8)
        self.rejects: deque[pb.Result] = deque(maxlen=REJECTS_SHOWN)
        self.rejects_version = 0
        self._challenge: pb.GetChallengeStatusResponse | None = None
        self._challenge_host_ns = 0
        self._status_host_ns = 0
        self._preview_number = 0
        self._resume_token = ""

    async def run(self) -> None:
        """Follow the station until cancelled; whatever breaks the connection, try again."""
        async with grpc.aio.insecure_channel(self.api, options=_CHANNEL_OPTIONS) as channel:
            self._station = rpc.StationServiceStub(channel)
            self._results = rpc.ResultServiceStub(channel)
            self._challenges = rpc.ChallengeServiceStub(channel)
            async with asyncio.TaskGroup() as tasks:
                follows = (self._follow_status, self._follow_challenge, self._follow_previews, self._follow_results)
                for follow in follows:
                    tasks.create_task(self._again_and_again(follow))

    # ------------------------------------------------------------- what is known

    @property
    def in_contact(self) -> bool:
        """True while the newest status is fresh."""
        return self.status is not None and _age_s(self._status_host_ns) < FRESH_S

    @property
    def challenge(self) -> pb.GetChallengeStatusResponse | None:
        """Where the station stands with challenges; None when that is not known, or it makes none."""
        return self._challenge if _age_s(self._challenge_host_ns) < FRESH_S else None

    @property
    def preview(self) -> SeenPreview | None:
        """The newest preview of the present contact, however old."""
        return self.previews[-1] if self.previews else None

    def find_preview(self, number: int) -> SeenPreview | None:
        """Return one of the newest previews by its number."""
        return next((seen for seen in self.previews if seen.number == number), None)

    def find_reject(self, sequence: int) -> pb.Result | None:
        """Return one of the newest rejects by its place in the station's records."""
        return next((result for result in self.rejects if result.sequence == sequence), None)

    # ------------------------------------------------------------------ commands

    async def start_line(self) -> str | None:
        """Start the line; the station's words when it refuses, "" when it does not answer, None when done."""
        request = pb.StartContinuousRequest()
        said = await self._command(lambda: self._station.StartContinuous(request, timeout=_COMMAND_TIMEOUT_S))
        return None if said and await self._runs() else said  # somebody else was faster

    async def _runs(self) -> bool:
        try:
            status = await self._station.GetStatus(pb.GetStatusRequest(), timeout=_STATUS_TIMEOUT_S)
        except grpc.aio.AioRpcError:
            return False
        return status.state == pb.STATE_CONTINUOUS_EXECUTION

    async def stop_line(self) -> str | None:
        """Stop the line; answers as `start_line`."""
        return await self._command(lambda: self._station.Stop(pb.StopRequest(), timeout=_COMMAND_TIMEOUT_S))

    async def confirm_alarms(self) -> str | None:
        """Confirm every held alarm; answers as `start_line`."""
        request = pb.ConfirmAllRequest(who=f"page {self.api}")
        return await self._command(lambda: self._station.ConfirmAll(request, timeout=_COMMAND_TIMEOUT_S))

    async def begin_challenge(self, operator: str) -> str | None:
        """Begin a challenge as configured, with the name of who lays the parts; answers as `start_line`."""
        return await self._command(lambda: self._begin_challenge(operator))

    async def cancel_challenge(self) -> str | None:
        """Give the challenge up that runs; answers as `start_line`."""
        request = pb.CancelChallengeRequest()
        return await self._command(lambda: self._challenges.CancelChallenge(request, timeout=_COMMAND_TIMEOUT_S))

    async def _begin_challenge(self, operator: str) -> None:
        request = pb.StartChallengeRequest(operator=operator)
        progress = self._challenges.StartChallenge(request, timeout=_COMMAND_TIMEOUT_S)
        try:
            await progress.read()  # its beginning is durable; it goes on without this stream
        finally:
            progress.cancel()

    async def _command(self, call: Callable[[], Awaitable[object]]) -> str | None:
        try:
            await call()
        except grpc.aio.AioRpcError as error:
            return error.details() or "" if error.code() in _REFUSALS else ""
        return None

    async def reject_image(self, sequence: int) -> tuple[bytes, str] | None:
        """Return the stored image of a record and its content type; None when there is none to be had."""
        try:
            request = pb.GetResultImageRequest(sequence=sequence)
            stream = self._results.GetResultImage(request, timeout=_STATUS_TIMEOUT_S * 2)
            pieces = [piece async for piece in stream]
        except grpc.aio.AioRpcError:
            return None
        return b"".join(piece.data for piece in pieces), pieces[0].content_type

    # ----------------------------------------------------------------- following

    async def _again_and_again(self, follow: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await follow()
            except grpc.aio.AioRpcError as error:
                if error.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OUT_OF_RANGE):
                    self._forget_results()  # another station's records: begin with what comes from now on
            await asyncio.sleep(_RETRY_S)

    async def _follow_status(self) -> None:
        while True:
            asked_host_ns = time.monotonic_ns()  # the age counts from the question: an answer may have waited long
            self.status = await self._station.GetStatus(pb.GetStatusRequest(), timeout=_STATUS_TIMEOUT_S)
            self._status_host_ns = asked_host_ns
            await asyncio.sleep(_STATUS_EVERY_S)

    async def _follow_challenge(self) -> None:
        while True:
            asked_host_ns = time.monotonic_ns()
            request = pb.GetChallengeStatusRequest()
            self._challenge = await self._challenges.GetChallengeStatus(request, timeout=_STATUS_TIMEOUT_S)
            self._challenge_host_ns = asked_host_ns
            await asyncio.sleep(_STATUS_EVERY_S)

    async def _follow_previews(self) -> None:
        self.previews.clear()
        is_first = True  # the stream begins with the newest preview there is, and nobody can say how old that one is
        async for message in self._station.WatchPreview(pb.WatchPreviewRequest(max_rate_hz=_PREVIEW_HZ)):
            received_host_ns = _UNKNOWN_HOST_NS if is_first else time.monotonic_ns()
            is_first = False
            self._preview_number += 1
            self.previews.append(SeenPreview(self._preview_number, received_host_ns, message))

    async def _follow_results(self) -> None:
        request = pb.WatchResultsRequest(resume_token=self._resume_token, only_new=not self._resume_token)
        async for message in self._results.WatchResults(request):
            if message.result.verdict == pb.VERDICT_REJECT:
                self.rejects.appendleft(message.result)
                self.rejects_version += 1
            self._resume_token = message.resume_token

    def _forget_results(self) -> None:
        self._resume_token = ""
        self.rejects.clear()
        self.rejects_version += 1


def _age_s(host_ns: int) -> float:
    return (time.monotonic_ns() - host_ns) / 1e9
