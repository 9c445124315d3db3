"""A belt that waits for the host: a part lies under the camera when the camera is triggered by software, not before."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from camera.belt import Belt
from camera.frame import Trigger

_NEVER_HOST_NS = 2**63 - 1


class CommandedBelt(Belt):
    """A belt on which each part crosses at a command, owned by one camera; any thread may command it.

    `next_trigger` tells of nothing: whoever gives a command knows of its part. At most `UNTAKEN` parts wait for their
    frame to be taken; then a command is refused, as a camera refuses one whose last picture is not read out.
    """

    UNTAKEN = 16

    def __init__(self, crossing_ns: Callable[[int], int], *, parts: int | None) -> None:
        super().__init__(crossing_ns, parts=parts, paced=True)
        self._commanded: OrderedDict[int, int] = OrderedDict()  # part → host time; some more than wait, for `crossed`

    def command(self) -> Trigger | None:
        """Put the next part under the camera now; None when halted, when all were given, or too many wait."""
        with self._changed:
            part = self._next_trigger
            given = self._parts is not None and part > self._parts
            if not self._running or given or self._is_kept(part) or part - self._next_frame >= self.UNTAKEN:
                return None
            host_ns = time.monotonic_ns()
            self._commanded[part] = host_ns
            self._next_trigger = part + 1
            while len(self._commanded) > 2 * self.UNTAKEN:
                self._commanded.popitem(last=False)
            self._changed.notify_all()
            return Trigger(part, host_ns)

    def crossed_host_ns(self, part: int) -> int:
        """Return when one of the newest parts was commanded; 0 for one that was not."""
        return self._commanded.get(part, 0)

    def now_ns(self) -> int | None:
        """Return the time of the clock that stamps the frames: the host's, as their triggers."""
        return None if super().now_ns() is None else time.monotonic_ns()

    def _crossing_of(self, part: int) -> int | None:
        return self._commanded.get(part)

    def _last_crossed(self) -> int:
        return self._next_trigger - 1

    def _next_crossing_host_ns(self) -> int:
        return _NEVER_HOST_NS
