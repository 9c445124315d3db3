"""When the heartbeat output changes its level: only while the station says that it is alive."""

from __future__ import annotations


class Heartbeat:
    """A square wave on one channel that a watchdog relay listens to. Owned by the scheduler's thread.

    It runs while `alive` keeps being called, and stops without another edge as soon as it is not.
    """

    def __init__(self, channel: int | None, period_ns: int, alive_timeout_ns: int) -> None:
        self.channel = channel
        self._period_ns = period_ns
        self._alive_timeout_ns = alive_timeout_ns
        self._alive_until_ns: int | None = None
        self._next_ns = 0
        self._level = False

    def alive(self, now_ns: int) -> None:
        """Note a sign of life."""
        if self.channel is not None:
            if not self.running(now_ns):
                self._next_ns = now_ns
            self._alive_until_ns = now_ns + self._alive_timeout_ns

    def silence(self) -> None:
        """Stop at once, until the next sign of life."""
        self._alive_until_ns = None

    def running(self, now_ns: int) -> bool:
        """Return whether the last sign of life is recent enough."""
        return self._alive_until_ns is not None and now_ns <= self._alive_until_ns

    def next_ns(self) -> int | None:
        """Return when to look again: the next edge or the end of the station's time; None while silent."""
        return None if self._alive_until_ns is None else min(self._next_ns, self._alive_until_ns + 1)

    def edge(self, now_ns: int) -> bool | None:
        """Return the level to write now, None when no edge is due. A heartbeat that has run out falls silent."""
        if not self.running(now_ns):
            self.silence()
            return None
        if now_ns < self._next_ns:
            return None
        following_ns = self._next_ns + self._period_ns
        self._next_ns = following_ns if following_ns > now_ns else now_ns + self._period_ns
        self._level = not self._level
        return self._level
