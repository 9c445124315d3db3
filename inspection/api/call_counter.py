"""Counting the calls of the API as they end, for the metrics."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

import grpc

from inspection.observability.api_calls import ApiCalls

_Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Any]]

_NUMBER = {False: "unary", True: "stream"}


class CallCounter(grpc.aio.ServerInterceptor):
    """Stands in front of all that may refuse a call, so that refused ones are counted, too. Used on the API's loop."""

    def __init__(self, calls: ApiCalls) -> None:
        self._calls = calls

    async def intercept_service(
        self, continuation: _Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Return the method's own handler, with its end counted; None for a method that there is not, as before."""
        handler: Any = await continuation(handler_call_details)
        method = str(handler_call_details.method)
        if handler is None:
            self._calls.ended(method, grpc.StatusCode.UNIMPLEMENTED.name, 0.0)
            return handler
        kind = f"{_NUMBER[handler.request_streaming]}_{_NUMBER[handler.response_streaming]}"
        behaviour = getattr(handler, kind)
        counted = self._counted(method, behaviour)
        if counted is None:
            return handler
        make: Any = getattr(grpc, f"{kind}_rpc_method_handler")
        return make(counted, handler.request_deserializer, handler.response_serializer)

    def _counted(self, method: str, behaviour: Any) -> Any:
        """Return a method that does the same and is counted; None for one that does not run on the loop."""
        if inspect.isasyncgenfunction(behaviour):

            async def stream(asked: Any, context: Any) -> AsyncIterator[Any]:
                with self._timed(method, context):
                    async with aclosing(behaviour(asked, context)) as answers:
                        async for answer in answers:
                            yield answer

            return stream
        if inspect.iscoroutinefunction(behaviour):

            async def call(asked: Any, context: Any) -> Any:
                with self._timed(method, context):
                    return await behaviour(asked, context)

            return call
        return None

    @contextmanager
    def _timed(self, method: str, context: Any) -> Iterator[None]:
        began_s = time.monotonic()
        code = ""
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            code = grpc.StatusCode.CANCELLED.name
            raise
        except BaseException:
            code = _code(context)
            code = grpc.StatusCode.UNKNOWN.name if code == grpc.StatusCode.OK.name else code
            raise
        finally:
            self._calls.ended(method, code or _code(context), time.monotonic() - began_s)


def _code(context: Any) -> str:
    """Return the name of the status that a call ends with; the library says it as a number or as its name."""
    code = context.code()
    if isinstance(code, grpc.StatusCode):
        return code.name
    return next((one.name for one in grpc.StatusCode if one.value[0] == code), grpc.StatusCode.OK.name)
