"""The thread of a copy: it works while there is something to do, and waits longer after each failure."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from inspection.background import give_way
from inspection.plant.errors import PlantConflictError, PlantError
from inspection.records.errors import RecordLostError, RecordsError

_IDLE_S = 0.5
_RESTS = 3
_BACKOFF_FIRST_S, _BACKOFF_LAST_S = 0.5, 60.0
_LONGEST_TEXT = 300
_CLOSING_S = 2.0


class Copying(Protocol):
    """What such a thread does."""

    @property
    def name(self) -> str:
        """What is copied, for the thread's name."""

    def step(self) -> bool:
        """Copy some; True when more waits."""

    def hurry(self) -> None:
        """Leave nothing for later: the next steps are the last."""

    def let_go(self) -> None:
        """Close the connection; the next step makes one."""

    def close(self) -> None:
        """Close everything."""


@dataclass(frozen=True, slots=True)
class LoopState:
    """What the thread says of itself; replaced as a whole. trouble: '' while all is well; since_…: of the trouble.

    behind_since_host_ns: since when something waits without a break, None while nothing does.
    """

    trouble: str = ""
    since_wall_ns: int = 0
    since_host_ns: int = 0
    conflict: bool = False
    behind_since_host_ns: int | None = None
    step_since_host_ns: int | None = None


class CopyLoop:
    """Owned by `PlantCopy`; one thread at a lower priority, which computes at most a quarter of the time.

    While there is a backlog it rests after each step three times as long as that took of a processor, so that the line
    has the interpreter; waiting for the plant holds up nobody. No
    failure ends it: each has it let go of its connection and try again, 0.5 s later at first, a minute at last.
    """

    def __init__(self, work: Copying, backoff_last_s: float = _BACKOFF_LAST_S) -> None:
        """Start at once; `work` belongs to the thread from now on, but for what may be read of it."""
        self._work, self._backoff_last_s = work, backoff_last_s
        self._over = threading.Event()
        self.failures = 0
        self.state = LoopState()
        self._thread = threading.Thread(target=self._run, name=f"plant-{work.name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Copy what came last, where that works at once, and end the thread; one that waits is left alone. Bounded."""
        self._over.set()
        self._thread.join(_CLOSING_S)

    def _run(self) -> None:
        give_way()
        backoff_s = _BACKOFF_FIRST_S
        try:
            while not self._over.is_set():
                before_s = time.thread_time()
                pause_s = self._try()
                if pause_s is None:
                    pause_s, backoff_s = backoff_s, min(backoff_s * 2, self._backoff_last_s)
                else:
                    backoff_s = _BACKOFF_FIRST_S
                    pause_s = pause_s or _RESTS * (time.thread_time() - before_s)
                self._over.wait(pause_s)
            self._finish()
            self._work.close()
        except Exception as error:  # noqa: BLE001 - the thread's edge: its owner reads it and raises the alarm
            self._note(f"the thread ended: {error!r} — restart the station", conflict=True)

    def _finish(self) -> None:
        self._work.hurry()
        until_s = time.monotonic() + _CLOSING_S / 2
        while not self.state.trouble and self._try() == 0.0 and time.monotonic() < until_s:
            pass

    def _try(self) -> float | None:
        """Take one step; return how long to rest (0: by how long it took), None when it failed."""
        self.state = replace(self.state, step_since_host_ns=time.monotonic_ns())
        try:
            more = self._work.step()
        except (SQLAlchemyError, RecordsError, PlantError, OSError) as error:
            self.failures += 1
            self._work.let_go()
            self._note(_text(error), conflict=isinstance(error, RecordLostError | PlantConflictError))
            return None
        behind = (self.state.behind_since_host_ns or time.monotonic_ns()) if more else None
        self.state = LoopState(behind_since_host_ns=behind)
        return 0.0 if more else _IDLE_S

    def _note(self, trouble: str, *, conflict: bool) -> None:
        before = self.state
        since = (
            (before.since_wall_ns, before.since_host_ns) if before.trouble else (time.time_ns(), time.monotonic_ns())
        )
        behind = before.behind_since_host_ns or time.monotonic_ns()
        self.state = LoopState(trouble, *since, conflict, behind)


def _text(error: Exception) -> str:
    """Return what an error says in one line: of a driver's only its first, which names the cause."""
    reason = getattr(error, "orig", None) or error
    lines = [line.strip() for line in str(reason).splitlines() if line.strip()]
    text = lines[0] if lines else type(reason).__name__
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
