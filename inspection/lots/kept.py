"""The lots that a station has at hand: counted with each durable record, watched by whoever waits for a change."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from inspection.lots.lot import Lot, TakenStep
from inspection.lots.states import UNFINISHED, LotState
from inspection.records.record import StoredRecord


class KeptLots:
    """The unfinished lots and the last finished ones, the oldest first. Owned by the book; safe from any thread.

    Its lock guards what the recorder's thread counts and is never held while anything else waits.
    """

    FINISHED_KEPT = 500

    def __init__(self) -> None:
        self._lots: OrderedDict[str, Lot] = OrderedDict()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._version = 0

    def begin_with(self, lots: Iterable[Lot]) -> None:
        """Have these lots and no other, the finished ones first."""
        with self._lock:
            self._lots = OrderedDict((lot.order.lot, lot) for lot in lots)

    @property
    def running(self) -> Lot | None:
        """The running lot, if there is one."""
        with self._lock:
            return next((lot for lot in self._lots.values() if lot.state is LotState.RUNNING), None)

    def find(self, name: str) -> Lot | None:
        """Return a lot that is at hand."""
        with self._lock:
            return self._lots.get(name)

    def list(self) -> list[Lot]:
        """Return all of them, the oldest first."""
        with self._lock:
            return list(self._lots.values())

    def wait(self, version: int, timeout_s: float) -> int:
        """Wait until any lot has changed since a version; return the present one."""
        with self._changed:
            self._changed.wait_for(lambda: self._version > version, timeout_s)
            return self._version

    def keep(self, lot: Lot, step: TakenStep | None = None) -> Lot:
        """Keep a lot after a step, with what is counted by now; the oldest finished one may have to go."""
        with self._lock:
            present = self._lots.get(lot.order.lot, lot)
            kept = present if step is None else present.after(step)
            self._lots[lot.order.lot] = kept
            finished = [name for name, one in self._lots.items() if one.state not in UNFINISHED]
            for name in finished[: -self.FINISHED_KEPT]:
                del self._lots[name]
            self._tell()
        return kept

    def replace(self, lot: Lot) -> None:
        """Put a lot in the place of what is known of it, if it is at hand; no change that anybody waits for."""
        with self._lock:
            if lot.order.lot in self._lots:
                self._lots[lot.order.lot] = lot

    def count(self, of_lots: Sequence[StoredRecord]) -> None:
        """Count durable records that each belong to a lot; microseconds."""
        with self._lock:
            for name in {record.lot for record in of_lots}:
                if (lot := self._lots.get(name)) is not None:
                    counters = lot.counters.plus(record for record in of_lots if record.lot == name)
                    self._lots[name] = replace(lot, counters=counters)
            self._tell()

    def _tell(self) -> None:
        self._version += 1
        self._changed.notify_all()
