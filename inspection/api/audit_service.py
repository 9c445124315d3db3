"""AuditService: the book of entries, and the proof that nothing in the records was changed."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from typing import TypeVar

import grpc

from inspection.api import v1 as pb
from inspection.api import v1_grpc as pb_grpc
from inspection.api.answers import Context, streaming, unary
from inspection.api.callers import caller_name
from inspection.api.errors import RefusedError
from inspection.api.feed import ResultFeed
from inspection.api.hold_messages import asked_hold, hold_message
from inspection.api.paging import page_begin_at, page_size, page_token
from inspection.api.watchers import Watchers
from inspection.records.entries import EntryBook, EntryKind, StoredEntry
from inspection.records.errors import HoldError
from inspection.records.holds import active_holds, add_hold, hold_of, release_hold
from inspection.records.verify import VerifyReport

MAX_VERIFIERS = 1
_TELL_S = 0.5
_Answer = TypeVar("_Answer")
_KINDS = {kind: pb.EntryKind.Value(f"ENTRY_KIND_{kind}") for kind in EntryKind}
_WORDS = {number: kind for kind, number in _KINDS.items()}


class AuditService(pb_grpc.AuditServiceServicer):
    """Owned by the server; its methods run on the server's event loop, what reads the disk in `reads` and `checks`."""

    def __init__(self, feed: ResultFeed, entries: EntryBook, reads: Executor, checks: Executor) -> None:
        """checks: one thread, for the check of the whole store."""
        self._feed, self._entries, self._reads, self._checks = feed, entries, reads, checks
        self._watchers = Watchers("a check of the records", MAX_VERIFIERS)

    def stop(self) -> None:
        """End a check that is streamed with UNAVAILABLE; so does its thread."""
        self._watchers.stop()

    @unary
    async def ListEntries(  # noqa: N802 - the name in the proto
        self, request: pb.ListEntriesRequest, _context: Context
    ) -> pb.ListEntriesResponse:
        """Return entries that fit a filter, the newest first."""
        kind = _WORDS.get(request.kind)
        if request.kind and kind is None:
            text = f"kind is {request.kind} — a value of EntryKind is needed — leave it out for every kind"
            raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT, "FILTER", text, field="kind")
        size, of = page_size(request.page_size), (request.kind, request.subject, request.who)
        last = page_begin_at(request.page_token, *of)
        found = await asyncio.get_running_loop().run_in_executor(
            self._reads,
            lambda: self._entries.entries(
                kind=kind,
                subject=request.subject or None,
                who=request.who or None,
                after=last or 0,
                limit=size + 1,
                newest_first=True,
            ),
        )
        token = page_token(str(found[size - 1].sequence), *of) if len(found) > size else ""
        return pb.ListEntriesResponse(entries=[_message(one) for one in found[:size]], next_page_token=token)

    @streaming
    async def VerifyRecords(  # noqa: N802 - the name in the proto
        self, _request: pb.VerifyRecordsRequest, context: Context
    ) -> AsyncIterator[pb.VerifyRecordsResponse]:
        """Check the whole store and stream how far it is."""
        self._watchers.admit(context)
        done = [0, 0]
        nobody_waits = threading.Event()

        def progress(checked: int, total: int) -> None:
            done[:] = checked, total
            if nobody_waits.is_set():
                raise _AbandonedError

        checking = asyncio.get_running_loop().run_in_executor(self._checks, self._feed.verify, progress)
        try:
            while not checking.done():
                self._watchers.check()
                yield pb.VerifyRecordsResponse(checked=done[0], total=done[1])
                await asyncio.wait({checking}, timeout=_TELL_S)
            report = await checking
            yield pb.VerifyRecordsResponse(checked=report.records, total=report.records, report=_report(report))
        finally:
            nobody_waits.set()
            checking.cancel()  # where it has not begun yet

    @unary
    async def ListHolds(  # noqa: N802 - the name in the proto
        self, _request: pb.ListHoldsRequest, _context: Context
    ) -> pb.ListHoldsResponse:
        """Return the legal holds that hold now."""
        holds = await self._held(lambda: active_holds(self._entries))
        return pb.ListHoldsResponse(holds=[hold_message(hold) for hold in holds.values()])

    @unary
    async def PlaceHold(  # noqa: N802 - the name in the proto
        self, request: pb.PlaceHoldRequest, _context: Context
    ) -> pb.PlaceHoldResponse:
        """Keep the images of the records that fit from every removal."""
        who = caller_name()

        def place() -> StoredEntry:
            hold = asked_hold(request.hold)
            self._feed.require_there(hold)
            return add_hold(self._entries, hold, who, time.time_ns())

        stored = await self._held(place)
        placed = hold_of(stored.entry.subject, stored.entry.content)
        return pb.PlaceHoldResponse(hold=hold_message(placed), entry=stored.sequence)

    @unary
    async def ReleaseHold(  # noqa: N802 - the name in the proto
        self, request: pb.ReleaseHoldRequest, _context: Context
    ) -> pb.ReleaseHoldResponse:
        """Let rules and disk budget apply again."""
        who, name, reason = caller_name(), request.name.strip(), request.reason.strip()
        stored = await self._held(lambda: release_hold(self._entries, name, reason, who, time.time_ns()))
        return pb.ReleaseHoldResponse(entry=stored.sequence)

    async def _held(self, work: Callable[[], _Answer]) -> _Answer:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._reads, work)
        except HoldError as error:
            raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT, "HOLD", str(error), field="hold") from error


class _AbandonedError(Exception):
    """Nobody waits for a check any more; it ends the check's walk."""


def _message(stored: StoredEntry) -> pb.Entry:
    entry = stored.entry
    return pb.Entry(
        sequence=stored.sequence,
        kind=_KINDS[entry.kind],
        subject=entry.subject,
        who=entry.who,
        wall_ns=entry.wall_ns,
        content=json.dumps(dict(entry.content), ensure_ascii=False),
        record_sequence=stored.record_sequence,
        record_hash=stored.record_hash,
        entry_hash=stored.hash,
    )


def _report(report: VerifyReport) -> pb.VerifyReport:
    return pb.VerifyReport(
        is_intact=report.ok,
        records=report.records,
        images=report.images,
        challenges=report.challenges,
        entries=report.entries,
        problem_count=report.problem_count,
        problems=[problem.text for problem in report.problems],
        signed_records=report.signed.records,
        signed_wall_ns=report.signed.wall_ns,
        signing_keys=report.signed.keys,
    )
