"""What can go wrong with the records.

RecordsError                anything below
├── RecordStoreError        the folder holds no record store of ours, or another station holds it: mend the path
│   ├── RecordStoreHeldError  a station runs in it and alone writes there: ask the station, or stop it
│   └── RecordStoreDamagedError  its database cannot be opened any more: restore the folder from a copy
├── RecordDiskError         the disk does not take records: the text says which file, why, and what to do
├── RecordLostError         the store ends before its own head, or a row cannot be read: run `records verify`
├── SigningKeyError         the key that signs the records cannot be used: put it back, or move it away
├── BackupError             a backup cannot be made or taken back: the place is taken, or what is there is not whole
├── HoldError               a legal hold that names nothing, has no reason, or is not there
├── ExportError             records cannot be written as a table: the file is there, or its kind is not known
├── RecordMissingError      there is no record of that number
├── RecordRunError          a run was begun twice with different particulars, or a part names no run
└── JournalError            the in-flight journal cannot be read or written, or was not recovered first
"""

from __future__ import annotations


class RecordsError(Exception):
    """Base of all record errors; `exit_code` is what a command line ends with."""

    exit_code = 1


class RecordStoreError(RecordsError):
    """The path is not a record store that this version can use now."""

    exit_code = 2


class RecordStoreHeldError(RecordStoreError):
    """Another process writes into this store now."""


class RecordStoreDamagedError(RecordStoreError):
    """The database of a store cannot be opened any more. problem: what is wrong, without file and remedy."""

    def __init__(self, text: str, problem: str) -> None:
        super().__init__(text)
        self.problem = problem


class SigningKeyError(RecordsError):
    """A key that records are signed with, or held against, cannot be used."""

    exit_code = 2


class BackupError(RecordsError):
    """A backup cannot be made, or is not what can be restored."""


class HoldError(RecordsError):
    """A legal hold cannot be set or released as it was asked for."""

    exit_code = 2


class ExportError(RecordsError):
    """Records cannot be written as the table that was asked for."""

    exit_code = 2


class RecordDiskError(RecordsError):
    """The disk, or the database on it, does not take what is to be stored."""


class RecordLostError(RecordsError):
    """Records that were durable are gone or cannot be read. row: the number of the one that this is about, 0 for none;
    cell: which part of it is wrong, where that is known.
    """

    def __init__(self, text: str, *, row: int = 0, cell: str = "") -> None:
        super().__init__(text)
        self.row, self.cell = row, cell


class RecordMissingError(RecordsError):
    """The store has no record of that number."""


class RecordRunError(RecordsError):
    """A run's particulars do not fit what is stored."""


class JournalError(RecordsError):
    """The in-flight journal cannot do its work."""
