"""The serial numbers that are used up, and the last counted one, among the parts of one lot or of all."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

from inspection.config.identity import IdentitySection
from inspection.identity.answers import Past, questions, serial_let_go
from inspection.part import EjectorAction

OFF_THE_BELT = frozenset(
    {EjectorAction.FIRED, EjectorAction.DIVERTED, EjectorAction.TAKEN_ALONG, EjectorAction.REMOVED}
)
"""The parts of these reports did not go on: their numbers may come again, as when a part is laid on the belt again.
Of every other report a part may have gone on, whatever its record says."""


class UsedSerials(Past, Protocol):
    """Where durable records are asked for serial numbers."""

    def used_serials(self, lot: str | None, limit: int) -> list[str]:
        """Return the numbers of the newest parts, if these may have gone on, oldest first. lot: None for every part."""

    def highest_counted(self, lot: str | None, prefix: str, digits: int) -> int:
        """Return the highest number of so many digits behind a prefix; 0 for none."""


class Scope:
    """The numbers of one lot, of the parts without one, or of all. Owned by the identification, used under its lock.

    It remembers the last `remember` of them, which came with at least as many parts; what came before is not known.
    """

    def __init__(self, section: IdentitySection, used: list[str], last_counted: int) -> None:
        self._section = section
        self._used: OrderedDict[str, None] = OrderedDict.fromkeys(used)
        self.last_counted = last_counted

    def holds(self, serial: str) -> bool:
        """Return whether a number is used up."""
        return serial in self._used

    def add(self, serial: str) -> bool:
        """Use a number up; False where it was already."""
        if serial in self._used:
            return False
        self._used[serial] = None
        while len(self._used) > self._section.remember:
            self._used.popitem(last=False)
        return True

    def discard(self, serial: str) -> None:
        """Let a number come again."""
        self._used.pop(serial, None)

    def next_counted(self) -> str:
        """Return the next counted number; '' when all of so many digits were given."""
        if self.last_counted >= 10**self._section.digits - 1:
            return ""
        self.last_counted += 1
        return counted(self._section, self.last_counted)


def counted(section: IdentitySection, number: int) -> str:
    """Return a counted number as it is written."""
    return f"{section.prefix}{number:0{section.digits}d}"


def looks_counted(section: IdentitySection, serial: str) -> bool:
    """Return whether a number reads like one that the station counts: nobody else may give such a one."""
    number = serial.removeprefix(section.prefix)
    return len(serial) == len(section.prefix) + section.digits == len(number) + len(section.prefix) and (
        number.isascii() and number.isdigit()
    )


def load_scope(section: IdentitySection, lot: str | None, records: UsedSerials) -> Scope:
    """Return what durable records say of a scope. lot: None for every part."""
    last = records.highest_counted(lot, section.prefix, section.digits) if section.counts else 0
    let_go = (serial_let_go(record, review) for record, review in questions(records, lot) if review is not None)
    used = [*records.used_serials(lot, section.remember), *filter(None, let_go)]
    return Scope(section, used, last)
