"""The alarms that stand now: raised and cleared by name, from any thread, each with the reaction of the recipe."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from inspection.alarms import ALARMS, Reaction
from inspection.control import ActiveAlarm, Confirmation

_log = logging.getLogger(__name__)
_Told = Callable[[ActiveAlarm], None]


@dataclass(slots=True)
class _Standing:
    """One alarm on the board, and when its time is up; None while it stands until it is cleared."""

    alarm: ActiveAlarm
    expires_host_ns: int | None


class AlarmBoard:
    """What is wrong at this moment. Owned by the station; texts and remedies live in the catalogues.

    reactions: by alarm, what the recipe chose; the table's own for an alarm that it does not name.
    """

    def __init__(
        self, reactions: Mapping[str, Reaction] | None = None, now: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._now = now
        self._reactions = dict(reactions or {})
        self._standing: dict[str, _Standing] = {}
        self._lock = threading.Lock()
        self._watchers: list[tuple[_Told, _Told]] = []
        self.blocking = False
        """True while an alarm stands that forbids to pass parts; read by the hot threads without the lock."""
        self.faulty = False
        """True while one of those is a fault, which puts the station in ERROR."""
        self.silencing = False
        """True while the heartbeat must be withdrawn: the line is to be stopped, or the station cannot reject."""
        self.stops = 0
        """How often an alarm has come up whose reaction is to stop the line."""
        self.raised = 0
        self.on_fault: Callable[[str], object] = lambda _names: None
        """Called under the lock when a fault has come up, with the names of those that stand, or '' when none does."""

    def watch(self, raised: _Told, gone: _Told) -> None:
        """Call back with each alarm that comes up and goes, in order, on the thread that raises or clears it.

        Under the board's lock: what is called costs microseconds, waits for nothing and asks the board nothing.
        """
        with self._lock:
            self._watchers.append((raised, gone))

    def reaction(self, name: str) -> Reaction:
        """Return what the station does while this alarm stands."""
        own = Reaction.REJECT_ALL if ALARMS[name].blocks else Reaction.WARN
        return self._reactions.get(name, own)

    def raise_alarm(self, name: str, *, for_s: float | None = None, **values: object) -> bool:
        """Raise an alarm, until it is cleared or for `for_s` seconds; True when it did not stand before."""
        reaction = self.reaction(name)
        shown = {key: str(value) for key, value in values.items()}
        now_host_ns = self._now()
        with self._lock:
            known = self._standing.get(name)
            since_wall_ns = time.time_ns() if known is None else known.alarm.since_wall_ns
            stands_on = known is not None and known.expires_host_ns is None and not known.alarm.is_over
            expires_host_ns = None if for_s is None or stands_on else now_host_ns + round(for_s * 1e9)
            is_held = reaction is Reaction.HOLD
            is_over = is_held and for_s is not None and not stands_on  # a single event is over at once
            alarm = ActiveAlarm(name, since_wall_ns, shown, reaction, must_be_confirmed=is_held, is_over=is_over)
            self._standing[name] = _Standing(alarm, expires_host_ns)
            self.raised += known is None
            self.stops += known is None and reaction is Reaction.STOP_LINE
            self._settle()
            for tell, _ in self._watchers if known is None else ():
                tell(alarm)
            return known is None

    def tell(self, name: str, detail: str, key: str = "detail") -> None:
        """Raise an alarm with its detail, or clear it when there is none; key: the value of its text that this is."""
        if detail:
            self.raise_alarm(name, for_s=None, **{key: detail})
        else:
            self.clear(name)

    def clear(self, name: str) -> bool:
        """Say that the fault has gone; True when its alarm stood and does so no more (a held one does)."""
        with self._lock:
            gone = self._end(name)
            self._settle()
            return gone

    def expire(self) -> None:
        """Clear the alarms whose time is over."""
        now_host_ns = self._now()
        with self._lock:
            for name, standing in list(self._standing.items()):
                if standing.expires_host_ns is not None and standing.expires_host_ns <= now_host_ns:
                    self._end(name)
            self._settle()

    def confirm(self, names: Collection[str], who: str) -> Confirmation:
        """Let go of held alarms whose fault has gone, all of them when `names` is empty; who did it is logged.

        A single event (raised for a time) is over at once; an alarm whose fault is still there stays.
        """
        with self._lock:
            held = [name for name, one in self._standing.items() if one.alarm.reaction is Reaction.HOLD]
            asked = [name for name in held if not names or name in names]
            over = [name for name in asked if self._standing[name].alarm.is_over]
            for name in over:
                self._remove(name)
            self._settle()
        still = [name for name in asked if name not in over]
        _log.warning("alarms confirmed by %s: %s; still there: %s", who, _listed(over), _listed(still))
        return Confirmation(tuple(over), tuple(still))

    def active(self) -> tuple[ActiveAlarm, ...]:
        """Return what stands now, what blocks first, then the oldest."""
        with self._lock:
            alarms = [standing.alarm for standing in self._standing.values()]
        return tuple(sorted(alarms, key=lambda alarm: (not alarm.blocks, alarm.since_wall_ns)))

    def _end(self, name: str) -> bool:
        standing = self._standing.get(name)
        if standing is None:
            return False
        if standing.alarm.reaction is Reaction.HOLD:
            standing.expires_host_ns = None
            standing.alarm = replace(standing.alarm, is_over=True)
            return False
        self._remove(name)
        return True

    def _remove(self, name: str) -> None:
        alarm = self._standing.pop(name).alarm
        for _, tell in self._watchers:
            tell(alarm)

    def _settle(self) -> None:
        self.blocking = any(one.alarm.blocks for one in self._standing.values())
        faults = [name for name, one in self._standing.items() if one.alarm.blocks and ALARMS[name].is_fault]
        was_faulty, self.faulty = self.faulty, bool(faults)
        self.silencing = any(
            one.alarm.reaction is Reaction.STOP_LINE
            or (ALARMS[name].blind and one.alarm.blocks and not one.alarm.is_over)
            for name, one in self._standing.items()
        )
        if self.faulty is not was_faulty:
            self.on_fault(", ".join(faults))


def _listed(names: Collection[str]) -> str:
    return ", ".join(names) or "none"
