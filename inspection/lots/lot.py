"""One lot: its order, what has been done about it, and what its durable records count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from inspection.lots.states import LOT_ROWS, LotContentError, LotState, LotStep
from inspection.part import Reason, Verdict
from inspection.plain_text import unprintable
from inspection.recipes.content import RecipeRef
from inspection.records.entries import Entry, EntryKind, StoredEntry
from inspection.records.lot_counts import EndedParts
from inspection.records.record import StoredRecord

_NAME_LENGTH = 64
_PARAMETERS = 64
_VALUE_LENGTH = 1000


@dataclass(frozen=True, slots=True)
class LotOrder:
    """What is to be inspected. recipe: ISA-95's WorkMasterID, '' for whatever is prepared; planned: 0 for unknown."""

    lot: str
    recipe: str = ""
    version: int | None = None
    planned: int = 0
    parameters: Mapping[str, str] = field(default_factory=dict)

    def checked(self) -> Self:
        """Return it if it describes a lot. Raises LotContentError."""
        if not 1 <= len(self.lot) <= _NAME_LENGTH or unprintable(self.lot):
            raise LotContentError(
                f"lot {self.lot[:70]!r}: 1 to {_NAME_LENGTH} printable characters are allowed — choose such an id"
            )
        if self.version is not None and not self.recipe:
            raise LotContentError(
                f"lot {self.lot!r}: version {self.version} of no recipe — it goes with a name — name the recipe, too"
            )
        if not 0 <= self.planned < 2**31:
            raise LotContentError(
                f"lot {self.lot!r}: planned is {self.planned} — 0 to 2³¹ − 1 parts are allowed — change it"
            )
        if len(self.recipe) > _NAME_LENGTH or (self.version or 0) < 0:
            raise LotContentError(
                f"lot {self.lot!r}: recipe {self.recipe[:70]!r} version {self.version} — a name of up to "
                f"{_NAME_LENGTH} characters and a version from 1 are allowed — name a stored recipe"
            )
        too_long = [key for key, value in self.parameters.items() if max(len(key), len(value)) > _VALUE_LENGTH]
        if len(self.parameters) > _PARAMETERS or too_long:
            raise LotContentError(
                f"lot {self.lot!r}: {len(self.parameters)} parameters, {len(too_long)} of them too long — up to "
                f"{_PARAMETERS} of {_VALUE_LENGTH} characters are allowed — keep the rest elsewhere"
            )
        return self

    def content(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "recipe": self.recipe,
            "version": self.version,
            "planned": self.planned,
            "parameters": dict(self.parameters),
        }


@dataclass(frozen=True, slots=True)
class TakenStep:
    """One step of a lot's life. wall_ns: from when on it holds. record_sequence: the newest record of that moment.

    recipe: name and version of what its parts are inspected with, of a step that leads to RUNNING.
    """

    step: LotStep
    wall_ns: int
    record_sequence: int
    who: str = ""
    detail: str = ""
    recipe: tuple[str, int] | None = None

    @property
    def state(self) -> LotState:
        """The state that it led to."""
        return LOT_ROWS[self.step].after


@dataclass(frozen=True, slots=True)
class LotCounters:
    """How the parts of a lot ended; from durable records only."""

    triggered: int = 0
    passed: int = 0
    rejected_by_reason: Mapping[Reason, int] = field(default_factory=dict)
    first_wall_ns: int = 0
    last_wall_ns: int = 0

    def plus(self, records: Iterable[StoredRecord]) -> LotCounters:
        """Return the counters with further records."""
        triggered, passed, reasons = self.triggered, self.passed, dict(self.rejected_by_reason)
        first, last = self.first_wall_ns, self.last_wall_ns
        for record in records:
            triggered += 1
            if record.verdict is Verdict.PASS:
                passed += 1
            else:
                reasons[record.reason] = reasons.get(record.reason, 0) + 1
            first = first or record.trigger_wall_ns
            last = max(last, record.trigger_wall_ns)
        return LotCounters(triggered, passed, reasons, first, last)


def counters_of(ended: Iterable[EndedParts]) -> LotCounters:
    """Return the counters of a lot from what its durable records say, all of them."""
    groups = list(ended)
    reasons: dict[Reason, int] = {}
    for group in groups:
        if group.verdict is not Verdict.PASS:
            reasons[group.reason] = reasons.get(group.reason, 0) + group.parts
    return LotCounters(
        triggered=sum(group.parts for group in groups),
        passed=sum(group.parts for group in groups if group.verdict is Verdict.PASS),
        rejected_by_reason=reasons,
        first_wall_ns=min((group.first_wall_ns for group in groups), default=0),
        last_wall_ns=max((group.last_wall_ns for group in groups), default=0),
    )


@dataclass(frozen=True, slots=True)
class Lot:
    """A lot as it stands: never changed, replaced with each step."""

    order: LotOrder
    steps: tuple[TakenStep, ...]
    counters: LotCounters = field(default_factory=LotCounters)

    @property
    def state(self) -> LotState:
        """Its state."""
        return self.steps[-1].state

    @property
    def recipe(self) -> tuple[str, int] | None:
        """The recipe that its first part was inspected with, and every further one is; None before that."""
        return next((step.recipe for step in self.steps if step.recipe is not None), None)

    def spent_ns(self, state: LotState, now_wall_ns: int) -> int:
        """Return for how long it has been in a state, all stays together, by the wall clock."""
        ends = [*(step.wall_ns for step in self.steps[1:]), now_wall_ns]
        stays = zip(self.steps, ends, strict=True)
        return sum(max(0, end - step.wall_ns) for step, end in stays if step.state is state)

    def after(self, step: TakenStep) -> Lot:
        """Return it after a step."""
        return replace(self, steps=(*self.steps, step))


def step_entry(
    order: LotOrder,
    step: LotStep,
    wall_ns: int,
    who: str,
    detail: str,
    since_wall_ns: int,
    recipe: RecipeRef | None = None,
) -> Entry:
    """Return the entry of a step; it names the whole order when the lot is stored. since: from when on it holds.

    recipe: what its parts are inspected with from this step on.
    """
    content: dict[str, Any] = {"step": step.value, "since_wall_ns": since_wall_ns, "detail": detail}
    if recipe is not None:
        content["ran_with"] = {"name": recipe.name, "version": recipe.version, "sha256": recipe.sha256}
    if step is LotStep.STORE:
        content |= order.content()
    return Entry(EntryKind.LOT, order.lot, who, wall_ns, content)


def taken(stored: StoredEntry) -> TakenStep:
    """Return the step of a stored entry."""
    entry = stored.entry
    since, ran_with = int(entry.content["since_wall_ns"]), entry.content.get("ran_with")
    return TakenStep(
        LotStep(entry.content["step"]),
        since,
        stored.record_sequence,
        entry.who,
        str(entry.content["detail"]),
        None if ran_with is None else (str(ran_with["name"]), int(ran_with["version"])),
    )


def lots_of(entries: Iterable[StoredEntry]) -> dict[str, Lot]:
    """Return the lots that stored entries tell of, oldest entry first, without counters."""
    lots: dict[str, Lot] = {}
    for stored in entries:
        content, name, step = stored.entry.content, stored.entry.subject, taken(stored)
        if step.step is LotStep.STORE:
            order = LotOrder(name, content["recipe"], content["version"], content["planned"], content["parameters"])
            lots[name] = Lot(order, (step,))
        else:
            lots[name] = lots[name].after(step)
    return lots
