"""What a part is given at its birth: the lot and the job that it belongs to, and whether it may pass at all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from inspection.tracking.part import PartInFlight

JOB_KEY = "job"
"""Of a record's `extra`: the ids that the start of its job named."""
SIMULATED_KEY = "is_simulated"
"""Of a record's `extra`: True for a part that was inspected in simulation mode."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What a start names: ids of the caller's own, kept in each record. recipe: the one that it counts on, if any.

    job_id: made by the station where it is empty.
    """

    job_id: str = ""
    meas_id: str = ""
    part_id: str = ""
    product_id: str = ""
    recipe: str = ""

    def ids(self) -> dict[str, str]:
        """Return what is given of it, as it is kept in a record."""
        told = {name: getattr(self, name) for name in ("job_id", "meas_id", "part_id", "product_id")}
        return {name: value for name, value in told.items() if value}


@dataclass(slots=True)
class SingleGate:
    """The gate of a single execution: the first part after it was made may pass, every other one is held."""

    born: threading.Event = field(default_factory=threading.Event)
    part: int = 0


@dataclass(frozen=True, slots=True)
class _Given:
    lot: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    gate: SingleGate | None = None


class Admission:
    """What new parts belong to. Owned by the station; changed by its commands, from any thread.

    `admit` is called under the tracker's lock and takes none: all that it reads is replaced as one.
    """

    def __init__(self) -> None:
        self._given = _Given()
        self.before_lot: Callable[[str], None] = lambda _lot: None
        """Called with a lot before its first part can come; what it raises keeps the lot from being begun."""
        self._changing = threading.Lock()
        self._simulated = False
        self._job: dict[str, str] = {}

    def admit(self, part: PartInFlight) -> None:
        """Give a new part what it belongs to."""
        given = self._given
        part.lot = given.lot
        part.extra.update(given.extra)
        gate = given.gate
        if gate is None:
            return
        if gate.part:
            part.held = True
        else:
            gate.part = part.number
            gate.born.set()

    @property
    def lot(self) -> str:
        """The lot that new parts belong to; '' for none."""
        return self._given.lot

    @property
    def is_simulated(self) -> bool:
        """Whether new parts are marked as simulated."""
        return self._simulated

    def begin_lot(self, lot: str) -> None:
        """Have new parts belong to a lot, or with '' to none."""
        with self._changing:
            self._given = replace(self._given, lot=lot)

    def begin_job(self, ids: Mapping[str, str], gate: SingleGate | None = None) -> None:
        """Have new parts carry the ids of a job, and let but one of them pass where a gate is given."""
        with self._changing:
            self._job = dict(ids)
            self._give(gate)

    def simulate(self, active: bool) -> None:
        """Mark new parts as simulated, or no longer."""
        with self._changing:
            self._simulated = active
            self._give(self._given.gate)

    def _give(self, gate: SingleGate | None) -> None:
        extra: dict[str, Any] = {JOB_KEY: self._job} if self._job else {}
        if self._simulated:
            extra[SIMULATED_KEY] = True
        self._given = _Given(self._given.lot, extra, gate)
