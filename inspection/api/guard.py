"""What every call passes before a service sees it: identity, role, rate, number of streams, request id, audit log."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor
from typing import Any, Never, cast

import grpc
from google.protobuf.message import DecodeError

from inspection.api.admission import Admission
from inspection.api.answers import Context, to_refusal, to_status
from inspection.api.audit import Audit
from inspection.api.callers import CALLER, metadata_of, peer_host
from inspection.api.command import Command, command_of
from inspection.api.errors import RefusedError
from inspection.api.held_context import HeldAbortError, HeldContext
from inspection.api.open_streams import OpenStream, OpenStreams
from inspection.api.options import SecurityOptions
from inspection.api.outcome import Outcome
from inspection.api.request_ids import RequestIds
from inspection.api.roles import METHODS
from inspection.api.roles import Access as Row
from inspection.records.entries import EntryBook

_LOOK_EVERY_S = 0.5
_STATE_S = 1.0
_Inner = Callable[[Any, Context], Any]
_Take = Callable[[Any], Awaitable[Any]]


class Guard(grpc.aio.ServerInterceptor):
    """Stands before all services. Owned by the server; event loop only, but for what waits on `writes` and `states`.

    The order: who calls; may he (a method without a row is refused); does he call too often; has he too many streams
    open; was this request carried out before; and for a command the audit log. Nothing that fails here lets a call in.
    """

    def __init__(
        self,
        options: SecurityOptions,
        book: EntryBook | None,
        state: Callable[[], str],
        writes: Executor,
        states: Executor,
    ) -> None:
        """state: what the line does now, for the audit log; may block. Raises AccessFileError."""
        self._admission = Admission(options)
        self._streams = OpenStreams(options.streams_per_client)
        self._state = state
        self._states = states
        self._audit = Audit(book, writes)
        self._ids = RequestIds(self._audit)
        self._wrapped: dict[str, tuple[Any, Any]] = {}
        self._running: set[asyncio.Task[Any]] = set()

    def trouble(self) -> str:
        """Return why nobody can be admitted with a token now, '' for nothing; from any thread."""
        return self._admission.trouble()

    async def run(self) -> None:
        """Twice a second, end the streams of callers who may not go on; until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            self._streams.end_gone(self._admission.gone)

    async def finish(self, timeout_s: float) -> None:
        """Let commands whose clients have gone come to their end and be written down; bounded."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=timeout_s)

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], details: Any) -> Any:
        """Return the method's own handler with the guard around it; None where no service has the method."""
        handler = await continuation(details)
        if handler is None:
            return None
        known = self._wrapped.get(details.method)
        if known is None or known[0] is not handler:
            known = self._wrapped[details.method] = (handler, self._around(details.method, handler))
        return known[1]

    def _around(self, method: str, handler: Any) -> Any:
        inner = next(
            one
            for one in (handler.unary_unary, handler.unary_stream, handler.stream_unary, handler.stream_stream)
            if one
        )
        row = METHODS.get(method)
        # Every method takes its request as a stream, so that grpc reads nothing before the caller is admitted: who has
        # no token fills no memory with messages.
        take = _as_it_comes if handler.request_streaming else _single
        serialize = handler.response_serializer
        if handler.response_streaming:
            guarded = _without_traces(self._guarded_stream(method, row, inner, take))
            return grpc.stream_stream_rpc_method_handler(guarded, handler.request_deserializer, serialize)
        guarded = _without_traces(self._guarded_answer(method, row, inner, take, serialize))
        is_command = row is not None and row.is_command  # its answer is bytes already, as it is kept
        return grpc.stream_unary_rpc_method_handler(
            guarded, handler.request_deserializer, None if is_command else serialize
        )

    def _guarded_answer(
        self, method: str, row: Row | None, inner: _Inner, take: _Take, serialize: Callable[[Any], bytes]
    ) -> _Inner:
        async def answer(requests: Any, context: Context) -> Any:
            try:
                caller = self._admission.admit(method, row, context)
                CALLER.set(caller.name)
                assert row is not None
                request = await take(requests)
                if row.is_command:
                    command = command_of(method, row, caller, request, metadata_of(context))
            except Exception as error:  # noqa: BLE001 - the edge of one call: whatever it is, the call is refused
                return await self._refuse(method, context, error)
            if not row.is_command:
                return await inner(request, context)

            return await self._command(command, lambda: _outcome(inner, request, context, serialize), context)

        return answer

    def _guarded_stream(self, method: str, row: Row | None, inner: _Inner, take: _Take) -> _Inner:
        async def stream(requests: Any, context: Context) -> None:
            try:
                caller = self._admission.admit(method, row, context)
                CALLER.set(caller.name)
                assert row is not None
                request = await take(requests)
                command = command_of(method, row, caller, request, metadata_of(context)) if row.is_command else None
                with self._streams.place(caller) as place:
                    await self._stream(inner, request, context, command, place)
            except (RefusedError, DecodeError) as error:
                await self._refuse(method, context, error)

        return stream

    async def _stream(
        self, inner: _Inner, request: Any, context: Context, command: Command | None, place: OpenStream
    ) -> None:
        """Hand on what the service sends. Raises RefusedError when the caller may not go on."""
        try:
            if command is None:
                await _pump(inner, request, context)
            else:
                await self._command_stream(command, lambda: _pump(inner, request, context), context)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if place.refusal is None or task is None:
                raise
            task.uncancel()
            raise place.refusal from None

    async def _command(self, command: Command, carry_out: Callable[[], Awaitable[Outcome]], context: Context) -> Any:
        """Carry a command out to its end, also when its client has gone meanwhile, and return the answer."""

        async def audited() -> Outcome:
            before = await self._state_now()
            await self._audit.asked(command, before)
            outcome = await carry_out()
            await self._audit.done(command, outcome, before, await self._state_now())
            return outcome

        # A stop may be repeated without harm, so no id – perhaps one used twice by mistake – keeps it from being done.
        is_once = bool(command.request_id) and not command.access.stops
        working: asyncio.Task[Outcome]
        working = asyncio.ensure_future(self._ids.once(command, audited) if is_once else audited())
        self._running.add(working)
        working.add_done_callback(self._running.discard)
        try:
            outcome = await asyncio.shield(working)
        except RefusedError as refusal:
            return await self._end(context, refusal)
        return await outcome.tell(context)

    async def _command_stream(self, command: Command, pump: Callable[[], Awaitable[None]], context: Context) -> None:
        """Carry out a command that answers with a stream. An id that comes again is refused: a stream is not kept."""
        is_first = False

        async def begun() -> Outcome:
            nonlocal is_first
            await self._audit.asked(command, before)
            is_first = True
            return Outcome(grpc.StatusCode.OK, b"")

        before = await self._state_now()
        if command.request_id:
            await self._ids.once(command, begun)
        else:
            await begun()
        if not is_first:
            text = (
                f"request id {command.request_id} was carried out before — its stream is not kept — watch by its status"
            )
            raise RefusedError(grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID", text)
        outcome = Outcome(grpc.StatusCode.CANCELLED)
        try:
            await pump()
            outcome = Outcome(grpc.StatusCode.OK, b"")
        except Exception:
            outcome = Outcome.of_context(context)
            raise
        finally:
            writing = asyncio.ensure_future(self._audit.done(command, outcome, before, await self._state_now()))
            self._running.add(writing)
            writing.add_done_callback(self._running.discard)
            await asyncio.shield(writing)

    async def _refuse(self, method: str, context: Context, error: Exception) -> Never:
        refusal = to_refusal(error)
        if refusal.code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
            await self._audit.refused(method, self._admission.known(context), peer_host(context.peer()), refusal)
        await self._end(context, refusal)

    @staticmethod
    async def _end(context: Context, refusal: RefusedError) -> Never:
        status = to_status(refusal)
        await context.abort(status.code, status.details or "", status.trailing_metadata or ())

    async def _state_now(self) -> str:
        """Return what the line does, for the audit log; '' when it does not say within a second."""
        asking = asyncio.get_running_loop().run_in_executor(self._states, self._state)
        try:
            return await asyncio.wait_for(asking, _STATE_S)
        except Exception:  # noqa: BLE001 - a station that cannot say its state must still be stoppable
            return ""


def _without_traces(handler: _Inner) -> _Inner:
    """Have a call that ends with an error keep nothing of it.

    grpc remembers the exception with the call; by its traceback that keeps each frame, with them the request, and all
    of it itself: large requests would stay in memory until the next gc.
    """

    async def answer(requests: Any, context: Context) -> Any:
        try:
            return await handler(requests, context)
        except grpc.aio.AbortError as ended:
            ended.__context__ = None
            raise ended.with_traceback(None)  # noqa: B904 - it is the same error

    return answer


async def _as_it_comes(requests: Any) -> Any:
    return requests


async def _single(requests: Any) -> Any:
    """Return the one request of a call. Raises RefusedError when none came, DecodeError for one that cannot be read."""
    async with contextlib.aclosing(aiter(requests)) as coming:  # left open it would keep the request
        async for request in coming:
            return request
    text = "this call has no request — exactly one message is needed — send it, even when it is empty"
    raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT, "REQUEST", text)


async def _outcome(inner: _Inner, request: Any, context: Context, serialize: Callable[[Any], bytes]) -> Outcome:
    """Have the service carry a command out. It ends no call here, so that audit log and repeats come first."""
    held = HeldContext(context)
    try:
        return Outcome(grpc.StatusCode.OK, serialize(await inner(request, cast(Context, held))))
    except HeldAbortError as ended:
        return ended.outcome
    except Exception as error:  # noqa: BLE001 - the edge of one call: its client is told
        if context.code() is grpc.StatusCode.UNIMPLEMENTED:
            return Outcome(grpc.StatusCode.UNIMPLEMENTED, text="this station does not have this command")
        return Outcome.of_refusal(to_refusal(error))


async def _pump(inner: _Inner, request: Any, context: Context) -> None:
    """Send what a service yields; one that writes by itself is only waited for."""
    answers = inner(request, context)
    if not inspect.isasyncgen(answers):
        await answers
        return
    stream: AsyncIterator[Any] = answers
    async with contextlib.aclosing(answers):
        async for answer in stream:
            await context.write(answer)
