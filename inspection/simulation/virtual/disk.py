"""The virtual disk: a journal and a recorder that keep what a killed station knew."""

from __future__ import annotations

from collections.abc import Callable

from inspection.part import Actuation, Decision, EjectorAction, Evaluation, PartResult, Reason, Stages, Verdict
from inspection.records.errors import JournalError
from inspection.simulation.virtual.agenda import Agenda
from inspection.simulation.virtual.ledger import Ledger
from inspection.simulation.virtual.plan import MS, SECOND

Born = tuple[int, int, int]
"""Trigger, due and deadline of a part, host ns."""


class Disk:
    """What outlives a station. Its rules are those of `inspection.records`: the journal first, then groups of records.

    full: records wait. trusted_ns: from when on every part in flight is in the journal again after it was refused.
    """

    LONGEST_WAY_NS = 30 * SECOND

    def __init__(self, agenda: Agenda, ledger: Ledger) -> None:
        self._agenda = agenda
        self._ledger = ledger
        self.journal: dict[tuple[str, int], Born] = {}
        self.full = False
        self.refused_until_ns = 0

    def refuse(self, time_ns: int) -> None:
        """Take no entry of the journal for a while."""
        self.refused_until_ns = self._agenda.now_ns + time_ns

    @property
    def refuses(self) -> bool:
        """Return whether the journal cannot be written now."""
        return self._agenda.now_ns < self.refused_until_ns

    @property
    def trusted_ns(self) -> int:
        """Return when the last part that could not be journalled has long had its record."""
        return self.refused_until_ns + self.LONGEST_WAY_NS

    def durable(self, result: PartResult) -> None:
        """Make a record durable, and let its part go from the journal."""
        self._ledger.recorded(result)
        self.journal.pop((result.run, result.part), None)

    def recover(self) -> None:
        """Give each part that a killed station left a record, as `records.journal.recover` does."""
        for (run, part), (trigger_ns, due_ns, deadline_ns) in self.journal.items():
            result = PartResult(
                run,
                part,
                Decision(Evaluation.NOT_DECIDABLE, Verdict.REJECT, Reason.SYSTEM),
                Actuation(part, EjectorAction.UNCONFIRMED, False, None, None),
                Stages(trigger_host_ns=trigger_ns),
                due_ns,
                deadline_ns,
            )
            self._ledger.recorded(result, recovered=True)
        self.journal.clear()


class Recorder:
    """The memory of one station's life: takes parts as they end, makes them durable in groups. See `flow.Memory`."""

    GROUP_NS = 20 * MS
    CAPACITY = 1024

    def __init__(
        self,
        run: str,
        disk: Disk,
        agenda: Agenda,
        durable: Callable[[list[PartResult]], None],
        trouble: Callable[[bool], None],
    ) -> None:
        self.run = run
        self.disk = disk
        self._agenda = agenda
        self._on_durable = durable
        self._on_trouble = trouble
        self._waiting: list[PartResult] = []
        self._planned = False
        self._troubled = False
        self.dead = False

    def born(self, part: object, due_host_ns: int, deadline_host_ns: int) -> None:
        """Note a part. Raises JournalError."""
        if self.disk.refuses:
            raise JournalError("the virtual disk refuses — mend it")
        number: int = part.number  # type: ignore[attr-defined]
        trigger_ns: int = part.stages.trigger_host_ns  # type: ignore[attr-defined]
        self.disk.journal[self.run, number] = (trigger_ns, due_host_ns, deadline_host_ns)

    def submit(self, result: PartResult) -> bool:
        """Take a finished part; False when too many wait for the disk."""
        if len(self._waiting) >= self.CAPACITY:
            return False
        self._waiting.append(result)
        if not self._planned:
            self._planned = True
            self._agenda.after(self.GROUP_NS, self._commit)
        return True

    def _commit(self) -> None:
        self._planned = False
        if self.dead:
            return
        if self.disk.full:
            self._planned = True
            self._agenda.after(100 * MS, self._commit)
            if not self._troubled:
                self._troubled = True
                self._on_trouble(True)
            return
        group, self._waiting = self._waiting, []
        for result in group:
            self.disk.durable(result)
        if self._troubled:
            self._troubled = False
            self._on_trouble(False)
        self._on_durable(group)
