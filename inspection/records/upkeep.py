"""What is done for the records beside the parts, whatever those do: signing, the age of images, asked-for holds."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from inspection.records.entries import StoredEntry
from inspection.records.errors import RecordDiskError

_log = logging.getLogger(__name__)


class RecordUpkeep:
    """One thread ("records-upkeep") from the opening of the records to their closing; owned by the station's memory.

    It signs at once what an earlier process left unsigned, and then at least every `sign_every_s`, by the host's own
    clock: a wall clock that is set changes nothing. An empty store is signed within a minute of its first record. A
    disk that refuses is tried again within a minute.
    """

    _TICK_S = 1.0
    _AGAIN_S = 60.0

    def __init__(
        self,
        sign: Callable[[], StoredEntry | None],
        sign_every_s: float,
        looks: Sequence[Callable[[], None]],
        unsigned: Callable[[str], object],
    ) -> None:
        """looks: what is to be called every second, too; each is quick, or gives way by itself.

        unsigned: told why the records are not signed, and '' when they are again.
        """
        self._sign, self._sign_every_s, self._looks, self._unsigned = sign, sign_every_s, looks, unsigned
        self._due_host_s = time.monotonic()
        self._is_refused = self._has_signed = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="records-upkeep", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self, timeout_s: float) -> None:
        """End the thread; safe to repeat. What is unsigned then is signed by the writer's end."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            while True:
                self._sign_when_due()
                for look in self._looks:
                    look()
                if self._over.wait(min(self._TICK_S, self._sign_every_s)):
                    return
        except Exception as error:  # noqa: BLE001 - the edge of this thread: records go on, and the next start signs
            _log.exception("the records are not signed, and images not aged, until the next start")
            self._unsigned(f"the thread that signs and ages images ended: {error!r} — start the station again")

    def _sign_when_due(self) -> None:
        now_host_s = time.monotonic()
        if now_host_s < self._due_host_s:
            return
        try:
            is_new = self._sign() is not None
        except RecordDiskError as error:
            self._due_host_s = now_host_s + min(self._AGAIN_S, self._sign_every_s)
            if not self._is_refused:
                _log.warning("%s; it is tried again every minute", error)
            self._is_refused = True
            self._unsigned(str(error))
            return
        if self._is_refused:
            self._is_refused = False
            self._unsigned("")
        self._has_signed |= is_new
        again_s = min(self._AGAIN_S, self._sign_every_s)
        self._due_host_s = now_host_s + (self._sign_every_s if self._has_signed else again_s)
