"""The request ids that the audit log has of each caller's last commands."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from inspection.records.entries import EntryBook, EntryKind, StoredEntry

_LOOKED_BACK = 2000


@dataclass(slots=True)
class _Read:
    last: int = 0
    by_id: OrderedDict[str, list[StoredEntry]] = field(default_factory=OrderedDict)


class WrittenIds:
    """Reads a caller's last 2,000 entries once, and from then on those that are new: parsing them all for each command
    would take the interpreter from the line for tens of milliseconds. Owned by the audit log; any thread.
    """

    def __init__(self, book: EntryBook, looked_back: int = _LOOKED_BACK) -> None:
        self._book = book
        self._looked_back = looked_back
        self._callers: dict[str, _Read] = {}
        self._lock = threading.Lock()

    def find(self, caller: str, request_id: str) -> list[StoredEntry]:
        """Return the entries of an id, the newest first. Raises RecordsError and OSError; blocks on the disk."""
        with self._lock:
            read = self._callers.get(caller) or _Read()
            for entry in self._unread(caller, read.last):
                read.last = entry.sequence
                self._keep(read, entry)
            self._callers[caller] = read
            return list(read.by_id.get(request_id, ()))

    def _unread(self, caller: str, last: int) -> list[StoredEntry]:
        """Return entries after one, the oldest first; of a caller who is new here his last ones."""
        kind, limit = EntryKind.AUDIT, self._looked_back
        if not last:
            return self._book.entries(kind=kind, who=caller, limit=limit, newest_first=True)[::-1]
        found: list[StoredEntry] = []
        while more := self._book.entries(kind=kind, who=caller, after=last, limit=limit):
            found += more
            last = more[-1].sequence
        return found

    def _keep(self, read: _Read, entry: StoredEntry) -> None:
        request_id = str(entry.entry.content.get("request_id", ""))
        if request_id:
            read.by_id.setdefault(request_id, []).insert(0, entry)
        while len(read.by_id) > self._looked_back:
            read.by_id.popitem(last=False)
