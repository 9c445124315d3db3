"""A new file that is whole or not there at all: it has no name before its end, and a killed command leaves nothing.

Where the file system knows no files without a name (O_TMPFILE) it is written beside its place: `.NAME.….part`, locked.
What a killed command left so is removed when a file of that name is written again.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from inspection.disk_errors import naming

_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)  # as on the FAT of a memory stick
_NO_SUCH_THING = (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL)


@contextlib.contextmanager
def new_file(out: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Give a file to write to; it has its name, durably, when the block ends without an error.

    mode: its permissions, less the umask. Raises FileExistsError where the name is taken, then or meanwhile, and
    OSError with the name of the file; in both cases nothing is left.
    """
    with naming(out):
        if out.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(out))
        folder = os.open(out.absolute().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _remove_left(out)
            descriptor, beside = _opened(out, mode)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                    source = f"/proc/self/fd/{file.fileno()}" if beside is None else str(beside)
                    _name(source, beside, out, folder)
            finally:
                if beside is not None:
                    beside.unlink(missing_ok=True)
            os.fsync(folder)
        finally:
            os.close(folder)


def _opened(out: Path, mode: int) -> tuple[int, Path | None]:
    """Open a file without a name, or one beside its place."""
    try:
        return os.open(out.absolute().parent, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, mode), None
    except OSError as error:
        if error.errno not in _NO_SUCH_THING:
            raise
    beside = out.with_name(f".{out.name}.{secrets.token_hex(4)}.part")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor, beside


def _name(source: str, beside: Path | None, out: Path, folder: int) -> None:
    """Give a file its name, which must not be taken. Raises OSError."""
    try:
        os.link(source, out.name, dst_dir_fd=folder, follow_symlinks=True)
    except OSError as error:
        if beside is None or error.errno not in _NO_LINKS:
            raise
        if out.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(out)) from None
        beside.rename(out)


def _remove_left(out: Path) -> None:
    """Remove what killed commands left beside a name; what another one is just writing is locked, and stays."""
    for left in out.absolute().parent.glob(f".{_plain(out.name)}.????????.part"):
        with contextlib.suppress(OSError):
            descriptor = os.open(left, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
            finally:
                os.close(descriptor)


def _plain(name: str) -> str:
    """Return a name as a pattern that means itself."""
    return "".join(f"[{one}]" if one in "*?[" else one for one in name)
