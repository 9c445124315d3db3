"""The audit log of the API: what each caller asked for, and what came of it, written down before the answer goes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import grpc

from inspection.api.buckets import Buckets
from inspection.api.callers import Caller
from inspection.api.command import Command
from inspection.api.errors import RefusedError
from inspection.api.outcome import Outcome
from inspection.api.written_ids import WrittenIds
from inspection.records.entries import Entry, EntryBook, EntryKind, StoredEntry
from inspection.records.errors import RecordDiskError

_log = logging.getLogger(__name__)

ASKED, DONE, REFUSED = "asked", "done", "refused"
_RETRY_S = 1.0
_STOP_WAITS_S = 2.0  # a stop's answer waits no longer for a disk
# One who guesses tokens must not fill the disk: so many refusals are written down, the others counted.
_PEER_PER_S, _PEER_AT_ONCE = 1 / 60, 10
_ALL_PER_S, _ALL_AT_ONCE = 10 / 60, 100


class Audit:
    """Writes entries for the guard, on the threads of `writes`; the methods belong to the event loop.

    A command has two: ASKED before it is carried out, DONE with what came of it. So one that cannot be written down is
    not carried out, and one that a crash interrupted is seen as such. A stop has DONE alone, and never waits for long.
    """

    def __init__(self, book: EntryBook | None, writes: Executor, now_s: Callable[[], float] = time.monotonic) -> None:
        """book: None where the station keeps no entries; then the log has one line for each command."""
        self._book = book
        self._ids = None if book is None else WrittenIds(book)
        self._writes = writes
        self._by_peer = Buckets(_PEER_PER_S, _PEER_AT_ONCE, now_s)
        self._in_all = Buckets(_ALL_PER_S, _ALL_AT_ONCE, now_s)
        self._untold = 0

    async def asked(self, command: Command, before: str) -> None:
        """Write that a command was asked for. Raises RefusedError (UNAVAILABLE, reason AUDIT) when that fails."""
        if command.access.stops:
            return
        if not await self._note(_entry(command, ASKED, before=before)):
            raise RefusedError(
                grpc.StatusCode.UNAVAILABLE,
                "AUDIT",
                "this command cannot be written down, so it was not carried out — look at the disk of the records and "
                "the station's log; stopping works",
                retry_after_s=_RETRY_S,
            )

    async def done(self, command: Command, outcome: Outcome, before: str, after: str) -> None:
        """Write what came of a command; what cannot be written is in the log, and the answer is given all the same."""
        entry = _entry(command, DONE, before=before, after=after, outcome=outcome.as_json())
        caller = command.caller
        _log.info("%s by %s from %s: %s", command.method, caller.name or "nobody", caller.peer, outcome.code.name)
        if not command.access.stops:
            await self._note(entry)
            return
        writing = asyncio.ensure_future(self._note(entry))
        await asyncio.wait({writing}, timeout=_STOP_WAITS_S)

    async def refused(self, method: str, caller: Caller | None, peer: str, refusal: RefusedError) -> None:
        """Write that somebody was turned away, unless that happens too often: then the next entry has the number."""
        if self._by_peer.wait_s(peer) or self._in_all.wait_s("all"):
            self._untold += 1
            return
        untold, self._untold = self._untold, 0
        content: dict[str, Any] = {"phase": REFUSED, "peer": peer, "code": refusal.code.name, "reason": refusal.reason}
        content |= {"role": str(caller.role) if caller is not None else "", "not_written_before": untold}
        who = caller.name if caller is not None else ""
        _log.warning("%s was refused to %s from %s: %s", method, who or "somebody", peer, refusal.reason)
        await self._note(Entry(EntryKind.AUDIT, method, who, time.time_ns(), content))

    async def find(self, caller: str, request_id: str) -> list[StoredEntry]:
        """Return what is written of a request id among a caller's last commands, newest first."""
        if self._ids is None:
            return []
        return await asyncio.get_running_loop().run_in_executor(self._writes, self._ids.find, caller, request_id)

    async def _note(self, entry: Entry) -> bool:
        if self._book is None:
            _log.info("%s %s by %s: %s", entry.subject, entry.content["phase"], entry.who or "nobody", entry.content)
            return True
        try:
            await asyncio.get_running_loop().run_in_executor(self._writes, self._book.note, entry)
        except (RecordDiskError, OSError) as error:  # its sentence says all: a traceback at each call fills the log
            _log.error("%s %s by %s is not written down: %s", entry.subject, entry.content["phase"], entry.who, error)
            return False
        except Exception:  # noqa: BLE001 - the edge to the records: the caller decides, and a stop must go on
            _log.exception("%s %s by %s could not be written down", entry.subject, entry.content["phase"], entry.who)
            return False
        return True


def _entry(command: Command, phase: str, **content: Any) -> Entry:
    caller = command.caller
    told = {
        "phase": phase,
        "role": str(caller.role or ""),
        "peer": caller.peer,
        "request_id": command.request_id,
        "fingerprint": command.fingerprint,
        "request": command.summary,
        **content,
    }
    return Entry(EntryKind.AUDIT, command.method, caller.name, time.time_ns(), told)
