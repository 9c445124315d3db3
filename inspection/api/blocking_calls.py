"""Between the stubs and the channel of the blocking client: token, request id, time, repeats, readable errors."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc

from inspection.api.call_error import call_error
from inspection.api.calls import Repeats, closed_error, identified, with_token
from inspection.api.errors import CallError


class BlockingCalls:
    """What a stub takes for its channel. Owned by the client; safe from any thread.

    It is no interceptor of grpc's: those ask the channel for the method anew with each call, and grpc 1.85 crashes the
    process where another thread has closed it meanwhile. Here each method is asked for once, when the stub is made.
    """

    def __init__(
        self, channel: grpc.Channel, address: str, token: str, timeout_s: float, away_s: float, closed: threading.Event
    ) -> None:
        """timeout_s: of each attempt of a call with one answer; away_s: how long it is made again."""
        self._channel = channel
        self._address = address
        self.token = token
        self.timeout_s = timeout_s
        self.away_s = away_s
        self.closed = closed

    def unary_unary(self, method: str, **serializers: Any) -> Any:
        """Return a method with one answer."""
        return _Single(self, self._channel.unary_unary(method, **serializers))

    def unary_stream(self, method: str, **serializers: Any) -> Any:
        """Return a method that streams."""
        return _Streaming(self, self._channel.unary_stream(method, **serializers))

    def stream_stream(self, method: str, **serializers: Any) -> Any:
        """Return a method that streams both ways."""
        return _Streaming(self, self._channel.stream_stream(method, **serializers))

    def failure(self, error: BaseException) -> CallError:
        """Return the error of a call. Raises ClosedError, and what is no error of grpc."""
        if self.closed.is_set():
            raise closed_error(self._address) from None
        if not isinstance(error, grpc.RpcError):
            raise error
        failure = call_error(error, self._address)
        failure.__cause__ = error
        return failure


class _Single:
    """A method with one answer, as the types of the stubs have it. Raises CallError and ClosedError."""

    def __init__(self, calls: BlockingCalls, method: Any) -> None:
        self._calls = calls
        self._method = method

    def __call__(self, request: Any, timeout: float | None = None, metadata: Any = None, **options: Any) -> Any:
        return self.with_call(request, timeout, metadata, **options)[0]

    def with_call(self, request: Any, timeout: float | None = None, metadata: Any = None, **options: Any) -> Any:
        """Return the answer and grpc's call."""
        calls, request = self._calls, identified(request)
        timeout_s = calls.timeout_s if timeout is None else timeout
        shown, repeats = with_token(metadata, calls.token), Repeats(calls.away_s)
        while True:
            try:
                return self._method.with_call(request, timeout=timeout_s, metadata=shown, **options)
            except (grpc.RpcError, ValueError) as error:  # ValueError: grpc's word for a closed channel
                pause_s = repeats.pause_s(calls.failure(error))
            calls.closed.wait(pause_s)

    def future(self, request: Any, timeout: float | None = None, metadata: Any = None, **options: Any) -> Any:
        """Return grpc's own future: not repeated, and its errors are grpc's."""
        calls = self._calls
        timeout_s = calls.timeout_s if timeout is None else timeout
        shown = with_token(metadata, calls.token)
        return self._method.future(identified(request), timeout=timeout_s, metadata=shown, **options)


class _Streaming:
    """A method that streams, without repeats. Raises CallError and ClosedError."""

    def __init__(self, calls: BlockingCalls, method: Any) -> None:
        self._calls = calls
        self._method = method

    def __call__(self, request: Any, timeout: float | None = None, metadata: Any = None, **options: Any) -> Any:
        shown = with_token(metadata, self._calls.token)
        try:
            call = self._method(identified(request), timeout=timeout, metadata=shown, **options)
        except ValueError as error:
            raise self._calls.failure(error) from None
        return _Answers(call, self._calls.failure)


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
