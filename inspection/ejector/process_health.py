"""The health of an ejector over all its processes: what the one that runs says, and what those before it counted."""

from __future__ import annotations

from dataclasses import dataclass

from inspection.ejector.interface import EjectorHealth
from inspection.ejector.messages import COUNTERS, Health
from inspection.ejector.settings import Settings


@dataclass(slots=True)
class ProcessHealth:
    """Adds up what is counted on both sides of the link; owned by the ejector's client.

    duplicates: parts that were to be armed twice. unsent: messages that no process took. restarts: processes that
    were begun in place of another.
    """

    settings: Settings
    duplicates: int = 0
    unsent: int = 0
    restarts: int = 0
    _pulses: int = 0  # of the process that runs, as it last told
    _reconnects: int = 0
    _past_pulses: int = 0  # of those before it
    _past_reconnects: int = 0

    def replaced(self) -> None:
        """Note that the process is of no use any more: the next one counts from the beginning."""
        self._past_pulses += self._pulses
        self._past_reconnects += self._reconnects
        self._pulses = self._reconnects = 0

    def told(self, health: Health) -> EjectorHealth:
        """Return the health that the process tells of."""
        counters = dict(zip(COUNTERS, health.counts, strict=True))
        self._pulses, self._reconnects = counters.pop("pulses"), health.reconnects
        counters["duplicate_parts"] += self.duplicates
        return EjectorHealth(
            connected=health.connected,
            port=self.settings.port,
            driver=self.settings.driver,
            detail=health.detail,
            pulses=self._past_pulses + self._pulses,
            reconnects=self._past_reconnects + self._reconnects,
            heartbeat_running=health.heartbeat_running,
            realtime=health.realtime,
            counters={**counters, "unsent_messages": self.unsent, "restarts": self.restarts},
        )

    def without(self, detail: str) -> EjectorHealth:
        """Return the health while no process is of use, and why."""
        return EjectorHealth(
            connected=False,
            port=self.settings.port,
            driver=self.settings.driver,
            detail=detail,
            pulses=self._past_pulses + self._pulses,
            reconnects=self._past_reconnects + self._reconnects,
            heartbeat_running=False,
            realtime=False,
            counters={"unsent_messages": self.unsent, "restarts": self.restarts},
        )
