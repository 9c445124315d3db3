"""What a PLC asks for by a bit that rises, a picture or a command, until it has been answered: no clock, no thread."""

from __future__ import annotations

from inspection.plc.map import Command


class TriggerRequest:
    """The bit Trigger: its rise is taken or missed, and answered by TriggerAck or MissedAcq. Owned by the handshake."""

    def __init__(self) -> None:
        self.acknowledged = False
        self.missed = False
        self.missed_count = 0
        self.going = False
        """True while the camera is being asked (Busy)."""
        self._wanted = False

    def rise(self, *, ready: bool) -> None:
        """Take the rise of the bit, or miss it when the station is not ready for it."""
        if ready:
            self._wanted = self.going = True
        else:
            self._miss()

    def take(self) -> bool:
        """Return whether the camera is to be asked now; answer with `done`."""
        wanted, self._wanted = self._wanted, False
        return wanted

    def done(self, taken: bool, *, still_set: bool) -> None:
        """Note whether the camera took it; the acknowledgement stands as long as the PLC's bit does."""
        self.going = False
        if taken:
            self.missed = False
            self.acknowledged = still_set
        else:
            self._miss()

    def fall(self) -> None:
        """Take the fall of the bit: the acknowledgement goes with it."""
        self.acknowledged = False

    def _miss(self) -> None:
        self.missed = True
        self.missed_count += 1


class CommandRequest:
    """The bit ExecuteCommand: one command at a time, answered by Complete or Failed. Owned by the handshake."""

    def __init__(self) -> None:
        self.executing = self.complete = self.refused = False
        self._wanted: Command | None = None

    def rise(self, number: int) -> Command | None:
        """Take the rise of the bit with the number in the Command register; return the command, None when refused."""
        if self.executing:
            return None  # the one before is still being carried out, and answers for both
        known = number in Command.__members__.values()
        self.complete, self.refused = False, not known
        if not known:
            return None
        self._wanted = Command(number)
        self.executing = True
        return self._wanted

    def take(self) -> Command | None:
        """Return the command to carry out now, if any; answer with `done`."""
        wanted, self._wanted = self._wanted, None
        return wanted

    def done(self, succeeded: bool, *, still_set: bool) -> None:
        """Note how it ended; the PLC is told if it still asks."""
        self.executing = False
        if still_set:
            self.complete, self.refused = succeeded, not succeeded

    def fall(self) -> None:
        """Take the fall of the bit: the answer goes with it."""
        self.complete = self.refused = False
