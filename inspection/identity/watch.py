"""Who is told of parts without a sound serial number, and the questions that wait for a person's answer."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import Protocol

from inspection.alarm_board import AlarmBoard
from inspection.identity.errors import SerialRefusedError
from inspection.identity.identification import Identification
from inspection.identity.words import Policy, Trouble, printable
from inspection.part import Evaluation, Reason
from inspection.records.entries import Entry, EntryBook, EntryKind
from inspection.records.record import StoredRecord

IN_A_ROW = 3
_TRANSIENT_S = 15.0
_SHOWN = 40


class Records(Protocol):
    """Durable records, read by their reason and their number."""

    def find(self, *, reason: Reason | None = None, limit: int = 100) -> list[StoredRecord]:
        """Return the newest records of a reason."""


class IdentityWatch:
    """Follows durable records; owned by the station, called on the recorder's thread, and answered from any other.

    A question is a record that the policy `ask` rejected and that no person has reviewed. It is open until somebody
    does, also after a restart; the station keeps the newest `QUESTIONS_KEPT` of them in sight.
    """

    QUESTIONS_KEPT = 200

    def __init__(self, alarms: AlarmBoard, book: EntryBook, records: Records, names: Identification) -> None:
        self._alarms, self._book, self._records, self._names = alarms, book, records, names
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._open: OrderedDict[int, StoredRecord] = OrderedDict()
        self._restore()

    # ------------------------------------------------------------------ records

    def add(self, records: Iterable[StoredRecord]) -> None:
        """Look at records that have just become durable."""
        for record in records:
            story = record.extra.get("identity")
            if story is None:
                continue
            trouble = story.get("trouble")
            self._count_unreadable(trouble == Trouble.UNREADABLE)
            if trouble == Trouble.DUPLICATE and story.get("policy") != Policy.COUNT:
                shown = record.serial[:_SHOWN]
                self._alarms.raise_alarm("CODE_DUPLICATE", for_s=_TRANSIENT_S, part=record.part, serial=shown)
            if story.get("asks"):
                self._ask(record)

    def _count_unreadable(self, is_one: bool) -> None:
        """One code may be dirty; several are a printer without ribbon, or a camera that has moved."""
        self._in_a_row = self._in_a_row + 1 if is_one else 0
        if self._in_a_row >= IN_A_ROW:
            self._alarms.raise_alarm("CODE_UNREADABLE", count=self._in_a_row)
        elif not is_one:
            self._alarms.clear("CODE_UNREADABLE")

    # ---------------------------------------------------------------- questions

    @property
    def questions(self) -> list[StoredRecord]:
        """The records that wait for an answer, the oldest first."""
        with self._lock:
            return list(self._open.values())

    def answer(self, sequence: int, who: str, evaluation: Evaluation, *, serial: str = "", comment: str = "") -> None:
        """Store a person's answer about a part, durably, as a review of its record.

        OK says that the person lets the part go on: then its serial number, which the person may give, is used up.
        Raises SerialRefusedError for what is no open question, a serial that is none, and NOT_DECIDABLE;
        RecordDiskError when the disk refuses: then the question stays open.
        """
        with self._lock:
            record = self._open.get(sequence)
        if record is None:
            raise SerialRefusedError(
                f"record {sequence}: asks nothing — {len(self.questions)} records do — choose one of those"
            )
        serial = serial or record.serial
        is_named = bool(serial.strip()) and serial.isprintable() and len(serial) <= self._names.section.max_length
        if evaluation is Evaluation.NOT_DECIDABLE or (evaluation is Evaluation.OK and not is_named):
            raise SerialRefusedError(
                f"record {sequence}: {evaluation.value} with serial {serial[:70]!r} — OK with a serial number of up to "
                f"{self._names.section.max_length} printable characters, or NOT_OK — say which part it is"
            )
        content = {"evaluation": evaluation.value, "serial": serial, "comment": printable(comment)}
        self._book.note(Entry(EntryKind.REVIEW, str(sequence), who, time.time_ns(), content))
        self.reviewed(sequence, evaluation, serial)

    def reviewed(self, sequence: int, evaluation: Evaluation, serial: str = "") -> None:
        """Take note that a durable review of a record is there, whoever wrote it: what it asked is answered."""
        with self._lock:
            record = self._open.pop(sequence, None)
        if record is None:
            return
        if evaluation is Evaluation.OK and (serial or record.serial):
            self._names.use_up(serial or record.serial, record.lot)
        self._tell()

    def _ask(self, record: StoredRecord) -> None:
        with self._lock:
            self._open[record.sequence] = record
            while len(self._open) > self.QUESTIONS_KEPT:
                self._open.popitem(last=False)
        self._tell()

    def _tell(self) -> None:
        with self._lock:
            count, first = len(self._open), next(iter(self._open.values()), None)
        if first is None:
            self._alarms.clear("CODE_QUESTION")
        else:
            self._alarms.raise_alarm("CODE_QUESTION", count=count, part=first.part, record=first.sequence)

    def _restore(self) -> None:
        """Open the questions of before that nobody answered."""
        asking = self._records.find(reason=Reason.CODE, limit=self.QUESTIONS_KEPT)
        for record in reversed(asking):
            if not record.extra.get("identity", {}).get("asks"):
                continue
            if not self._book.entries(kind=EntryKind.REVIEW, subject=str(record.sequence), limit=1):
                self._open[record.sequence] = record
        self._tell()
