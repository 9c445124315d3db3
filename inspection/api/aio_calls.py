"""Between the stubs and the channel of the aio client: token, request id, time allowed, repeats, readable errors."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc

from inspection.api.call_error import call_error
from inspection.api.calls import Repeats, closed_error, identified, with_token
from inspection.api.errors import CallError


class AioCalls:
    """What each call of one client passes through. Owned by the client; its event loop only."""

    def __init__(self, address: str, token: str, timeout_s: float, away_s: float) -> None:
        """timeout_s: of each attempt of a call with one answer; away_s: how long it is made again."""
        self.address = address
        self.timeout_s = timeout_s
        self.away_s = away_s
        self.closed = asyncio.Event()
        self._token = token

    def interceptors(self) -> list[grpc.aio.ClientInterceptor]:
        """Return what the channel is opened with: grpc wants one object for each kind of call."""
        return [_Single(self), _Stream(self), _BothWays(self)]

    def details(self, details: Any, timeout_s: float | None = None) -> grpc.aio.ClientCallDetails:
        """Return a call's details with the token and the time allowed."""
        return grpc.aio.ClientCallDetails(
            details.method,
            timeout_s if details.timeout is None else details.timeout,
            grpc.aio.Metadata(*with_token(details.metadata, self._token)),
            details.credentials,
            details.wait_for_ready,
        )

    def failure(self, error: grpc.RpcError) -> CallError:
        """Return the error of a call as CallError."""
        failure = call_error(error, self.address)
        failure.__cause__ = error
        return failure

    async def pause(self, pause_s: float) -> None:
        """Wait before the next attempt, no longer than the client is open."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self.closed.wait()

    async def answers(self, call: Any) -> AsyncIterator[Any]:
        """Yield what a stream brings. Raises CallError."""
        try:
            async for answer in call:
                yield answer
        except grpc.RpcError as error:
            raise self.failure(error) from error


class _Single(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, calls: AioCalls) -> None:
        self._calls = calls

    async def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        """Return the answered call. Raises CallError and ClosedError."""
        calls = self._calls
        request, details = identified(request), calls.details(client_call_details, calls.timeout_s)
        repeats = Repeats(calls.away_s)
        while not calls.closed.is_set():
            try:
                call = await continuation(details, request)
                await call
                return call
            except grpc.RpcError as error:
                await calls.pause(repeats.pause_s(calls.failure(error)))
        raise closed_error(calls.address)


class _Stream(grpc.aio.UnaryStreamClientInterceptor):
    def __init__(self, calls: AioCalls) -> None:
        self._calls = calls

    async def intercept_unary_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        """Return the stream, whose errors are CallError."""
        if self._calls.closed.is_set():
            raise closed_error(self._calls.address)
        call = await continuation(self._calls.details(client_call_details), identified(request))
        return self._calls.answers(call)


class _BothWays(grpc.aio.StreamStreamClientInterceptor):
    def __init__(self, calls: AioCalls) -> None:
        self._calls = calls

    async def intercept_stream_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request_iterator: Any
    ) -> Any:
        """Return the stream, whose errors are CallError."""
        if self._calls.closed.is_set():
            raise closed_error(self._calls.address)
        call = await continuation(self._calls.details(client_call_details), request_iterator)
        return self._calls.answers(call)
