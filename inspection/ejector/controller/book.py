"""Which part is behind each tag: numbers that never repeat, and exactly one report for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from camera.frame import Trigger
from inspection.ejector.controller.wire import Info, Outcome, Result, ResultFlag, StatusReport, TriggerReport
from inspection.part import Actuation, EjectorAction

_TAGS = 65536
_RECALLS = 3
_FAR = 256  # tags; what is further ahead belongs to another start of the controller, or INFO and STATUS will tell of it

_ACTIONS: dict[int, EjectorAction] = {
    Outcome.RELEASED: EjectorAction.RELEASED,
    Outcome.FIRED: EjectorAction.FIRED,
    Outcome.BY_DEFAULT: EjectorAction.FIRED,
    Outcome.MERGED: EjectorAction.FIRED,
    Outcome.REMOVED: EjectorAction.REMOVED,
    Outcome.NOT_SEEN: EjectorAction.NOT_SEEN,
}


@dataclass(slots=True)
class Flying:
    """A part without a report. epoch: None while its TRIGGER has not been heard."""

    number: int
    epoch: int | None
    recalls: int = 0


class PartBook:
    """The parts between trigger and report. Owned by the driver's thread; no port, no clock of its own.

    host_ns: maps device µs to host ns. lead_us, timed: from the configuration; `timed`: due places are device µs.
    """

    def __init__(
        self,
        host_ns: Callable[[int], int],
        on_trigger: Callable[[Trigger], None],
        on_actuation: Callable[[Actuation], None],
        *,
        lead_us: int,
        timed: bool,
    ) -> None:
        self._host_ns = host_ns
        self._on_trigger = on_trigger
        self._on_actuation = on_actuation
        self._lead_us = lead_us
        self._timed = timed
        self._flying: dict[int, Flying] = {}
        self._tags: dict[int, int] = {}  # number to tag
        self._boot_id: int | None = None
        self._next_tag = 0
        self._number = 0
        self.lost_triggers = 0
        self.unknown_results = 0
        self.resets = 0

    def __len__(self) -> int:
        return len(self._flying)

    def meet(self, info: Info) -> list[int]:
        """Take a controller's INFO; return the tags to recall. A new start of it ends what was on its way before."""
        if self._boot_id == info.boot_id:
            return self._catch_up(info.next_tag, info.now_device_us)
        known, self._boot_id = self._boot_id, info.boot_id
        self.give_up()
        if known is None:
            self._next_tag = info.next_tag  # what it did before we came is not ours
            return []
        self.resets += 1
        self._next_tag = info.boot_id >> 8 & 0xFFFF  # the first tag after a start
        return self._catch_up(info.next_tag, info.now_device_us)

    def knows(self, boot_id: int) -> bool:
        """Return whether this is the start of the controller that we know."""
        return self._boot_id == boot_id

    def triggered(self, report: TriggerReport) -> list[int]:
        """Take a TRIGGER; return the tags whose own was lost, to be recalled."""
        if report.flags & ResultFlag.REPEATED or (report.tag - self._next_tag) % _TAGS >= _TAGS // 2:
            flying = self._flying.get(report.tag)
            if flying is not None:
                flying.epoch = report.epoch
            return []  # recalled, or told twice: its part has its number
        if (report.tag - self._next_tag) % _TAGS >= _FAR:
            return []  # of a start that we have not been told of, as it seems: STATUS says which, and what was missed
        lost = self._catch_up(report.tag, report.at_device_us)
        self._take_off(report.tag, report.epoch, report.at_device_us)
        return lost

    def resulted(self, report: Result) -> list[int]:
        """Take a RESULT and report its part; return the tags to recall."""
        ahead = (report.tag - self._next_tag) % _TAGS
        lost: list[int] = []
        if ahead < _FAR and not report.flags & ResultFlag.REPEATED:
            lost = [tag for tag in self._catch_up((report.tag + 1) % _TAGS, report.at_device_us) if tag != report.tag]
        flying = self._flying.pop(report.tag, None)
        if flying is None:
            self.unknown_results += 1
            return lost
        self._tags.pop(flying.number, None)
        self._on_actuation(self._actuation(flying.number, report))
        return lost

    def compared(self, report: StatusReport) -> list[int]:
        """Compare with a STATUS; return the tags to recall, and give those up that cannot be recalled."""
        lost = self._catch_up(report.next_tag, report.now_device_us)
        for tag, flying in list(self._flying.items()):
            if 0 < (report.oldest_tag - tag) % _TAGS < _TAGS // 2 and tag not in lost:
                flying.recalls += 1
                lost.append(tag)
                if flying.recalls > _RECALLS:
                    self._forget(tag)
        return [tag for tag in lost if tag in self._flying]

    def tag(self, number: int) -> int | None:
        """Return the tag of a part on its way; None for one that is not."""
        return self._tags.get(number)

    def tag_of(self, number: int) -> tuple[int, int] | None:
        """Return tag and epoch of a part on its way; None for one that is not, or whose TRIGGER was lost."""
        tag = self._tags.get(number)
        if tag is None:
            return None
        epoch = self._flying[tag].epoch
        return None if epoch is None else (tag, epoch)

    def give_up(self) -> None:
        """Report every part on its way as UNCONFIRMED: the controller rejects it by itself."""
        for tag in list(self._flying):
            self._forget(tag)

    def _forget(self, tag: int) -> None:
        flying = self._flying.pop(tag)
        self._tags.pop(flying.number, None)
        self._on_actuation(Actuation(flying.number, EjectorAction.UNCONFIRMED, True, None, None))

    def _catch_up(self, next_tag: int, device_us: int) -> list[int]:
        """Let every tag before `next_tag` take off that has not: its TRIGGER was lost, but its part is real."""
        lost: list[int] = []
        while self._next_tag != next_tag and (next_tag - self._next_tag) % _TAGS < _TAGS // 2:
            self.lost_triggers += 1
            lost.append(self._next_tag)
            self._take_off(self._next_tag, None, device_us)
        return lost

    def _take_off(self, tag: int, epoch: int | None, device_us: int) -> None:
        if tag in self._flying:
            self._forget(tag)  # its report is 65,536 parts late
        self._number += 1
        self._next_tag = (tag + 1) % _TAGS
        self._flying[tag] = Flying(self._number, epoch)
        self._tags[self._number] = tag
        self._on_trigger(Trigger(self._number, self._host_ns(device_us)))

    def _actuation(self, number: int, report: Result) -> Actuation:
        action = _ACTIONS.get(report.outcome, EjectorAction.UNCONFIRMED)  # a newer firmware knows what we do not
        if action is EjectorAction.FIRED and report.flags & ResultFlag.LATE:
            action = EjectorAction.FIRED_LATE
        by_default = bool(report.flags & ResultFlag.DEFAULTED) or report.outcome == Outcome.MERGED
        fired = bool(report.flags & ResultFlag.PULSE) and report.outcome != Outcome.RELEASED
        written_ns = self._host_ns(report.at_device_us) if fired else None
        due_us = report.due if self._timed else report.at_device_us + self._lead_us
        lateness_us = report.at_device_us + self._lead_us - report.due if fired and self._timed else None
        due_ns = self._host_ns(due_us) if due_us > 0 else None
        return Actuation(number, action, by_default, written_ns, lateness_us, due_ns)
