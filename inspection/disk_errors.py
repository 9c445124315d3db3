"""What a disk that refuses means: by its error number, what to do about it, and which file it was."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from collections.abc import Iterator
from pathlib import Path

_FULL = "free some space on that disk, or name a place on another one"
_RIGHTS = "mend the rights of the file and its folder, or name a place that this user may write to"
_READ_ONLY = "that disk is mounted read-only: mend it, or mount it so that it can be written"
_BROKEN = "the disk may be failing: look at the system's log, and have it checked"
_GONE = "its folder or disk is not there: make the folder, plug the disk in, or name another place"
_NO_PLACE = "no file can have this place: name another one"
REMEDIES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: "the file is larger than its disk allows: name a place on another one",
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: _READ_ONLY,
    errno.EIO: _BROKEN,
    errno.ENODEV: _GONE,
    errno.ENXIO: _GONE,
    errno.ENOENT: _GONE,
    errno.ENOTDIR: _NO_PLACE,
    errno.EISDIR: _NO_PLACE,
    errno.ENAMETOOLONG: _NO_PLACE,
    errno.ELOOP: _NO_PLACE,
    errno.ESTALE: _GONE,
    errno.EMFILE: "too many files are open: end other programs, or raise the limit (ulimit -n)",
    errno.ENFILE: "too many files are open: end other programs",
}
"""What to do, by error number."""

_SQLITE = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: "mend the rights of the file and its folder, or mount its disk so that it can be written",
    sqlite3.SQLITE_PERM: _RIGHTS,
    sqlite3.SQLITE_AUTH: _RIGHTS,
    sqlite3.SQLITE_CANTOPEN: "its folder may be gone or closed to this user: mend that, or plug the disk in",
    sqlite3.SQLITE_IOERR: f"{_BROKEN}; a full or unplugged disk is told so, too",
    sqlite3.SQLITE_BUSY: "another program holds the database: end it",
    sqlite3.SQLITE_LOCKED: "another program holds the database: end it",
    sqlite3.SQLITE_CORRUPT: "run `lineward records verify`, and restore the folder from a copy",
    sqlite3.SQLITE_NOTADB: "run `lineward records verify`, and restore the folder from a copy",
}


def trouble(error: OSError) -> str:
    """Return file, reason and what to do: "/data/x: No space left on device — free some space …"."""
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror or error} — {remedy(error)}"


def remedy(error: BaseException | None) -> str:
    """Return what to do about an error of a disk, or of the database on it."""
    if isinstance(error, OSError):
        return REMEDIES.get(error.errno or 0, "mend the disk, or name a place on another one")
    code = getattr(error, "sqlite_errorcode", None)
    return _SQLITE.get(code & 0xFF if isinstance(code, int) else -1, "look at the disk of the records, and mend it")


@contextlib.contextmanager
def naming(file: Path) -> Iterator[None]:
    """Give an OSError from inside the name of this file where the system named none. Raises that OSError."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(file)
        raise
