"""Checking the station's signatures: whether what they vouch for is still what is stored, and by whose key."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, select

from inspection.records.chain import ChainHead
from inspection.records.entries import EntryKind
from inspection.records.errors import SigningKeyError
from inspection.records.signing import SignedState, fingerprint, run_heads, signed_state
from inspection.records.tables import CHALLENGES_TABLE, ENTRIES_TABLE, RECORDS

_CHAINS: tuple[tuple[str, Table, str], ...] = (
    ("records", RECORDS, "record"),
    ("challenges", CHALLENGES_TABLE, "entry about challenges"),
    ("entries", ENTRIES_TABLE, "entry of the book"),
)
Add = Callable[[int | None, str], None]


@dataclass(slots=True)
class Signed:
    """What the good signatures vouch for: how many there are, and how far the newest reaches.

    wall_ns: the latest time that one of them tells, so that a clock that is set back takes no signed day away.
    """

    signatures: int = 0
    records: int = 0
    challenges: int = 0
    entries: int = 0
    runs: int = 0
    wall_ns: int = 0
    keys: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def day(self) -> str:
        """Through which day (UTC) everything is signed, by the latest time that a signature tells; '' for nothing."""
        return datetime.fromtimestamp(self.wall_ns // 10**9, UTC).date().isoformat() if self.signatures else ""


class SignatureCheck:
    """One walk along the signatures of a store; lives for one call of `verify`.

    trusted: raw public keys, of which one must have signed; None takes whatever key signed first, and tells of another.
    `add` gets the record that is wrong, if it is one, and the problem in words.
    """

    def __init__(self, connection: Connection, add: Add, trusted: Sequence[bytes] | None) -> None:
        self._connection, self._add, self._trusted = connection, add, trusted
        self._good = {name: 0 for name, _, _ in _CHAINS}
        self._newest: SignedState | None = None
        self._runs = {head.sequence: head.hash for head in run_heads(connection)}
        self.signed = Signed()
        self._set_back: list[tuple[int, int]] = []  # the latest time before, and the earlier one after it

    def look(self, row: tuple[Any, ...]) -> None:
        """Check one row of the book, if it is a signature; in the order of their numbers."""
        if row[1] == EntryKind.SIGNATURE:
            self._check(f"signature {row[0]} of the book", row[5], row[0])

    def look_at_copy(self, lines: Iterable[str], source: str) -> None:
        """Hold the store against signatures that were kept elsewhere, as `lineward records signatures` printed them."""
        for number, line in enumerate(lines, 1):
            if line.strip():
                self._check(f"signature in line {number} of {source}", line, None)

    def end(self) -> Signed:
        """Tell what is missing altogether, and return what is signed."""
        if self._trusted is not None and not self.signed.signatures:
            self._add(None, "nothing is signed with the public key given")
        if self._set_back:
            before_ns, after_ns = max(self._set_back, key=lambda one: one[0] - one[1])
            times = "once" if len(self._set_back) == 1 else f"{len(self._set_back)} times"
            self.signed.notes.append(
                f"the clock was behind an earlier signature's {times}: {_moment(after_ns)} after {_moment(before_ns)}, "
                "at the most; the day told is the latest of all"
            )
        return self.signed

    def _check(self, name: str, text: Any, entry: int | None) -> None:
        try:
            content: Mapping[str, Any] = json.loads(text)
            found = signed_state(content)
        except (ValueError, TypeError, KeyError) as error:
            self._add(None, f"{name} cannot be read: {error}")
            return
        if found is None:
            self._add(None, f"{name} is not good: it was forged, or changed")
            return
        public, state = found
        if self._is_trusted(name, public, state):
            self._compare(name, state, entry)
            if entry is not None:
                self._take(state)

    def _is_trusted(self, name: str, public: bytes, state: SignedState) -> bool:
        key = fingerprint(public)
        if self._trusted is not None and public not in self._trusted:
            self._add(None, f"{name} is by the key {key}, which is none of those given")
            return False
        if key not in self.signed.keys:
            if self.signed.keys:
                self.signed.notes.append(
                    f"from {_at(state)} on the records are signed with another key: {key} after {self.signed.keys[-1]}"
                )
            self.signed.keys.append(key)
        return True

    def _compare(self, name: str, state: SignedState, entry: int | None) -> None:
        """Hold each chain's end of that time against what is stored now."""
        for chain, table, what in _CHAINS:
            head: ChainHead = getattr(state, chain)
            if not head.sequence:
                continue
            about = head.sequence if table is RECORDS else None
            stored = self._connection.execute(select(table.c.hash).where(table.c.sequence == head.sequence)).scalar()
            if stored is None:
                self._add(about, f"{what} {head.sequence}, signed on {_at(state)}, is missing ({name})")
            elif stored != head.hash:
                self._add(
                    about,
                    f"{what} {head.sequence} is not the one that was signed on {_at(state)} ({name}): "
                    f"{_which(head.sequence, self._good[chain])} was changed",
                )
            else:
                self._good[chain] = max(self._good[chain], head.sequence)
        if state.runs is not None and self._runs.get(state.runs.sequence) != state.runs.hash:
            self._add(
                None,
                f"the {state.runs.sequence} runs, signed on {_at(state)}, are not those of now ({name}): one was "
                "changed, removed or put in",
            )
        if entry is not None and state.entries.sequence != entry - 1:
            self._add(None, f"{name} stands behind entry {entry - 1}, but was made behind {state.entries.sequence}")

    def _take(self, state: SignedState) -> None:
        before = self._newest
        if before is not None and any(
            getattr(state, chain).sequence < getattr(before, chain).sequence for chain, _, _ in _CHAINS
        ):
            self._add(None, f"the signature of {_at(state)} vouches for less than the one before it")
        self._newest, signed = state, self.signed
        signed.signatures += 1
        signed.records, signed.challenges = state.records.sequence, state.challenges.sequence
        signed.runs = 0 if state.runs is None else state.runs.sequence
        signed.entries = state.entries.sequence
        if state.wall_ns >= signed.wall_ns:
            signed.wall_ns = state.wall_ns
        else:
            self._set_back.append((signed.wall_ns, state.wall_ns))


def read_signatures(file: Path) -> list[str]:
    """Return the lines of a file of signatures. Raises SigningKeyError when it cannot be read."""
    try:
        return file.read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise SigningKeyError(
            f"{file}: cannot be read: {error} — the lines that `lineward records signatures` printed are needed — name "
            "that file"
        ) from error


def _which(signed: int, good: int) -> str:
    """Return which row of a chain was changed, where `good` is still the one that was signed, and `signed` is not."""
    if signed <= good + 1:
        return "it"
    return f"it or one behind {good}" if good else "it or one before it"


def _at(state: SignedState) -> str:
    return _moment(state.wall_ns)


def _moment(wall_ns: int) -> str:
    try:
        moment = datetime.fromtimestamp(wall_ns // 10**9, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{wall_ns} ns"
    return moment.isoformat(sep=" ").removesuffix("+00:00") + " UTC"
