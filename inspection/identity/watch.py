"""Who is told of parts without a sound serial number, and the questions that wait for a person's answer."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable

from inspection.alarm_board import AlarmBoard
from inspection.identity.answers import Past, asks, questions, serial_let_go
from inspection.identity.identification import Identification
from inspection.identity.words import Policy, Trouble
from inspection.records.entries import EntryKind, StoredEntry
from inspection.records.record import StoredRecord

IN_A_ROW = 3
_TRANSIENT_S = 15.0
_SHOWN = 40


class IdentityWatch:
    """Follows durable records and reviews; owned by the station, called on the thread that made them durable.

    A question is a record that the policy `ask` rejected. Whoever reviews the record answers it: a review with PASS
    lets the part go on, and its number is used up. Questions are open over a restart; the newest `QUESTIONS_KEPT` are
    kept in sight.
    """

    QUESTIONS_KEPT = 200

    def __init__(self, alarms: AlarmBoard, past: Past, names: Identification) -> None:
        self._alarms, self._names = alarms, names
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._open: OrderedDict[int, StoredRecord] = OrderedDict()
        for record, review in questions(past):
            if review is None:
                self._keep(record)
        self._tell()

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
            if asks(record):
                self._keep(record)
                self._tell()

    def _count_unreadable(self, is_one: bool) -> None:
        """One code may be dirty; several are a printer without ribbon, or a camera that has moved."""
        self._in_a_row = self._in_a_row + 1 if is_one else 0
        if self._in_a_row >= IN_A_ROW:
            self._alarms.raise_alarm("CODE_UNREADABLE", count=self._in_a_row)
        elif not is_one:
            self._alarms.clear("CODE_UNREADABLE")

    @property
    def questions(self) -> list[StoredRecord]:
        """The records that wait for an answer, the oldest first."""
        with self._lock:
            return list(self._open.values())

    def on_entry(self, stored: StoredEntry) -> None:
        """Take an entry that has just become durable: the review of a record that asks is its answer."""
        entry = stored.entry
        if entry.kind is not EntryKind.REVIEW:
            return
        with self._lock:
            record = self._open.pop(int(entry.subject), None)
        if record is None:
            return
        if serial := serial_let_go(record, entry):
            self._names.use_up(serial, record.lot)
        self._tell()

    def _keep(self, record: StoredRecord) -> None:
        with self._lock:
            self._open[record.sequence] = record
            while len(self._open) > self.QUESTIONS_KEPT:
                self._open.popitem(last=False)

    def _tell(self) -> None:
        with self._lock:
            count, first = len(self._open), next(iter(self._open.values()), None)
        if first is None:
            self._alarms.clear("CODE_QUESTION")
        else:
            self._alarms.raise_alarm("CODE_QUESTION", count=count, part=first.part, record=first.sequence)
