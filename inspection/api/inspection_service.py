"""InspectionService: judge images apart from the line, one by one or as a stream."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import Executor, Future

import grpc

from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc
from inspection.api.answers import Context, streaming, unary
from inspection.api.errors import RefusedError
from inspection.api.images import request_pixels
from inspection.api.inspect_stream import InspectPipeline
from inspection.api.messages import inspect_message
from inspection.api.peers import is_on_this_machine
from inspection.api.refusals import carried_out
from inspection.control import BusyError, LineControl

MAX_WAITING = 8
DEFAULT_TIMEOUT_S = 10.0
MAX_TIMEOUT_S = 30.0
MAX_STREAMS = 4  # each keeps a few whole messages in memory
MAX_STREAMED = 4
_RETRY_STREAM_S = 1.0


class Allowance:
    """The time that one call has, from the moment it arrived; safe in any thread."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._deadline_host_ns = time.monotonic_ns() + round(timeout_s * 1e9)

    def left_s(self) -> float:
        """Return the seconds that are left. Raises RefusedError (DEADLINE_EXCEEDED, reason DEADLINE) when none are."""
        left_s = (self._deadline_host_ns - time.monotonic_ns()) * 1e-9
        if left_s <= 0:
            raise RefusedError(
                grpc.StatusCode.DEADLINE_EXCEEDED,
                "DEADLINE",
                f"the image was not judged within {self._timeout_s:.3g} s, the time that this call had — allow up to "
                f"{MAX_TIMEOUT_S:g} s, or send a smaller image",
            )
        return left_s


class InspectionService(pb_grpc.InspectionServiceServicer):
    """Decodes and judges in `workers`, a few at a time, so that images from outside never pile up in memory.

    Owned by the server; its methods run on the server's event loop. Overflow policy: beyond `MAX_WAITING` single images
    at a time the next is refused (BUSY); images of streams wait for their turn, and hold their own stream up. Each
    worker takes up an image no longer than its client waits for it.
    """

    def __init__(self, control: LineControl, workers: Executor) -> None:
        self._control = control
        self._workers = workers
        self._lock = threading.Lock()
        self._waiting = 0
        self._streams = 0
        self._turns = asyncio.Semaphore(MAX_STREAMED)

    @unary
    async def Inspect(  # noqa: N802 - the name in the proto
        self, request: pb.InspectRequest, context: Context
    ) -> pb.InspectResponse:
        """Judge one image with the station's model and threshold."""
        allowance = Allowance(_timeout_s(request, context.time_remaining()))
        _refuse_far_memory(request, context)
        with self._lock:
            if self._waiting >= MAX_WAITING:
                raise BusyError(
                    f"{self._waiting} images wait to be judged — {MAX_WAITING} may — send the next after an answer"
                )
            self._waiting += 1
        work = self._workers.submit(self._judge, request, allowance)
        work.add_done_callback(self._done)
        return await asyncio.wrap_future(work)

    @streaming
    async def InspectStream(  # noqa: N802 - the name in the proto
        self, requests: AsyncIterator[pb.InspectStreamRequest], context: Context
    ) -> AsyncIterator[pb.InspectStreamResponse]:
        """Judge images one after the other, several on their way."""

        async def judge(request: pb.InspectRequest) -> pb.InspectResponse:
            allowance = Allowance(_timeout_s(request, context.time_remaining()))
            _refuse_far_memory(request, context)
            async with self._turns:
                return await asyncio.wrap_future(self._workers.submit(self._judge, request, allowance))

        if self._streams >= MAX_STREAMS:
            raise RefusedError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "WATCHERS",
                f"{self._streams} streams of images are open — {MAX_STREAMS} may be — close one",
                retry_after_s=_RETRY_STREAM_S,
            )
        self._streams += 1
        try:
            async with contextlib.aclosing(InspectPipeline(requests, judge).answers()) as answers:
                async for answer in answers:
                    yield answer
        finally:
            self._streams -= 1

    def _judge(self, request: pb.InspectRequest, allowance: Allowance) -> pb.InspectResponse:
        allowance.left_s()
        pixels = request_pixels(request)
        try:
            decision = carried_out(self._control, lambda: self._control.inspect(pixels, allowance.left_s()))
        except BusyError:
            allowance.left_s()  # an answer that came too late is DEADLINE_EXCEEDED, whatever kept it
            raise
        return inspect_message(decision, self._control.status().bundle_digest)

    def _done(self, _: Future[pb.InspectResponse]) -> None:
        with self._lock:
            self._waiting -= 1


def _timeout_s(request: pb.InspectRequest, remaining_s: float | None) -> float:
    """Return how long an answer may take: the call's deadline, or less where the request says so."""
    asked_s = request.timeout_ms * 1e-3 or DEFAULT_TIMEOUT_S
    if remaining_s is None:
        return min(asked_s, MAX_TIMEOUT_S)
    return min(remaining_s, asked_s if request.timeout_ms else MAX_TIMEOUT_S, MAX_TIMEOUT_S)


def _refuse_far_memory(request: pb.InspectRequest, context: Context) -> None:
    """Refuse shared memory to whoever is on another machine: it would be memory of ours. Raises RefusedError."""
    if request.WhichOneof("image") == "shared" and not is_on_this_machine(context.peer()):
        raise RefusedError(
            grpc.StatusCode.PERMISSION_DENIED,
            "SHARED_MEMORY",
            "shared memory was named from another machine — it is for clients on the station's own — send `raw`",
            field="shared",
        )
