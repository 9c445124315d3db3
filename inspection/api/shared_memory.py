"""Pixels that a client on the same machine has laid into POSIX shared memory, read without ever trusting its sizes.

They are read with `pread` and not mapped: a client that shortens its memory while a mapping is read would end the
station with SIGBUS, where `pread` just gives fewer bytes.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import grpc

from inspection.api.errors import RefusedError

PREFIX = "lineward-"
FOLDER = Path("/dev/shm")
_NAME = re.compile(rf"/?({PREFIX}[A-Za-z0-9._-]{{1,200}})")


def read_shared(name: str, offset: int, size: int) -> bytearray:
    """Return `size` bytes from `offset` on; whoever asks has bounded the size.

    Raises RefusedError: INVALID_ARGUMENT (reason IMAGE) for a name that is none, and for less memory than was told;
    PERMISSION_DENIED (reason SHARED_MEMORY) for memory that is not the client's to show.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise _wrong(
            "name",
            f"shared memory {name[:60]!r} is not read — /{PREFIX}… of letters, digits, . _ - is — rename it",
        )
    try:
        # No link is followed, nothing is waited for, and nothing can be changed through it.
        file = os.open(FOLDER / match[1], os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise _wrong(
            "name",
            f"shared memory {name!r} cannot be opened ({error.strerror}) — create it first, and keep it until "
            "the answer has come",
        ) from error
    try:
        _require_right(file, name)
        return _read(file, offset, size)
    finally:
        os.close(file)


def _require_right(file: int, name: str) -> None:
    """Refuse what its owner did not mean to show, and what others could change. Raises RefusedError."""
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode):
        raise _wrong("name", f"{name!r} is no shared memory — make it with shm_open — see SharedImage")
    is_ours = status.st_uid == os.geteuid()
    if not is_ours and not status.st_mode & stat.S_IROTH:
        raise _denied(f"shared memory {name!r} belongs to another user, and not everybody may read it")
    if status.st_mode & stat.S_IWOTH:
        raise _denied(f"shared memory {name!r} may be written by everybody")


def _read(file: int, offset: int, size: int) -> bytearray:
    there = os.fstat(file).st_size
    if offset + size > there:
        raise _wrong("size_bytes", f"bytes {offset} to {offset + size} are told of, {there} are there — mend the sizes")
    data = bytearray(size)
    view, done = memoryview(data), 0
    while done < size:
        count = os.preadv(file, [view[done:]], offset + done)
        if count == 0:
            raise _wrong(
                "size_bytes",
                f"the memory became shorter while it was read: {done} of {size} bytes were there — keep "
                "it until the answer has come",
            )
        done += count
    return data


def _wrong(field: str, text: str) -> RefusedError:
    return RefusedError(grpc.StatusCode.INVALID_ARGUMENT, "IMAGE", text, field=f"shared.{field}")


def _denied(what: str) -> RefusedError:
    return RefusedError(
        grpc.StatusCode.PERMISSION_DENIED,
        "SHARED_MEMORY",
        f"{what} — it must be the station's user's own or readable, and writable by nobody else — change its mode",
        field="shared.name",
    )
