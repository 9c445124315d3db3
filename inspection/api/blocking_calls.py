"""Between the stubs and the channel of the blocking client: token, request id, time, repeats, readable errors."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import grpc

from inspection.api.call_error import call_error
from inspection.api.calls import Repeats, closed_error, identified, with_token
from inspection.api.errors import CallError


class _Details(NamedTuple):
    method: str
    timeout: float | None
    metadata: list[tuple[str, str | bytes]]
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: Any


class BlockingCalls(
    grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor, grpc.StreamStreamClientInterceptor
):
    """What each call of one client passes through. Owned by the client; safe from any thread."""

    def __init__(self, address: str, token: str, timeout_s: float, away_s: float, closed: threading.Event) -> None:
        """timeout_s: of each attempt of a call with one answer; away_s: how long it is made again."""
        self._address = address
        self._token = token
        self._timeout_s = timeout_s
        self._away_s = away_s
        self._closed = closed

    def intercept_unary_unary(self, continuation: Callable[..., Any], client_call_details: Any, request: Any) -> Any:
        """Return what the station answered. Raises CallError and ClosedError."""
        request, details = identified(request), self._details(client_call_details, self._timeout_s)
        repeats = Repeats(self._away_s)
        while True:
            outcome = continuation(details, request)
            error = outcome.exception()
            if error is None:
                return outcome
            self._closed.wait(repeats.pause_s(self._failure(error)))

    def intercept_unary_stream(self, continuation: Callable[..., Any], client_call_details: Any, request: Any) -> Any:
        """Return the stream, whose errors are CallError."""
        return self._opened(continuation, self._details(client_call_details), identified(request))

    def intercept_stream_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request_iterator: Any
    ) -> Any:
        """Return the stream, whose errors are CallError."""
        return self._opened(continuation, self._details(client_call_details), request_iterator)

    def _opened(self, continuation: Callable[..., Any], details: _Details, request: Any) -> _Answers:
        try:
            return _Answers(continuation(details, request), self._failure)
        except ValueError as error:
            raise self._failure(error) from None

    def _details(self, details: Any, timeout_s: float | None = None) -> _Details:
        return _Details(
            details.method,
            timeout_s if details.timeout is None else details.timeout,
            with_token(details.metadata, self._token),
            details.credentials,
            details.wait_for_ready,
            details.compression,
        )

    def _failure(self, error: BaseException) -> CallError:
        """Return the error of a call. Raises ClosedError, and what is no error of grpc."""
        if self._closed.is_set():
            raise closed_error(self._address) from None
        if not isinstance(error, grpc.RpcError):
            raise error
        failure = call_error(error, self._address)
        failure.__cause__ = error
        return failure


class _Answers:
    """A stream of answers; what else grpc knows of the call (cancel, code, …) is there, too."""

    def __init__(self, call: Any, failure: Callable[[BaseException], CallError]) -> None:
        self._call = call
        self._failure = failure

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return next(self._call)
        except grpc.RpcError as error:
            raise self._failure(error) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)
