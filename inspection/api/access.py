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

    A file that was changed counts within half a second. One that cannot be read any more admits nobody, and the list
    before does not go on to count: whoever was revoked by the very change that spoilt it, or by deleting it in haste,
    would be let in.
    """

    _LOOK_EVERY_S = 0.5

    def __init__(self, file: Path) -> None:
        """Raises AccessFileError."""
        self._file = file
        self._lock = threading.Lock()
        self._stamp = self._look()
        self._known = read_access(file)
        self._next_s = 0.0
        self._trouble = ""

    def now(self) -> AccessList:
        """Return the list as the file has it; an empty one while that cannot be read."""
        with self._lock:
            self._refresh()
            return self._known

    def trouble(self) -> str:
        """Return why the file cannot be read now, '' where it can."""
        with self._lock:
            self._refresh()
            return self._trouble

    def _refresh(self) -> None:
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + self._LOOK_EVERY_S
        stamp = self._look()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._known = read_access(self._file)
        except AccessFileError as error:
            self._known, self._trouble = AccessList(), str(error)
            _log.error("nobody is admitted to the API with a token until this is mended: %s", error)
            return
        self._trouble = ""
        _log.info("%s was read again: %d callers", self._file, len(self._known.entries))

    def _look(self) -> _Stamp | None:
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_mode
