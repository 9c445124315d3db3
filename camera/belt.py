"""The belt of a camera without hardware: when each part crosses the photo-eye, and who has been told of it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from threading import Condition, Lock

from camera.frame import Trigger

UNREAD_TRIGGERS = 256
"""How far frames may run ahead of the triggers that were read; then they wait, where anybody reads triggers."""


def chance(seed: int, what: str, part: int) -> float:
    """Draw a number in [0, 1) that depends on its arguments alone, so that any part can be looked up again."""
    digest = blake2b(f"{seed}/{what}/{part}".encode(), digest_size=7).digest()
    return int.from_bytes(digest) / 2**56


@dataclass(frozen=True, slots=True)
class Spacing:
    """Parts laid on a belt every `pitch_mm`, each up to `jitter_mm` (below half the pitch) off its place."""

    pitch_mm: float
    speed_mm_s: float
    jitter_mm: float = 0.0
    seed: int = 0

    def crossing_ns(self, part: int) -> int:
        """Return the belt time in ns at which part `part` (from 1) crosses the photo-eye; grows with `part`."""
        off_mm = self.jitter_mm * (2.0 * chance(self.seed, "jitter", part) - 1.0)
        return round((part * self.pitch_mm + off_mm) / self.speed_mm_s * 1e9)


class Belt:
    """A belt that moves parts 1, 2, … past a photo-eye, owned by one camera and shared by its two callers.

    The triggering thread takes crossings with `next_trigger`, the grabbing thread takes parts with `take_frame`;
    everything is guarded by one condition, and nothing here polls. `paced`: crossings follow `crossing_ns` on the
    host clock. Otherwise the belt moves by handshake: a part crosses when the grabbing thread comes for it.
    A halted belt stands before the first part that nobody was told of, so a stop loses no part silently. Before that
    it may `cease`: then only what has crossed is still given.
    """

    def __init__(self, crossing_ns: Callable[[int], int], *, parts: int | None, paced: bool) -> None:
        self._crossing_ns = crossing_ns
        self._parts = parts
        self._paced = paced
        self._changed = Condition(Lock())
        self._running = False
        self._run = 0  # which stretch between two halts this is: a wait never reaches into the next one
        self._origin_host_ns = 0  # host time at which the belt time was 0, while running
        self._belt_ns = 0  # belt time, while halted
        self._next_trigger = 1
        self._next_frame = 1
        self._last: int | None = None  # the last part that crosses before the next halt, once that is settled
        self._crossed: Trigger | None = None  # handshake: the part before the camera, its frame not yet taken
        self._unread: deque[Trigger] = deque()
        self._listened = False
        self.dropped_triggers = 0  # never read, because nobody ever called next_trigger

    @property
    def paced(self) -> bool:
        """True when crossings follow the clock, False when they follow the grabbing thread."""
        return self._paced

    @property
    def next_frame(self) -> int:
        """Number of the part whose frame is to be taken next."""
        return self._next_frame

    @property
    def frames_done(self) -> bool:
        """True when the frames of all parts of a finite belt were taken."""
        return self._parts is not None and self._next_frame > self._parts

    @property
    def finished(self) -> bool:
        """True when all frames were taken and, where anybody listens to them, all triggers, too."""
        triggers_done = not self._unread and self._parts is not None and self._next_trigger > self._parts
        return self.frames_done and (triggers_done or not self._listened)

    @property
    def origin_host_ns(self) -> int:
        """Host time at which the belt time was 0, while it runs."""
        return self._origin_host_ns

    def now_ns(self) -> int | None:
        """Return the belt time; None while the belt stands or waits for the host."""
        with self._changed:
            return time.monotonic_ns() - self._origin_host_ns if self._running and self._paced else None

    def run(self, origin_host_ns: int | None = None) -> None:
        """Set the belt in motion from where it stands, or with another one that looks at the same parts."""
        with self._changed:
            self._origin_host_ns = time.monotonic_ns() - self._belt_ns if origin_host_ns is None else origin_host_ns
            self._running = True
            self._last = None
            self._run += 1

    def cease(self, last: int | None = None) -> int:
        """Let no further part cross, or none after `last`; return the last that does. A halt follows."""
        with self._changed:
            if self._last is None:
                self._last = self._last_crossed() if last is None else last
                self._changed.notify_all()
            return self._last

    @property
    def last(self) -> int | None:
        """The last part that crosses before the next halt, once the belt has ceased; None before."""
        return self._last

    def halt(self) -> None:
        """Stop the belt before the first part that nobody was told of; wake all who wait. Idempotent."""
        with self._changed:
            if not self._running:
                return
            self._belt_ns = time.monotonic_ns() - self._origin_host_ns
            if self._paced and self._listened:
                for part in range(self._next_trigger, self._next_frame):
                    # Its frame was taken before its trigger was read.
                    self._queue(Trigger(part, self._origin_host_ns + self._crossing_ns(part)))
            following = max(self._next_trigger, self._next_frame)
            self._next_trigger = self._next_frame = following
            if self._parts is None or following <= self._parts:
                self._belt_ns = min(self._belt_ns, self._crossing_ns(following))
            self._crossed = None
            self._running = False
            self._changed.notify_all()

    def next_trigger(self, until_host_ns: int) -> Trigger | None:
        """Wait for the next crossing; None when the time is up, the belt halts, or everything was given (or ceased)."""
        with self._changed:
            self._listened = True
            run = self._run
            while self._running and run == self._run and not self.finished and not self._all_told:
                was_behind = self._listener_is_behind()
                trigger = self._due_trigger()
                if trigger is not None:
                    if was_behind or self.finished:
                        self._changed.notify_all()
                    return trigger
                if not self._wait(min(until_host_ns, self._next_crossing_host_ns()), until_host_ns):
                    return None
            return None

    def take_frame(self, part: int, delay_ns: int, until_host_ns: int) -> bool:
        """Wait until part `part`, the next one, crossed at least `delay_ns` ago, and take it.

        False when the time is up, the belt halted, or it went on without this part.
        """
        with self._changed:
            run = self._run
            while self._running and run == self._run and part == self._next_frame:
                crossed_host_ns = self._crossing_of(part)
                if crossed_host_ns is None:  # the listener has to catch up first, or it does not cross any more
                    wake_host_ns = until_host_ns
                elif time.monotonic_ns() >= crossed_host_ns + delay_ns:
                    self._next_frame += 1
                    self._crossed = None
                    if self.frames_done:
                        self._changed.notify_all()
                    return True
                else:
                    wake_host_ns = min(until_host_ns, crossed_host_ns + delay_ns)
                if not self._wait(wake_host_ns, until_host_ns):
                    return False
            return False

    def await_end(self, until_host_ns: int) -> None:
        """Wait until the last trigger was read, too, or the time is up, or the belt halts."""
        with self._changed:
            while self._running and not self.finished and self._wait(until_host_ns, until_host_ns):
                pass

    def _due_trigger(self) -> Trigger | None:
        if self._unread:
            return self._unread.popleft()
        crossing_host_ns = self._next_crossing_host_ns()
        if self._paced and time.monotonic_ns() >= crossing_host_ns:
            self._next_trigger += 1
            return Trigger(self._next_trigger - 1, crossing_host_ns)
        return None

    @property
    def _all_told(self) -> bool:
        return not self._unread and self._is_kept(self._next_trigger)

    def _is_kept(self, part: int) -> bool:
        """Tell whether a part is kept from crossing until the belt runs again."""
        return self._last is not None and part > self._last

    def _last_crossed(self) -> int:
        following = max(self._next_trigger, self._next_frame)
        if self._paced and self._running:
            now_belt_ns = time.monotonic_ns() - self._origin_host_ns
            while (self._parts is None or following <= self._parts) and self._crossing_ns(following) <= now_belt_ns:
                following += 1
        return following - 1

    def _next_crossing_host_ns(self) -> int:
        given = self._parts is not None and self._next_trigger > self._parts
        if not self._paced or given or self._is_kept(self._next_trigger):
            return 2**63 - 1
        return self._origin_host_ns + self._crossing_ns(self._next_trigger)

    def _listener_is_behind(self) -> bool:
        first_unread = self._next_trigger - len(self._unread)
        return self._listened and self._next_frame - first_unread >= UNREAD_TRIGGERS

    def _crossing_of(self, part: int) -> int | None:
        if self._listener_is_behind() or self._is_kept(part):
            return None
        if self._paced:
            return self._origin_host_ns + self._crossing_ns(part)
        if self._crossed is None:
            self._crossed = Trigger(part, time.monotonic_ns())
            self._queue(self._crossed)
            self._next_trigger = part + 1
            self._changed.notify_all()
        return self._crossed.host_ns

    def _queue(self, trigger: Trigger) -> None:
        self._unread.append(trigger)
        if not self._listened and len(self._unread) > UNREAD_TRIGGERS:
            self._unread.popleft()
            self.dropped_triggers += 1

    def _wait(self, wake_host_ns: int, until_host_ns: int) -> bool:
        """Sleep until `wake_host_ns` or a change; False when `until_host_ns` has passed."""
        now_host_ns = time.monotonic_ns()
        if now_host_ns >= until_host_ns:
            return False
        if wake_host_ns > now_host_ns:
            self._changed.wait((wake_host_ns - now_host_ns) / 1e9)
        return True
