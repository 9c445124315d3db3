"""The parts that are in flight, on disk: what a killed process knew about them, so that each still gets its record."""

from __future__ import annotations

import os
import struct
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from inspection.disk_errors import remedy
from inspection.part import Actuation, Decision, EjectorAction, Evaluation, PartResult, Reason, Stages, Verdict
from inspection.records.errors import JournalError
from inspection.records.record import Run, StoredRecord
from inspection.records.store import RecordStore, make_row

RUN_NAME_BYTES = 40
_FIRST_ENTRY = struct.Struct("<40sqqqqq")  # run, part, trigger, due, deadline (host ns), wall ns; then the crc32
_ENTRY = struct.Struct("<40sqqqqqHH424s")  # the same, bytes of the lot and of the serial number, both; then the crc32
_TEXT_BYTES = 424
_CHECKSUM = struct.Struct("<I")
_ENTRY_BYTES = _ENTRY.size + _CHECKSUM.size
_HEADER = b"\0lineward in-flight 2\n"  # no entry of the first format, which had no header, begins like that
_HEADER_BEGIN = _HEADER[:-2]
_SEGMENT_ENTRIES = 4096
_RECOVERED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Born:
    """One part as the journal remembers it."""

    run: str
    part: int
    trigger_host_ns: int
    due_host_ns: int
    deadline_host_ns: int
    wall_ns: int
    lot: str = ""
    serial: str = ""


class _Segment:
    """One preallocated file of entries; used under the journal's lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written = 0
        self.open_parts = 0
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.posix_fallocate(self.descriptor, 0, (1 + _SEGMENT_ENTRIES) * _ENTRY_BYTES)
            os.pwrite(self.descriptor, _HEADER, 0)
        except OSError:
            os.close(self.descriptor)
            path.unlink(missing_ok=True)
            raise

    def add(self, entry: bytes) -> None:
        """Write one more entry behind the header and the others. Raises OSError."""
        os.pwrite(self.descriptor, entry, (1 + self.written) * _ENTRY_BYTES)
        self.written += 1
        self.open_parts += 1


class Journal:
    """The in-flight journal; owned by the station. `born` from the trigger's thread, `recorded` from the writer's.

    Each part is one `pwrite` into a preallocated file (no new disk block: it works on a full disk), which a killed
    process cannot take back. It is not flushed: what a power loss takes is a part that was on the belt when the whole
    station lost power. Segments whose parts all have their records are used again, so that the journal stays as small
    as what is in flight.
    """

    def __init__(self, directory: Path) -> None:
        """Open the journal in the store's folder. What an earlier process left must be recovered before `born`."""
        self._directory = directory
        self._lock = threading.Lock()
        self._segments: list[_Segment] = []
        self._in_flight: dict[tuple[str, int], _Segment] = {}
        self._left = sorted(directory.glob("inflight-*.journal"))

    def left(self) -> Iterator[Born]:
        """Return the parts that an earlier process left, torn entries ignored. Raises JournalError."""
        for path in self._left:
            try:
                data = path.read_bytes()
            except OSError as error:
                raise JournalError(_unwritable(path, error)) from error
            yield from _entries(path, data)

    def clear_left(self) -> None:
        """Forget what an earlier process left: every part of it has its record."""
        for path in self._left:
            path.unlink(missing_ok=True)
        self._left = []

    def born(
        self,
        run: str,
        part: int,
        trigger_host_ns: int,
        due_host_ns: int,
        deadline_host_ns: int,
        lot: str = "",
        serial: str = "",
    ) -> None:
        """Remember a part before anything else is done with it. Raises JournalError when the disk refuses.

        lot, serial: as far as they are known at its birth; what has no room in an entry is left out, never cut.
        """
        name = run.encode()
        if len(name) > RUN_NAME_BYTES or self._left:
            raise JournalError(
                f"run {run!r}: cannot be remembered — a name of at most {RUN_NAME_BYTES} bytes, and a journal that was "
                "recovered, are needed — shorten the name, or call recover first"
            )
        texts = _texts(lot, serial)
        body = _ENTRY.pack(name, part, trigger_host_ns, due_host_ns, deadline_host_ns, time.time_ns(), *texts)
        entry = body + _CHECKSUM.pack(zlib.crc32(body))
        with self._lock:
            try:
                segment = self._segment_with_room()
                segment.add(entry)
            except OSError as error:
                raise JournalError(_unwritable(self._directory, error)) from error
            self._in_flight[(run, part)] = segment

    def recorded(self, records: Sequence[StoredRecord]) -> None:
        """Let go of parts whose records are durable; made for `RecordWriter.on_durable`."""
        with self._lock:
            for record in records:
                segment = self._in_flight.pop((record.run, record.part), None)
                if segment is not None:
                    segment.open_parts -= 1

    @property
    def in_flight(self) -> int:
        """Return how many parts were born and have no durable record yet."""
        with self._lock:
            return len(self._in_flight)

    def close(self) -> None:
        """Close the files; remove them when every part has its record, else leave them to `recover`. Safe to repeat."""
        with self._lock:
            for segment in self._segments:
                os.close(segment.descriptor)
                if not self._in_flight:
                    segment.path.unlink(missing_ok=True)
                else:
                    self._left.append(segment.path)
            self._segments.clear()

    def _segment_with_room(self) -> _Segment:
        if self._segments and self._segments[-1].written < _SEGMENT_ENTRIES:
            return self._segments[-1]
        empty = next((segment for segment in self._segments if not segment.open_parts), None)
        if empty is not None:
            # Its old entries stay until they are overwritten: they have their records, so recovery skips them.
            self._segments.remove(empty)
            empty.written = 0
        else:
            empty = _Segment(self._directory / f"inflight-{len(self._segments) + 1:06d}.journal")
        self._segments.append(empty)
        return empty


def recover(store: RecordStore, journal: Journal) -> int:
    """Give each part that an earlier process left without a record one, and return how many those were.

    REJECT, NOT_DECIDABLE, SYSTEM; the ejector's action is UNCONFIRMED. May be killed and repeated: a part that has its
    record is skipped. Raises JournalError and SQLAlchemyError; the journal is cleared only when every part has a
    record.
    """
    left: dict[str, dict[int, Born]] = {}
    for born in journal.left():
        left.setdefault(born.run, {})[born.part] = born
    parts: list[Born] = []
    for run, of_run in left.items():
        recorded = store.recorded(run, list(of_run))
        parts += [born for part, born in of_run.items() if part not in recorded]
    for start in range(0, len(parts), _RECOVERED_AT_ONCE):
        rows = []
        for born in parts[start : start + _RECOVERED_AT_ONCE]:
            begun = store.find_run(born.run) or store.begin_run(
                Run(born.run, "", "", "", "", born.wall_ns, born.trigger_host_ns)
            )
            rows.append(make_row(_unfinished(born), begun))
        store.append(rows)
    journal.clear_left()
    return len(parts)


def _unfinished(born: Born) -> PartResult:
    return PartResult(
        run=born.run,
        part=born.part,
        decision=Decision(Evaluation.NOT_DECIDABLE, Verdict.REJECT, Reason.SYSTEM),
        actuation=Actuation(born.part, EjectorAction.UNCONFIRMED, False, None, None),
        stages=Stages(trigger_host_ns=born.trigger_host_ns),
        due_host_ns=born.due_host_ns,
        deadline_host_ns=born.deadline_host_ns,
        lot=born.lot,
        serial=born.serial,
        extra={"recovered": True},
    )


def _texts(lot: str, serial: str) -> tuple[int, int, bytes]:
    """Return the bytes of both, and both; without what has no room. Text that is no UTF-8 is kept by surrogates."""
    first, second = (text.encode("utf-8", "surrogatepass") for text in (lot, serial))
    if len(first) > _TEXT_BYTES:
        first = b""
    if len(first) + len(second) > _TEXT_BYTES:
        second = b""
    return len(first), len(second), first + second


def _entries(path: Path, data: bytes) -> Iterator[Born]:
    """Return what the entries of one file tell of, whichever version wrote it. Raises JournalError for a newer one."""
    if data.startswith(_HEADER):
        layout, start = _ENTRY, _ENTRY_BYTES
    elif data.startswith(_HEADER_BEGIN):
        raise JournalError(
            f"{path}: a newer Lineward wrote this in-flight journal — this one reads versions 1 and 2 — start the "
            "newer one once, so that every part of it gets its record"
        )
    else:
        layout, start = _FIRST_ENTRY, 0
    size = layout.size + _CHECKSUM.size
    for offset in range(start, len(data) - size + 1, size):
        body, checksum = data[offset : offset + layout.size], data[offset + layout.size : offset + size]
        if body[0] and zlib.crc32(body) == _CHECKSUM.unpack(checksum)[0]:
            yield _born(*layout.unpack(body))


def _born(
    name: bytes,
    part: int,
    trigger_host_ns: int,
    due_host_ns: int,
    deadline_host_ns: int,
    wall_ns: int,
    lot_bytes: int = 0,
    serial_bytes: int = 0,
    texts: bytes = b"",
) -> Born:
    lot, serial = texts[:lot_bytes], texts[lot_bytes : lot_bytes + serial_bytes]
    return Born(
        name.rstrip(b"\0").decode(),
        part,
        trigger_host_ns,
        due_host_ns,
        deadline_host_ns,
        wall_ns,
        lot.decode("utf-8", "surrogatepass"),
        serial.decode("utf-8", "surrogatepass"),
    )


def _unwritable(path: Path, error: OSError) -> str:
    return (
        f"{path}: the in-flight journal cannot be used: {error.strerror or error} — {remedy(error)}; until then no "
        "part may be inspected"
    )
