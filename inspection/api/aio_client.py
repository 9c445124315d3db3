"""The client of a station for programs that live on an event loop: the same services, waited for."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
import numpy as np
from numpy.typing import NDArray

from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc
from inspection.api.address import DEFAULT_ADDRESS, DEFAULT_MAX_MESSAGE_MB
from inspection.api.aio_calls import AioCalls
from inspection.api.calls import Repeats, is_repeatable, passes, sendable_token, turn
from inspection.api.channel import Credentials, open_aio_channel
from inspection.api.errors import CallError
from inspection.api.pictures import inspect_request, whole_image

_Request = TypeVar("_Request")
_Answer = TypeVar("_Answer")


class AsyncStationClient:
    """One station as `inspection.api.client.StationClient` shows it; its event loop only, on which it is made.

    `await client.lots.StartLot(pb.StartLotRequest(lot="4711"))`: services, ids, repeats and errors are the same.
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
        """Connect when first used, and again by itself whenever the station was away; as in StationClient."""
        self.address, token = address, sendable_token(token)
        self._max_message_bytes = max_message_mb * 1_000_000
        self._calls = AioCalls(address, token, timeout_s, away_s)
        credentials = Credentials(token, ca, certificate, key)
        channel = open_aio_channel(address, credentials, self._max_message_bytes, self._calls.interceptors())
        self._channel = channel
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

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End every call and watch. Safe to repeat."""
        self._calls.closed.set()
        await self._channel.close()

    async def pages(
        self, method: Callable[[_Request], Awaitable[_Answer]], request: _Request
    ) -> AsyncGenerator[_Answer, None]:
        """Yield every page of a List method, for example `client.results.ListResults`. Raises CallError."""
        asked: Any = type(request)()
        asked.MergeFrom(request)
        while True:
            page = await method(asked)
            yield page
            if not turn(asked, page):
                return

    async def watch(
        self,
        method: grpc.aio.UnaryStreamMultiCallable[_Request, _Answer],
        request: _Request,
        *,
        reconnect: bool = True,
    ) -> AsyncGenerator[_Answer, None]:
        """Yield what a Watch method streams, to its end, and outlive restarts of the station; as in StationClient."""
        repeats = Repeats(math.inf if reconnect else 0.0, passes)
        while not self._calls.closed.is_set():
            call = method(request)
            try:
                async for answer in call:
                    repeats.worked()
                    yield answer
                return
            except CallError as failure:
                pause_s = repeats.pause_s(failure)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if not self._calls.closed.is_set() or (task is not None and task.cancelling()):
                    raise
                return  # grpc's word for a channel that was closed
            finally:
                call.cancel()
            await self._calls.pause(pause_s)

    async def watch_results(
        self, resume_token: str = "", *, only_new: bool = False, reconnect: bool = True
    ) -> AsyncGenerator[pb.WatchResultsResponse, None]:
        """Yield each durable record after the token exactly once, in order, with the token to come back with.

        only_new: begin with what becomes durable from now on. With `reconnect` the generator outlives restarts of the
        station and broken connections; else it raises CallError. A token that does not fit raises CallError at once.
        """
        request = pb.WatchResultsRequest(resume_token=resume_token, only_new=only_new)
        async with aclosing(self.watch(self.results.WatchResults, request, reconnect=reconnect)) as responses:
            async for response in responses:
                request.resume_token, request.only_new = response.resume_token, False
                if response.HasField("result"):
                    yield response

    async def image(self, sequence: int) -> tuple[bytes, str]:
        """Return a record's image file and its content type, checked against the record's hash.

        Raises CallError (NOT_FOUND: RECORD or IMAGE; DATA_LOSS: it is not what was recorded).
        """
        request, repeats = pb.GetResultImageRequest(sequence=sequence), Repeats(self._calls.away_s, is_repeatable)
        while True:
            try:
                stream = self.results.GetResultImage(request, timeout=self._calls.timeout_s)
                pieces = [piece async for piece in stream]
                return whole_image(sequence, pieces)
            except CallError as failure:
                await self._calls.pause(repeats.pause_s(failure))

    async def inspect(self, image: Path | NDArray[np.uint8], timeout_s: float | None = None) -> pb.InspectResponse:
        """Judge an image file, or pixels as uint8 (H, W) or RGB (H, W, 3). Raises ApiError and CallError."""
        return await self.inspection.Inspect(inspect_request(image, self._max_message_bytes), timeout=timeout_s)
