"""The highest memory of this process while a block runs, that of its own apart from that of files it has mapped."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

_STATUS = Path("/proc/self/status")
_PERIOD_S = 0.1


class Peak:
    """Samples the kernel's account in a thread of its own; entered and left by the thread that owns it.

    whole_mb: resident set at its highest (10⁶ bytes), pages of mapped files included; the kernel may take these back
    whenever memory is short. own_mb: what is the process's alone (anonymous), as sampled. None where the kernel gives
    no such account.
    """

    def __init__(self) -> None:
        self.whole_mb: float | None = None
        self.own_mb: float | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak-memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._sample()

    def _watch(self) -> None:
        while not self._stop.wait(_PERIOD_S):
            self._sample()

    def _sample(self) -> None:
        if not _STATUS.exists():
            return
        account = dict(re.findall(r"^(\w+):\s+(\d+) kB$", _STATUS.read_text(encoding="ascii"), re.MULTILINE))
        if "VmHWM" in account and "RssAnon" in account:
            self.whole_mb = max(self.whole_mb or 0.0, int(account["VmHWM"]) * 1024 / 1e6)
            self.own_mb = max(self.own_mb or 0.0, int(account["RssAnon"]) * 1024 / 1e6)
