"""Giving parts their serial numbers, and seeing to it that no two of them go on with the same."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from inspection.config.identity import IdentitySection
from inspection.identity.errors import SerialRefusedError
from inspection.identity.rule import held_against
from inspection.identity.scope import OFF_THE_BELT, Scope, UsedSerials, load_scope, looks_counted
from inspection.identity.words import Policy, Reading, Source, Trouble
from inspection.part import Decision, EjectorAction, Evaluation, Reason, Verdict
from inspection.pipeline.decide import overruled
from inspection.plain_text import unprintable
from inspection.tracking.identity import PartIdentity
from inspection.tracking.part import PartInFlight

_SCOPES_KEPT = 4
"""Parts of so many lots can be in flight at once at the most; a lot that comes again is read from the records."""


@dataclass(slots=True)
class Naming:
    """What the recipe says about names, and the numbers that are known under it. view: whose picture shows the code."""

    section: IdentitySection
    view: int | None
    scopes: OrderedDict[str, Scope] = field(default_factory=OrderedDict)

    def key(self, lot: str) -> str:
        """Return which scope the parts of a lot belong to."""
        return lot if self.section.scope == "lot" else ""


class Identification:
    """Names parts by the recipe. Owned by the station; implements Identifies.

    The tracker calls it under its lock; commands read records before they change anything here, so that nothing waits
    for a disk under the lock. `records` is asked once everything that ended is durable (`settle`).
    """

    def __init__(self, records: UsedSerials, settle: Callable[[], object]) -> None:
        self._records, self._settle = records, settle
        self._lock = threading.Lock()
        self._naming = Naming(IdentitySection(), None)
        self._names: deque[str] = deque()  # of the part that triggers next; one at the most
        self._counted: Counter[str] = Counter()

    # ------------------------------------------------------- what commands change

    @property
    def section(self) -> IdentitySection:
        """What the recipe says."""
        return self._naming.section

    def counters(self) -> dict[str, int]:
        """Return how many parts had what trouble; nothing where parts have no serial numbers."""
        with self._lock:
            return dict(self._counted) if self.section.source is not Source.NONE else {}

    def prepared(self, section: IdentitySection, view: int | None, lot: str) -> Naming:
        """Read what a recipe needs to know of earlier parts; nothing changes. Raises RecordsError."""
        naming = Naming(section, view)
        if section.source is not Source.NONE:
            for one in dict.fromkeys((naming.key(""), naming.key(lot))):
                self._load(naming, one)
        return naming

    def change(self, naming: Naming) -> None:
        """Go by it from the next part on; no part is in flight."""
        with self._lock:
            self._naming = naming
            self._names.clear()

    def before_lot(self, lot: str) -> None:
        """Read what is known of a lot before its first part comes. Raises RecordsError."""
        naming = self._naming
        key = naming.key(lot)
        if naming.section.source is Source.NONE or key in naming.scopes:
            return
        self._load(naming, key)

    def _load(self, naming: Naming, key: str) -> None:
        self._settle()
        scope = load_scope(naming.section, key if naming.section.scope == "lot" else None, self._records)
        with self._lock:
            naming.scopes.setdefault(key, scope)
            for old in [one for one in naming.scopes if one][:-_SCOPES_KEPT]:
                del naming.scopes[old]

    def name_next(self, serial: str) -> None:
        """Name the part that triggers next; the MES says it before that. Raises SerialRefusedError.

        One name waits at a time: where it was not taken the part did not come, and a second one would go to the wrong
        part.
        """
        if self.section.source is not Source.MES:
            raise SerialRefusedError(
                f'serial {serial!r}: parts are not named from outside — identity.source is "{self.section.source}" — '
                'set it to "mes"'
            )
        if not serial:
            raise SerialRefusedError("serial '': names nothing — printable characters are needed — name the part")
        self.allow(serial)
        self._queue(serial)

    def _queue(self, serial: str) -> None:
        with self._lock:
            if self._names:
                raise SerialRefusedError(
                    f"serial {serial!r}: {self._names[0]!r} still waits for its part — one name waits at a time — see "
                    "where that part is; a stop of the line forgets its name"
                )
            self._names.append(serial)

    def allow(self, serial: str) -> None:
        """Raise SerialRefusedError for what cannot be a serial number; '' may stand for none."""
        section = self.section
        if section.source is not Source.MES or not serial:
            return
        if len(serial) > section.max_length or unprintable(serial) or not serial.strip():
            raise SerialRefusedError(
                f"serial {serial[:70]!r}: 1 to {section.max_length} printable characters are allowed — choose another"
            )
        if section.counts and looks_counted(section, serial):
            raise SerialRefusedError(
                f"serial {serial!r}: reads like one that the station counts — another one is needed, or another "
                "identity.prefix"
            )

    def begin_job(self, part_id: str) -> None:
        """Take the name of a job's first part where the MES names parts; '' leaves the one that waits.

        Raises SerialRefusedError while another one waits.
        """
        if part_id and self.section.source is Source.MES:
            self._queue(part_id)

    def end_job(self) -> None:
        """Forget the name that waits: its part did not come."""
        with self._lock:
            self._names.clear()

    def use_up(self, serial: str, lot: str) -> None:
        """Take a serial number for used up: a person let the part with it go on."""
        with self._lock:
            scope = self._naming.scopes.get(self._naming.key(lot))
            if scope is not None:
                scope.add(serial)

    # -------------------------------------------------- under the tracker's lock

    def admit(self, part: PartInFlight) -> None:
        """Begin the identity of a new part: named, counted, or to be read."""
        naming = self._naming
        source = naming.section.source
        if source is Source.NONE:
            return
        with self._lock:
            part.identity = identity = PartIdentity(
                scope=naming.scopes.get(naming.key(part.lot)), story={"source": source.value}
            )
            if source is Source.CODE:
                identity.view, identity.is_awaited = naming.view, True
            elif source is Source.MES:
                serial = self._names.popleft() if self._names else ""
                self._name(part, identity, Reading(serial, "nobody named the part"))
            else:
                self._count(part, identity)

    def take(self, part: PartInFlight, reading: Reading) -> None:
        """Take what came of looking for its code."""
        identity = part.identity
        if identity is None:
            return
        with self._lock:
            identity.is_awaited, identity.is_late, identity.has_failed = False, reading.is_late, reading.has_failed
            identity.story |= {} if reading.code is None else reading.code.story()
            identity.story |= {"ms": reading.took_ms} if reading.took_ms else {}
            if reading.is_late or reading.has_failed:
                identity.story["why"] = reading.why
                self._counted["codes_late" if reading.is_late else "codes_failed"] += 1
            else:
                self._name(part, identity, reading)

    def judge(self, part: PartInFlight, decision: Decision) -> Decision:
        """Hold the decision about a part against its identity; a number with which it passes is used up."""
        identity = part.identity
        if identity is None:
            return decision
        with self._lock:
            scope = identity.scope
            is_known = isinstance(scope, Scope)
            if is_known and part.serial and not identity.has_claimed and scope.holds(part.serial):
                self._note(identity, Trouble.DUPLICATE, self.section.duplicate)
            decision = self._held(identity, decision, is_known)
            if decision.verdict is Verdict.PASS and part.serial and is_known and scope.add(part.serial):
                identity.has_claimed = True
            return decision

    def ended(self, part: PartInFlight, action: EjectorAction) -> None:
        """Let the number of a part that left the belt come again; that of any other one is used up."""
        identity = part.identity
        if identity is None or not part.serial or not isinstance(identity.scope, Scope):
            return
        with self._lock:
            if action not in OFF_THE_BELT:
                identity.scope.add(part.serial)
            elif identity.has_claimed:
                identity.scope.discard(part.serial)

    def _held(self, identity: PartIdentity, decision: Decision, is_known: bool) -> Decision:
        if decision.verdict is Verdict.REJECT:
            return decision
        if identity.is_late:
            return overruled(decision, Reason.LATE)
        if identity.is_awaited or identity.has_failed or not is_known:
            return replace(overruled(decision, Reason.SYSTEM), evaluation=Evaluation.NOT_DECIDABLE)
        section = self.section
        trouble = Trouble(identity.trouble) if identity.trouble else None
        policy = section.duplicate if trouble is Trouble.DUPLICATE else section.unreadable
        held = held_against(decision, trouble, policy)
        if held.reason is Reason.CODE and policy is Policy.ASK:
            identity.story["asks"] = True
        return held

    def _name(self, part: PartInFlight, identity: PartIdentity, reading: Reading) -> None:
        section, serial, why = self.section, reading.serial, reading.why
        if serial and section.counts and looks_counted(section, serial):
            serial, why = "", f"'{serial}' reads like one that the station counts"
        if serial:
            part.serial = serial
            return
        identity.story["why"] = why
        self._note(identity, Trouble.UNREADABLE, section.unreadable)
        if section.unreadable is Policy.COUNT:
            self._count(part, identity)

    def _count(self, part: PartInFlight, identity: PartIdentity) -> None:
        part.serial = identity.scope.next_counted() if isinstance(identity.scope, Scope) else ""
        identity.story["counted"] = True
        if not part.serial:
            identity.has_failed = True
            identity.story["why"] = f"all numbers of {self.section.digits} digits were given; mend identity.digits"

    def _note(self, identity: PartIdentity, trouble: Trouble, policy: Policy) -> None:
        if identity.trouble == trouble:
            return
        identity.trouble = trouble
        identity.story |= {"trouble": trouble.value, "policy": policy.value}
        self._counted[f"codes_{trouble.value}"] += 1
