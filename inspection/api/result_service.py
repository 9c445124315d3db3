"""ResultService: durable records as a stream that can be resumed, and their images."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from typing import TypeVar, TypeVarTuple

import grpc

from inspection.api.answers import Context, streaming, unary
from inspection.api.errors import RefusedError
from inspection.api.feed import ResultFeed
from inspection.api.pb import inspection_pb2 as pb
from inspection.api.pb import inspection_pb2_grpc as pb_grpc
from inspection.api.tail import ResultTail, responses_after
from inspection.api.token import Place, read_place, resume
from inspection.api.watchers import Watchers
from inspection.records.errors import RecordMissingError

MAX_WATCHERS = 64
_STORE_BATCH = 128
_MESSAGE_ROOM_BYTES = 4096
_Answer = TypeVar("_Answer")
_Args = TypeVarTuple("_Args")


class ResultService(pb_grpc.ResultServiceServicer):
    """Each watcher goes at its own pace: from the tail while it keeps up, from the store while it does not.

    Owned by the server; its methods run on the server's event loop, whatever reads the disk in `reads`.
    """

    def __init__(self, feed: ResultFeed, tail: ResultTail, reads: Executor, max_message_bytes: int) -> None:
        self._feed = feed
        self._tail = tail
        self._reads = reads
        self._max_message_bytes = max_message_bytes
        self._watchers = Watchers("results", MAX_WATCHERS)

    def stop(self) -> None:
        """End every stream with UNAVAILABLE, in their own time."""
        self._watchers.stop()
        self._tail.wake()

    @streaming
    async def WatchResults(  # noqa: N802 - the name in the proto
        self, request: pb.WatchResultsRequest, context: Context
    ) -> AsyncIterator[pb.WatchResultsResponse]:
        """Stream every record after the token."""
        self._watchers.admit(context)
        place = await self._begin(request)
        if request.only_new:
            yield pb.WatchResultsResponse(resume_token=place.token())
        sequence = place.sequence
        while True:
            self._watchers.check()
            responses = self._tail.after(sequence)
            if responses is None:
                responses = await self._stored(sequence)
            for response in responses:
                self._watchers.check()
                yield response
                sequence = response.result.sequence
            if not responses:
                if self._tail.failure is not None:
                    raise self._tail.failure
                await self._tail.wait_beyond(sequence)

    @unary
    async def GetResultImage(  # noqa: N802 - the name in the proto
        self, request: pb.GetResultImageRequest, _context: Context
    ) -> pb.GetResultImageResponse:
        """Return the stored image of one record."""
        found = await self._read(self._image, request.sequence)
        if found is None:
            raise _no_image("IMAGE", f"record {request.sequence} has no image (any more); its has_image says so")
        data, content_type = found
        if len(data) + _MESSAGE_ROOM_BYTES > self._max_message_bytes:
            raise RefusedError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "MESSAGE_SIZE",
                f"the image of record {request.sequence} has {len(data)} bytes — a message may have "
                f"{self._max_message_bytes} — raise api.max_message_mb, or keep images as jpeg",
            )
        return pb.GetResultImageResponse(data=data, content_type=content_type)

    async def _begin(self, request: pb.WatchResultsRequest) -> Place:
        if request.only_new and request.resume_token:
            raise RefusedError(
                grpc.StatusCode.INVALID_ARGUMENT,
                "TOKEN",
                "only_new came together with a resume token — one of them is needed — leave only_new out to resume",
                field="only_new",
            )
        if request.only_new:
            return await self._read(lambda: read_place(self._feed, self._feed.last_sequence()))
        return await self._read(resume, self._feed, request.resume_token) if request.resume_token else Place()

    async def _stored(self, sequence: int) -> list[pb.WatchResultsResponse]:
        return await self._read(self._read_stored, sequence)

    def _read_stored(self, sequence: int) -> list[pb.WatchResultsResponse]:
        place = read_place(self._feed, sequence)
        return responses_after(place, self._feed.after(sequence, _STORE_BATCH))[0]

    def _image(self, sequence: int) -> tuple[bytes, str] | None:
        last = self._feed.last_sequence()
        if not 1 <= sequence <= last:
            raise _no_image("RECORD", f"record {sequence} does not exist — records 1 to {last} do")
        try:
            return self._feed.image(sequence)
        except RecordMissingError as error:
            raise _no_image("RECORD", str(error)) from error

    async def _read(self, function: Callable[[*_Args], _Answer], *arguments: *_Args) -> _Answer:
        return await asyncio.get_running_loop().run_in_executor(self._reads, function, *arguments)


def _no_image(reason: str, text: str) -> RefusedError:
    return RefusedError(grpc.StatusCode.NOT_FOUND, reason, text, field="sequence")
