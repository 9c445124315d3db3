"""What a station says in its log: each change of its state, each alarm that comes and goes, at debug each part."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from inspection.alarm_board import AlarmBoard
from inspection.alarms import Severity, severity_of
from inspection.background import give_way
from inspection.control import ActiveAlarm, State
from inspection.records.record import StoredRecord
from inspection.texts.catalogue import load_catalogue

_log = logging.getLogger(__name__)
_LEVELS = {Severity.INFO: logging.INFO, Severity.WARNING: logging.WARNING, Severity.ERROR: logging.ERROR}


class StationSpeaker:
    """Follows one open station. Owned by whoever made it; its thread looks at the state ten times a second.

    An alarm is told by the board at the moment it comes and goes, so that none is too short to be seen.
    """

    _TICK_S = 0.1

    def __init__(self, alarms: AlarmBoard, state: Callable[[], State]) -> None:
        self._state = state
        self._texts = load_catalogue("en")
        self._over = threading.Event()
        self._told: State | None = None
        self._tell_state()
        for alarm in alarms.active():
            self._raised(alarm)
        alarms.watch(self._raised, self._gone)
        self._thread = threading.Thread(target=self._run, name="state-log", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End following, with the last state told. Idempotent."""
        self._over.set()
        self._thread.join(2.0)

    def on_durable(self, records: list[StoredRecord]) -> None:
        """Say one line for each part, at debug alone."""
        if not _log.isEnabledFor(logging.DEBUG):
            return
        for record in records:
            said: dict[str, object] = {"part": record.part, "lot": record.lot, "serial": record.serial}
            said |= {"sequence": record.sequence, "verdict": str(record.verdict), "reason": str(record.reason)}
            _log.debug("part %d: %s %s", record.part, record.verdict, record.reason, extra=said)

    def _run(self) -> None:
        give_way()
        while not self._over.wait(self._TICK_S):
            self._tell_state()
        self._tell_state()

    def _tell_state(self) -> None:
        state = self._state()
        if state is not self._told:
            _log.info("the station is %s", state, extra={"state": str(state)})
        self._told = state

    def _raised(self, alarm: ActiveAlarm) -> None:
        level = _LEVELS[severity_of(alarm.name)]
        text, remedy = self._texts.alarm(alarm.name, alarm.values)
        extra = {"alarm": alarm.name, "reaction": str(alarm.reaction), "part": alarm.values.get("part", "")}
        _log.log(level, "alarm %s (%s): %s %s", alarm.name, alarm.reaction, text, remedy, extra=extra)

    def _gone(self, alarm: ActiveAlarm) -> None:
        _log.info("alarm %s is over", alarm.name, extra={"alarm": alarm.name})
