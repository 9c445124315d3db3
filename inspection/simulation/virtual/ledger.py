"""The judge: it knows where each part really went, and holds records and pulses against that."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from inspection.part import EjectorAction, PartResult, Reason, Verdict
from inspection.simulation.virtual.belt import Piece, Pulse
from inspection.simulation.virtual.plan import Plan, Wiring
from inspection.simulation.virtual.story import Story

GOOD_BIN = "good bin"
REJECT_BIN = "reject bin"
CLEARED = "cleared off the standing belt"
TAKEN = "taken off by somebody"

_NOT_PULSED = frozenset(
    {EjectorAction.RELEASED, EjectorAction.TAKEN_ALONG, EjectorAction.REMOVED, EjectorAction.DIVERTED}
)
_PULSED = frozenset({EjectorAction.FIRED, EjectorAction.FIRED_LATE, EjectorAction.NOT_SEEN})


@dataclass(slots=True, eq=False)
class Tag:
    """One trigger that the station took: its part's number in its run, and the part, if there was one at all."""

    run: str
    number: int
    piece: Piece | None
    place: int  # where the belt was
    pulses: int = 0
    released: bool = False  # the ejector's side let it pass, because a PASS was there in time
    through: bool = False  # a controller has ended it: nothing more will be fired for it
    knew_it: bool = False  # at that moment the model had seen each view of this very part, and called it good
    record: tuple[Verdict, Reason, EjectorAction] | None = None


@dataclass(slots=True)
class Account:
    """What a simulation amounts to; `broken` is empty when every promise was kept."""

    seed: int
    parts: int = 0
    triggers: int = 0
    records: int = 0
    passed: int = 0
    rejected_by_reason: Counter[str] = field(default_factory=Counter)
    recovered: int = 0
    pulses: int = 0
    system_escapes: int = 0
    wrong_pulses: int = 0
    record_faults: int = 0  # a second record of a trigger, a trigger without one, a record that nobody triggered
    late: int = 0
    fault_overkill: int = 0
    model_escapes: int = 0
    model_overkill: int = 0
    cleared: int = 0  # parts that the operator took off a belt that stood
    fault_hits: int = 0  # passed parts hit by a pulse that is counted as a fault, in its record or by EJECTOR_LOST
    frames: int = 0
    belt_stops: int = 0
    touching: int = 0  # parts that lay against the one before them: nobody saw them as parts
    touching_unseen: int = 0  # of these, the ones that went to the good bin with the one before
    alarms: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    virtual_s: float = 0.0
    digest: str = ""
    first_broken: str = ""
    first_part: int | None = None

    @property
    def kept(self) -> bool:
        """Return whether every promise held."""
        return not (self.system_escapes or self.wrong_pulses or self.record_faults or self.records != self.triggers)

    def as_json(self) -> dict[str, Any]:
        """Return it with plain values."""
        names = [name for name in self.__slots__ if name not in ("faults", "alarms", "rejected_by_reason")]
        plain: dict[str, Any] = {name: getattr(self, name) for name in names}
        plain["alarms"] = dict(sorted(self.alarms.items()))
        plain["faults"] = dict(sorted(self.faults.items()))
        plain["rejected_by_reason"] = dict(sorted(self.rejected_by_reason.items()))
        return plain | {"promises_kept": self.kept}


class Ledger:
    """Follows each trigger until its record and its part's fate are known, then folds both into the account.

    Nothing is kept of a part that is settled: ten million take no more memory than one.
    """

    def __init__(self, plan: Plan) -> None:
        self.account = Account(plan.seed)
        self._pulse_releases = plan.wiring is Wiring.RELEASE
        self._merges = plan.is_timed_by_controller  # one pulse may stand for several parts
        self._too_close = plan.counts(plan.window_ns)
        self._open: dict[tuple[str, int], Tag] = {}
        self._digest = hashlib.sha256()
        self.story: Story | None = None

    def triggered(self, run: str, number: int, piece: Piece | None, place: int) -> None:
        """Take note of a trigger that the station took."""
        tag = self._open.get((run, number))
        if tag is not None:
            return
        tag = Tag(run, number, piece, place)
        if piece is not None and piece.tag is None:
            piece.tag = tag
            if self.story is not None:
                self.story.tagged(piece.index, run, number)
        else:
            tag.piece = None
        self._open[run, number] = tag
        self.account.triggers += 1

    def tag(self, run: str, number: int) -> Tag | None:
        """Return the trigger that a number stands for, while it is open."""
        return self._open.get((run, number))

    def released(self, run: str, number: int, all_views: int) -> None:
        """Take note that the ejector's side lets a part pass."""
        tag = self._open.get((run, number))
        if tag is not None:
            self.let_pass(tag, all_views)

    def let_pass(self, tag: Tag, all_views: int) -> None:
        """Take note that a PASS of a part counts."""
        piece = tag.piece
        tag.released = True
        self._tell(tag, "its PASS was there in time")
        tag.knew_it = piece is None or (piece.model_passes and piece.views_scored == all_views)

    def fired(self, tag: Tag | None, device_us: int) -> None:
        """Take note that a controller has fired for a part: of a station, or of none."""
        if tag is not None and not (tag.record is not None and tag.record[2] is EjectorAction.UNCONFIRMED):
            self.pulsed(tag.run, tag.number, device_us)
        else:
            self.account.pulses += 1
            self._digest.update(b"pulse - %d " % device_us)

    def came_through(self, tag: Tag) -> None:
        """Take note that a controller is done with a part, whether or not the station hears of it."""
        tag.through = True
        if (tag.run, tag.number) in self._open:
            self._settle(tag)

    def pulsed(self, run: str, number: int, written_ns: int) -> None:
        """Take note of a pulse that was written for a part."""
        self.account.pulses += 1
        self._digest.update(b"pulse %d %d " % (number, written_ns))
        tag = self._open.get((run, number))
        if tag is None or (tag.record is not None and tag.record[2] is not EjectorAction.UNCONFIRMED):
            self._break(
                "wrong_pulses", f"a pulse at {written_ns} ns for part {number} of run {run}, which is over", tag
            )
        else:
            tag.pulses += 1

    def recorded(self, result: PartResult, *, recovered: bool = False) -> None:
        """Take a durable record."""
        account, decision, action = self.account, result.decision, result.actuation.action
        account.records += 1
        account.recovered += recovered
        text = f"{result.run} {result.part} {decision.verdict} {decision.reason} {action} {decision.score} "
        self._digest.update(f"{text}{result.stages.decided_host_ns} {result.due_host_ns}\n".encode())
        tag = self._open.get((result.run, result.part))
        if tag is None or tag.record is not None:
            self._break("record_faults", f"another record of part {result.part} of run {result.run}", tag)
            return
        self._tell(tag, f"recorded: {decision.verdict} {decision.evaluation} {decision.reason}, {action}")
        tag.record = (decision.verdict, decision.reason, action)
        if decision.verdict is Verdict.PASS:
            account.passed += 1
        else:
            account.rejected_by_reason[decision.reason.value] += 1
        account.late += decision.reason is Reason.LATE
        self._settle(tag)

    def went(self, piece: Piece, fate: str) -> None:
        """Take note of where a part has gone."""
        piece.fate = fate
        account = self.account
        account.cleared += fate is CLEARED
        account.touching += piece.touches
        tag = piece.tag
        if tag is None:
            if piece.touches:
                account.touching_unseen += fate is GOOD_BIN
            elif fate is GOOD_BIN:
                self._break("system_escapes", f"part {piece.index} went to the good bin, and nothing triggered", None)
                account.first_part = piece.index if account.first_part is None else account.first_part
            return
        if fate is GOOD_BIN:
            account.model_escapes += tag.knew_it and not piece.is_good
            if not (tag.released and tag.knew_it):
                known = "it was released unknown" if tag.released else "nobody released it"
                self._break(
                    "system_escapes", f"part {piece.index} (number {tag.number}) is in the good bin: {known}", tag
                )
        elif piece.is_good and fate is not TAKEN:
            account.model_overkill += not piece.model_passes
            account.fault_overkill += piece.model_passes
        self._settle(tag)

    def _tell(self, tag: Tag, text: str) -> None:
        if self.story is not None:
            self.story.number(tag.run, tag.number, text)

    def _settle(self, tag: Tag) -> None:
        piece = tag.piece
        if tag.record is None or (piece is not None and not piece.fate):
            return
        verdict, _, action = tag.record
        if self._pulse_is_wrong(tag.pulses, verdict, action):
            text = f"part {tag.number} had {tag.pulses} pulses, but its record says {verdict} {action}"
            self._break("wrong_pulses", text, tag)
        if verdict is Verdict.PASS and piece is not None and piece.hit_by and not self._pulse_releases:
            if self._is_counted(piece, piece.hit_by):
                self.account.fault_hits += 1
            else:
                self._break("wrong_pulses", f"a pulse hit part {tag.number}, which was passed", tag)
        if action is EjectorAction.UNCONFIRMED and not tag.through:
            return  # the orphaned ejector may still fire for it: it is closed with its run
        del self._open[tag.run, tag.number]

    def _is_counted(self, piece: Piece, pulse: Pulse) -> bool:
        """Return whether a pulse is known to have hit a passed part: as a fault, or by the alarm PARTS_TOO_CLOSE.

        A doubled trigger just behind a part makes the station reject somebody who is not there, and hit the part.
        """
        behind = (place - piece.position for place in pulse.fired_for)
        return pulse.is_counted or any(0 <= distance <= self._too_close for distance in behind)

    def _pulse_is_wrong(self, pulses: int, verdict: Verdict, action: EjectorAction) -> bool:
        """Hold a part's pulses against what its record says of them; FAILED and UNCONFIRMED are counted faults."""
        if self._pulse_releases:
            return action is EjectorAction.DIVERTED and pulses > 0
        if action in _NOT_PULSED:
            return pulses > 0
        return verdict is Verdict.PASS or pulses > 1 or (action in _PULSED and not pulses and not self._merges)

    @property
    def is_settled(self) -> bool:
        """Return whether no trigger awaits its record."""
        return not any(tag.record is None for tag in self._open.values())

    def run_is_over(self, run: str) -> None:
        """Forget the parts of a run of which nothing more can be heard."""
        for key in [key for key, tag in self._open.items() if key[0] == run and tag.record is not None]:
            tag = self._open[key]
            if tag.piece is None or tag.piece.fate:
                del self._open[key]

    def close(self, virtual_ns: int) -> Account:
        """End: whatever is still open has no record."""
        for tag in self._open.values():
            if tag.record is None:
                self._break("record_faults", f"part {tag.number} of run {tag.run} has no record", tag)
        self.account.virtual_s = round(virtual_ns * 1e-9, 3)
        self.account.digest = self._digest.hexdigest()
        return self.account

    def _break(self, count: str, text: str, tag: Tag | None) -> None:
        account = self.account
        setattr(account, count, getattr(account, count) + 1)
        if not account.first_broken:
            account.first_broken = text
            account.first_part = tag.piece.index if tag is not None and tag.piece is not None else None
