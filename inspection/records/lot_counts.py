"""How the parts of a lot ended, counted where they are stored: a lot of a day has half a million of them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select, text

from inspection.part import Reason, Verdict
from inspection.records.tables import RECORDS

_R = RECORDS.c
_HAS_LOT = text("lot <> ''")  # word for word that of the index, so that it applies


@dataclass(frozen=True, slots=True)
class EndedParts:
    """The parts of a lot that ended alike; times are of their triggers."""

    verdict: Verdict
    reason: Reason
    parts: int
    first_wall_ns: int
    last_wall_ns: int


def count_lot(connection: Connection, lot: str) -> list[EndedParts]:
    """Count a lot's durable records; nothing for one without any."""
    at = _R.trigger_wall_ns
    counted = select(_R.verdict, _R.reason, func.count(), func.min(at), func.max(at))
    rows = connection.execute(counted.where(_HAS_LOT, _R.lot == lot).group_by(_R.verdict, _R.reason))
    return [EndedParts(Verdict(verdict), Reason(reason), *numbers) for verdict, reason, *numbers in rows]
