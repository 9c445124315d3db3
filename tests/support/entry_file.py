"""A book of entries in a file of JSON lines, for tests of what is written into one; `disk` may be a full one."""

from __future__ import annotations

import dataclasses
import json
import os
import threading
from pathlib import Path

from inspection.records.entries import Entry, EntryKind, StoredEntry
from inspection.records.errors import RecordDiskError


class EntryFile:
    """Entries in the order in which they were noted, durable on return; another one of the same file continues it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.is_full = False
        self.reads = 0
        self._lock = threading.Lock()
        file.touch()

    def note(self, entry: Entry) -> StoredEntry:
        with self._lock:
            lines = self.file.read_text().splitlines()
            line = json.dumps(dataclasses.asdict(entry)) + "\n"
            handle = os.open("/dev/full" if self.is_full else self.file, os.O_WRONLY | os.O_APPEND)
            try:
                os.write(handle, line.encode())
                os.fsync(handle)
            except OSError as error:
                raise RecordDiskError(f"{self.file}: {error.strerror}") from error
            finally:
                os.close(handle)
            return StoredEntry(len(lines) + 1, entry, 0, "", "")

    def entries(
        self,
        *,
        kind: EntryKind | None = None,
        subject: str | None = None,
        who: str | None = None,
        after: int = 0,
        limit: int = 100,
        newest_first: bool = False,
    ) -> list[StoredEntry]:
        with self._lock:
            self.reads += 1
            found = [json.loads(line) for line in self.file.read_text().splitlines()]
        stored = [
            StoredEntry(number, Entry(**{**one, "kind": EntryKind(one["kind"])}), 0, "", "")
            for number, one in enumerate(found, 1)
        ]
        fitting = [
            one
            for one in stored
            if (one.sequence > after or newest_first)
            and kind in (None, one.entry.kind)
            and subject in (None, one.entry.subject)
            and who in (None, one.entry.who)
        ]
        return (fitting[::-1] if newest_first else fitting)[:limit]

    def told(self) -> list[tuple[str, str, str, str]]:
        """Method, phase, who and code ('' before there is one) of each entry."""
        return [
            (
                one.entry.subject.rpartition("/")[2],
                one.entry.content["phase"],
                one.entry.who,
                one.entry.content.get("code") or one.entry.content.get("outcome", {}).get("code", ""),
            )
            for one in self.entries(limit=10_000)
        ]
