"""What is said when the disk, or the database on it, does not take what is to be stored: the file, why, what to do."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.exc import DBAPIError

from inspection.disk_errors import remedy
from inspection.records.errors import RecordDiskError
from inspection.records.schema import DATABASE_FILE


def told(what: str, directory: Path, error: DBAPIError, still: str = "") -> str:
    """Return in words that something cannot be stored, in which file and why; still: what holds meanwhile."""
    return f"{what} cannot be stored in {directory / DATABASE_FILE}: {error.orig} — {still}{remedy(error.orig)}"


def refused(what: str, directory: Path, error: DBAPIError) -> RecordDiskError:
    """Return the error for something that was not stored."""
    return RecordDiskError(told(what, directory, error))
