"""One process a folder of records: the lock that the open store holds."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from inspection.records.durable import sync_directory
from inspection.records.errors import RecordStoreError

_LOCK_FILE = "records.lock"


def lock_folder(directory: Path) -> int:
    """Lock a folder for this process, made if it is not there; return the descriptor that holds the lock until closed.

    Raises RecordStoreError where the folder cannot be used, or another process holds it.
    """
    try:
        is_new = not directory.exists()
        directory.mkdir(parents=True, exist_ok=True)
        if is_new:
            sync_directory(directory.parent)
        descriptor = os.open(directory / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise RecordStoreError(
            f"{directory}: cannot be used for records: {error.strerror} — a folder that this user may write to is "
            "needed — mend its rights, or name another one"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise RecordStoreError(
            f"{directory}: another station writes its records here — one process a folder is allowed — stop the other "
            "one, or name another folder"
        ) from error
    return descriptor
