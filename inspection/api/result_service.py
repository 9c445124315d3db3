"""ResultService: durable records as a stream that can be resumed, in pages, and one by one with image and reviews."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from typing import TypeVar, TypeVarTuple

import grpc

from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc
from inspection.api.answers import Context, streaming, to_refusal, unary
from inspection.api.callers import caller_name
from inspection.api.errors import RefusedError
from inspection.api.feed import ResultFeed
from inspection.api.messages import result_message
from inspection.api.paging import no_token, page_begin_at, page_size, page_token
from inspection.api.result_filter import search_of
from inspection.api.reviews import review_entry, review_message, reviews_of
from inspection.api.stored_pages import StoredPages
from inspection.api.tail import ResultTail
from inspection.api.token import Place, read_place, resume
from inspection.api.watchers import Watchers
from inspection.records.entries import EntryBook
from inspection.records.errors import RecordLostError, RecordMissingError
from inspection.records.paced_search import PAGE_S
from inspection.records.record import StoredRecord

MAX_WATCHERS = 128
CHUNK_BYTES = 256 * 1024
_Answer = TypeVar("_Answer")
_Args = TypeVarTuple("_Args")


class ResultService(pb_grpc.ResultServiceServicer):
    """Each watcher goes at its own pace: from the tail while it keeps up, from the store while it does not.

    Owned by the server; its methods run on the server's event loop, whatever reads the disk in `reads`.
    """

    def __init__(
        self,
        feed: ResultFeed,
        tail: ResultTail,
        reads: Executor,
        entries: EntryBook | None = None,
        questions: Callable[[], list[StoredRecord]] = list,
    ) -> None:
        """entries: where reviews are kept; None where none can be. questions: records that wait for a review."""
        self._feed = feed
        self._tail = tail
        self._reads = reads
        self._entries = entries
        self._questions = questions
        self._watchers = Watchers("results", MAX_WATCHERS)
        self._stored = StoredPages(feed, reads)

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
                responses = await self._stored.after(sequence)
            for response in responses:
                self._watchers.check()
                yield response
                sequence = response.result.sequence
            if not responses:
                if self._tail.failure is not None:
                    raise self._tail.failure
                await self._tail.wait_beyond(sequence)

    @unary
    async def ListResults(  # noqa: N802 - the name in the proto
        self, request: pb.ListResultsRequest, _context: Context
    ) -> pb.ListResultsResponse:
        """Return records that fit a filter, page by page."""
        search, size = search_of(request.filter), page_size(request.page_size)
        of = (request.filter, request.oldest_first)
        last = page_begin_at(request.page_token, *of)
        try:
            found = await self._read(
                lambda: self._feed.search_for(
                    search, within_s=PAGE_S, limit=size, newest_first=not request.oldest_first, before_sequence=last
                )
            )
        except RecordMissingError as error:  # only the token names a record
            raise no_token(request.page_token) from error
        sound: list[StoredRecord] = []
        behind = found.behind
        for one in found.records:  # a page ends before a damaged record, so that none is left out in silence
            if isinstance(one, RecordLostError):
                if not sound:
                    raise _behind(one, page_token(str(one.row), *of))
                behind = sound[-1].sequence
                break
            sound.append(one)
        token = "" if behind is None else page_token(str(behind), *of)
        return pb.ListResultsResponse(results=[result_message(one) for one in sound], next_page_token=token)

    @unary
    async def GetResult(  # noqa: N802 - the name in the proto
        self, request: pb.GetResultRequest, _context: Context
    ) -> pb.GetResultResponse:
        """Return one record with its reviews."""

        def read() -> pb.GetResultResponse:
            record = self._record(request.sequence)
            reviews = [] if self._entries is None else reviews_of(self._entries, record.sequence)
            return pb.GetResultResponse(result=result_message(record), reviews=reviews)

        return await self._read(read)

    @streaming
    async def GetResultImage(  # noqa: N802 - the name in the proto
        self, request: pb.GetResultImageRequest, _context: Context
    ) -> AsyncIterator[pb.GetResultImageResponse]:
        """Stream the stored image of one record in pieces."""
        record, (data, content_type) = await self._read(self._image, request.sequence)
        first = pb.GetResultImageResponse(
            data=data[:CHUNK_BYTES], content_type=content_type, size_bytes=len(data), sha256=record.image_sha256
        )
        yield first
        for start in range(CHUNK_BYTES, len(data), CHUNK_BYTES):
            yield pb.GetResultImageResponse(data=data[start : start + CHUNK_BYTES])

    @unary
    async def ReviewResult(  # noqa: N802 - the name in the proto
        self, request: pb.ReviewResultRequest, _context: Context
    ) -> pb.ReviewResultResponse:
        """Write a human verdict beside the machine's."""
        caller, book = caller_name(), self._entries
        if book is None:
            raise RefusedError(grpc.StatusCode.UNIMPLEMENTED, "NO_ENTRIES", "this server keeps no entries")

        def write() -> pb.Review:
            record = self._record(request.sequence)
            return review_message(book.note(review_entry(request, record, caller)))

        return pb.ReviewResultResponse(review=await self._read(write))

    @unary
    async def ListQuestions(  # noqa: N802 - the name in the proto
        self, _request: pb.ListQuestionsRequest, _context: Context
    ) -> pb.ListQuestionsResponse:
        """Return the parts whose serial number waits for a person's answer."""
        waiting = await self._read(self._questions)
        return pb.ListQuestionsResponse(results=[result_message(record) for record in waiting])

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

    def _record(self, sequence: int) -> StoredRecord:
        last = self._feed.last_sequence()
        if not 1 <= sequence <= last:
            raise _missing("RECORD", f"record {sequence} does not exist — records 1 to {last} do")
        try:
            return self._feed.get(sequence)
        except RecordMissingError as error:
            raise _missing("RECORD", str(error)) from error

    def _image(self, sequence: int) -> tuple[StoredRecord, tuple[bytes, str]]:
        record, found = self._record(sequence), self._feed.image(sequence)
        if found is None:
            raise _missing(
                "IMAGE", f"record {sequence} has no image that can be given: {self._feed.whereabouts(record)}"
            )
        return record, found

    async def _read(self, function: Callable[[*_Args], _Answer], *arguments: *_Args) -> _Answer:
        return await asyncio.get_running_loop().run_in_executor(self._reads, function, *arguments)


def _behind(damaged: RecordLostError, token: str) -> RefusedError:
    """Return the refusal of a page that begins with a damaged record; its metadata lead on behind that one."""
    refusal = to_refusal(damaged)
    metadata = {**refusal.metadata, "next_page_token": token}
    return RefusedError(refusal.code, refusal.reason, str(refusal), metadata=metadata)


def _missing(reason: str, text: str) -> RefusedError:
    return RefusedError(grpc.StatusCode.NOT_FOUND, reason, text, field="sequence")
