"""The access file as a running server sees it: read again when it was changed, and shut when it cannot be read."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from inspection.api.access_file import AccessList, read_access
from inspection.api.errors import AccessFileError

_log = logging.getLogger(__name__)
_Stamp = tuple[int, int, int, int, int]


class Access:
    """Who may call now. Owned by the server; safe from any thread.

    A file that was changed counts within half a second. One that cannot be read any more admits nobody: whoever was
    revoked in it must not come back because of a typing error.
    """

    _LOOK_EVERY_S = 0.5

    def __init__(self, file: Path) -> None:
        """Raises AccessFileError."""
        self._file = file
        self._lock = threading.Lock()
        self._stamp = self._look()
        self._known = read_access(file)
        self._next_s = 0.0

    def now(self) -> AccessList:
        """Return the list as the file has it; an empty one while that cannot be read."""
        with self._lock:
            now_s = time.monotonic()
            if now_s >= self._next_s:
                self._next_s = now_s + self._LOOK_EVERY_S
                self._refresh()
            return self._known

    def _refresh(self) -> None:
        stamp = self._look()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._known = read_access(self._file)
        except AccessFileError as error:
            self._known = AccessList()
            _log.error("nobody is admitted to the API with a token until this is mended: %s", error)
            return
        _log.info("%s was read again: %d callers", self._file, len(self._known.entries))

    def _look(self) -> _Stamp | None:
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_mode
