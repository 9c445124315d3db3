"""The hash chain: what each record's hash covers, and the chain's head kept in a second place.

A record's hash is sha256(hash of the record before it ‖ canonical JSON of its content). Whoever changes, removes or
reorders a record without recomputing everything after it *and* the head file is found by `verify`; the chain makes
tampering evident, it is no signature.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from inspection.records.record import Cell, Run

GENESIS = bytes(32)
HEAD_FILE = "records.head"
LOST_HEAD_FILE = "records.head.lost"
_SLOT_BYTES = 128
_FIRST_PARTICULARS = 7  # what runs of format 1 have
_encode = json.JSONEncoder(separators=(",", ":"), default=repr).encode


def run_hash(run: Run) -> bytes:
    """Return the sha256 of a run's particulars; every record of the run covers it."""
    cells = list(dataclasses.astuple(run))
    particulars = cells if run.format > 1 else cells[:_FIRST_PARTICULARS]
    return hashlib.sha256(_encode(particulars).encode()).digest()


def record_hash(previous: bytes, sequence: int, run_digest: str, content: Sequence[Cell]) -> bytes:
    """Return sha256(previous ‖ JSON of [sequence, hash of the run, content…]); JSON without blanks, ASCII only."""
    return hashlib.sha256(previous + _encode([sequence, run_digest, *content]).encode()).digest()


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The newest record's number and hash; sequence 0 stands for an empty store."""

    sequence: int = 0
    hash: bytes = GENESIS


class HeadFile:
    """The side file that remembers the head; owned by the store, written after each commit, never before it.

    Two fixed slots are written in turn, in place: one `pwrite` of 128 bytes needs no new disk block (it works on a full
    disk) and costs microseconds, where replacing a file costs more than the commit itself (measured 1.3 ms on ext4).
    A torn slot fails its checksum and the other one counts. It is not flushed: after a power loss it may lag behind the
    store, which is allowed; it can never be ahead.
    """

    def __init__(self, directory: Path, name: str = HEAD_FILE) -> None:
        """Open the head file, or make it."""
        path = directory / name
        self._slot = 0
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if os.fstat(self._fd).st_size < 2 * _SLOT_BYTES:
            os.pwrite(self._fd, b"\n" * (2 * _SLOT_BYTES), 0)
            os.fsync(self._fd)

    def write(self, head: ChainHead) -> None:
        """Remember the head. Raises OSError."""
        body = f"{head.sequence} {head.hash.hex()}"
        line = f"{body} {zlib.crc32(body.encode()):08x}"
        os.pwrite(self._fd, line.ljust(_SLOT_BYTES - 1).encode() + b"\n", self._slot * _SLOT_BYTES)
        self._slot ^= 1

    def close(self) -> None:
        """Close the file; safe to repeat."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def read_head(directory: Path, name: str = HEAD_FILE) -> ChainHead | None:
    """Return the newest head that the side file remembers; None when there is no file, or nothing readable in it."""
    try:
        data = (directory / name).read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        return None
    heads = [_parse_slot(data[start : start + _SLOT_BYTES]) for start in (0, _SLOT_BYTES)]
    return max((head for head in heads if head is not None), key=lambda head: head.sequence, default=None)


def note_lost_head(directory: Path, stored: int) -> None:
    """Leave a lasting note that the head could not be read while the store held records, for `verify` to report."""
    with (directory / LOST_HEAD_FILE).open("a", encoding="utf-8") as notes:
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        notes.write(f"{moment}: records.head was missing or unreadable while the store ended at record {stored}\n")
        notes.flush()
        os.fsync(notes.fileno())


def lost_heads(directory: Path) -> list[str]:
    """Return the notes that `note_lost_head` left, oldest first."""
    try:
        return (directory / LOST_HEAD_FILE).read_text("utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    except IsADirectoryError:
        return [f"{LOST_HEAD_FILE} is a folder"]


def _parse_slot(slot: bytes) -> ChainHead | None:
    try:
        sequence, digest, checksum = slot.decode("ascii").split()
        if zlib.crc32(f"{sequence} {digest}".encode()) != int(checksum, 16):
            return None
        return ChainHead(int(sequence), bytes.fromhex(digest))
    except ValueError:
        return None
