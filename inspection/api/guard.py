"""What every call passes before a service sees it: identity, role, rate, number of streams, request id, audit log."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Never, cast

import grpc

from inspection.api.access import Access
from inspection.api.answers import Context, to_refusal, to_status
from inspection.api.audit import Audit
from inspection.api.buckets import Buckets
from inspection.api.callers import Caller, Callers, metadata_of, peer_host
from inspection.api.command import Command, command_of
from inspection.api.errors import RefusedError
from inspection.api.held_context import HeldAbortError, HeldContext
from inspection.api.options import SecurityOptions
from inspection.api.outcome import Outcome
from inspection.api.request_ids import RequestIds
from inspection.api.roles import METHODS
from inspection.api.roles import Access as Row
from inspection.records.entries import EntryBook

_log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.5
_STATE_S = 1.0
_LOOK_AGAIN_S = 1.0
_SECONDS_AT_ONCE = 2.0  # a bucket holds what flows in within so long
_WRONG_TOKENS_PER_S, _WRONG_TOKENS_AT_ONCE = 0.2, 10
_Inner = Callable[[Any, Context], Any]


@dataclass(slots=True, eq=False)
class _OpenStream:
    caller: Caller
    task: asyncio.Task[Any] | None
    refusal: RefusedError | None = None


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
        self._options = options
        self._callers = Callers(None if options.tokens is None else Access(options.tokens))
        self._state = state
        self._states = states
        self._audit = Audit(book, writes)
        self._ids = RequestIds(self._audit)
        now_s = time.monotonic
        self._reads = Buckets(options.reads_per_s, options.reads_per_s * _SECONDS_AT_ONCE, now_s)
        self._commands = Buckets(options.commands_per_s, options.commands_per_s * _SECONDS_AT_ONCE, now_s)
        self._wrong_tokens = Buckets(_WRONG_TOKENS_PER_S, _WRONG_TOKENS_AT_ONCE, now_s)
        self._streams: dict[str, set[_OpenStream]] = {}
        self._wrapped: dict[str, tuple[Any, Any]] = {}
        self._running: set[asyncio.Task[Any]] = set()

    async def run(self) -> None:
        """Twice a second, end the streams of callers who may not go on; until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            for stream in [one for open_streams in self._streams.values() for one in open_streams]:
                refusal = self._callers.gone(stream.caller)
                if refusal is not None and stream.refusal is None and stream.task is not None:
                    stream.refusal = refusal
                    stream.task.cancel()

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
        if handler.response_streaming:
            guarded = self._guarded_stream(method, row, inner)
        else:
            guarded = self._guarded_answer(method, row, inner, handler.response_serializer)
        make = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[handler.request_streaming, handler.response_streaming]
        serialize = handler.response_serializer if handler.response_streaming or not _is_command(row) else None
        return make(guarded, handler.request_deserializer, serialize)

    def _guarded_answer(self, method: str, row: Row | None, inner: _Inner, serialize: Callable[[Any], bytes]) -> _Inner:
        async def answer(request: Any, context: Context) -> Any:
            try:
                caller = self._admit(method, row, context)
                assert row is not None
                if row.is_command:
                    command = command_of(method, row, caller, request, metadata_of(context))
            except Exception as error:  # noqa: BLE001 - the edge of one call: whatever it is, the call is refused
                return await self._refuse(method, context, error)
            if not row.is_command:
                return await inner(request, context)

            return await self._command(command, lambda: _outcome(inner, request, context, serialize), context)

        return answer

    def _guarded_stream(self, method: str, row: Row | None, inner: _Inner) -> _Inner:
        async def stream(request: Any, context: Context) -> None:
            try:
                caller = self._admit(method, row, context)
                assert row is not None
                command = command_of(method, row, caller, request, metadata_of(context)) if row.is_command else None
                with self._place(caller) as place:
                    await self._stream(inner, request, context, command, place)
            except RefusedError as refusal:
                await self._refuse(method, context, refusal)

        return stream

    async def _stream(
        self, inner: _Inner, request: Any, context: Context, command: Command | None, place: _OpenStream
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

    def _admit(self, method: str, row: Row | None, context: Context) -> Caller:
        """Return who calls, when he may. Raises RefusedError with reason TOKEN_…, CERTIFICATE_…, ROLE or RATE."""
        peer = peer_host(context.peer())
        if row is not None and row.is_public:
            caller = Caller("", None, peer, f"peer {peer}")
        else:
            try:
                caller = self._callers.identify(context)
            except RefusedError:
                if wait_s := self._wrong_tokens.wait_s(peer):
                    raise _too_often("wrong or missing tokens", wait_s) from None
                raise
            if row is None or caller.role not in row.roles:
                raise _not_allowed(method, row, caller)
        if row.is_command:
            wait_s = self._commands.wait_s((caller.key, method) if row.stops else caller.key)
        else:
            wait_s = self._reads.wait_s(caller.key)
        if wait_s:
            raise _too_often("calls", wait_s)
        return caller

    @contextlib.contextmanager
    def _place(self, caller: Caller) -> Iterator[_OpenStream]:
        """Hold one of a caller's places for streams. Raises RefusedError (RESOURCE_EXHAUSTED, reason STREAMS)."""
        most = self._options.streams_per_client
        held = self._streams.setdefault(caller.key, set())
        if len(held) >= most:
            raise RefusedError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "STREAMS",
                f"{caller.name or 'a client'} has {most} streams open — no more are allowed to one caller — end some, "
                "or raise api.streams_per_client",
                metadata={"streams": str(most)},
                retry_after_s=_LOOK_AGAIN_S,
            )
        place = _OpenStream(caller, asyncio.current_task())
        held.add(place)
        try:
            yield place
        finally:
            held.discard(place)
            if not held:
                self._streams.pop(caller.key, None)

    async def _refuse(self, method: str, context: Context, error: Exception) -> Never:
        refusal = to_refusal(error)
        if refusal.code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
            caller = None
            with contextlib.suppress(RefusedError):
                caller = self._callers.identify(context)
            await self._audit.refused(method, caller, peer_host(context.peer()), refusal)
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


def _is_command(row: Row | None) -> bool:
    return row is not None and row.is_command


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


def _not_allowed(method: str, row: Row | None, caller: Caller) -> RefusedError:
    name = method.rpartition("/")[2]
    needed = ", ".join(sorted(row.roles)) if row is not None else ""
    text = f"{caller.name} is {caller.role} — {name} is for {needed or 'nobody'} — use a token of such a role"
    metadata = {"role": str(caller.role), "needed": needed, "method": method}
    return RefusedError(grpc.StatusCode.PERMISSION_DENIED, "ROLE", text, metadata=metadata)


def _too_often(what: str, wait_s: float) -> RefusedError:
    return RefusedError(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "RATE",
        f"too many {what} — api.reads_per_s and api.commands_per_s say how many — wait {wait_s:.2g} s",
        retry_after_s=wait_s,
    )
