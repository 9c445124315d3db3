"""What the PLC's commands do at the station."""

from __future__ import annotations

from inspection.alarm_board import AlarmBoard
from inspection.control import LineControl


class LineCommands:
    """Carries out a PLC's commands. Owned by the station; called on the port's threads, which may wait."""

    def __init__(self, line: LineControl, alarms: AlarmBoard) -> None:
        self._line = line
        self._alarms = alarms

    def start_line(self) -> None:
        """Start inspecting; raises StateError when the present state does not allow it."""
        self._line.start_line()

    def stop_line(self) -> None:
        """Stop inspecting, after the parts in flight."""
        self._line.stop_line()

    def confirm(self) -> None:
        """Let go of the messages that are held and whose fault has gone; what is still broken stays."""
        self._alarms.confirm((), "PLC")

    def trigger(self) -> bool:
        """Have the camera make a picture; True once its part is known. Raises StateError, TriggerMissedError."""
        self._line.trigger_once()
        return True
