"""Checking a chain beside the records: its links, its end, and its anchors in the records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from inspection.records.chain import GENESIS, ChainHead, read_head
from inspection.records.side_chain import SideChain, entry_hash
from inspection.records.tables import RECORDS


class SideCheck:
    """One walk along such a chain; lives for one call of `verify`. `add` gets each problem in words."""

    def __init__(
        self, chain: SideChain, connection: Connection, add: Callable[[str], None], head: ChainHead | None
    ) -> None:
        """head: what the head file remembered before the walk begins; None where it said nothing."""
        self._chain, self._connection, self._add, self._head = chain, connection, add, head
        self._sequence = 0
        self._hash = GENESIS
        self._hash_at_head: bytes | None = None

    def check(self, row: tuple[Any, ...]) -> None:
        """Check one row: sequence, cells…, hash; in the order of their numbers."""
        about = self._chain.about
        sequence, *cells, stored = row
        if sequence != self._sequence + 1:
            self._add(missing("entry", "entries", self._sequence + 1, sequence - 1, f" {about}"))
        elif entry_hash(self._hash, sequence, tuple(cells)) != stored:
            self._add(f"entry {sequence} {about} was changed, or does not follow its forerunner")
        self._sequence, self._hash = sequence, stored if isinstance(stored, bytes) else b""
        if self._head is not None and sequence == self._head.sequence:
            self._hash_at_head = self._hash
        self._check_anchor(sequence, *cells[-2:])

    def end(self) -> None:
        """Compare the end with what the head file remembered."""
        head, about, name = self._head, self._chain.about, self._chain.head_file
        if head is None:
            if self._sequence:
                self._add(f"{name} is missing or unreadable: whether entries {about} were removed cannot be told")
        elif head.sequence > self._sequence:
            self._add(missing("entry", "entries", self._sequence + 1, head.sequence, f" {about}"))
        elif head.sequence and self._hash_at_head != head.hash:
            self._add(f"entry {head.sequence} {about} is not the one that {name} remembers")

    def _check_anchor(self, sequence: int, record: Any, record_hash: Any) -> None:
        if record == 0:
            return
        anchor = None
        if isinstance(record, int):  # else the entry's own hash tells that it was changed
            anchor = self._connection.execute(select(RECORDS.c.hash).where(RECORDS.c.sequence == record)).scalar()
        if not isinstance(anchor, bytes) or anchor.hex() != record_hash:
            self._add(
                f"entry {sequence} {self._chain.about}: record {record}, the newest one of its time, is not the one "
                "that it names"
            )


def missing(one: str, several: str, first: int, last: int, about: str = "") -> str:
    """Return in words that rows are missing, from the first to the last."""
    return f"{one} {first}{about} is missing" if first == last else f"{several} {first} to {last}{about} are missing"


def side_head(directory: Path, chain: SideChain) -> ChainHead | None:
    """Return the head that the side file remembers; read it before the store, which may move on meanwhile."""
    return read_head(directory, chain.head_file)


def check_side(
    chain: SideChain,
    connection: Connection,
    head: ChainHead | None,
    add: Callable[[str], None],
    look: Callable[[tuple[Any, ...]], None] = lambda _row: None,
) -> int:
    """Check a whole chain and return how many entries it has; `look` gets each row, too, in order."""
    check, count = SideCheck(chain, connection, add, head), 0
    for row in chain.rows(connection):
        check.check(row)
        look(row)
        count += 1
    check.end()
    return count
