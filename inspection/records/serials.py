"""What the station asks its records about serial numbers when it starts, and when a lot does."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select, text

from inspection.identity.scope import OFF_THE_BELT
from inspection.part import Verdict
from inspection.records.tables import RECORDS

_R = RECORDS.c
_HAS_ONE: ColumnElement[bool] = text("serial <> ''")  # type: ignore[assignment]  # word for word that of the index
_OF_A_LOT: ColumnElement[bool] = text("lot <> ''")  # type: ignore[assignment]


def used_serials_statement(lot: str | None, limit: int) -> Select[Any]:
    """Return the query for the numbers of those of the newest `limit` parts that may have gone on, newest first.

    Of a lot these are its newest parts; otherwise those of the station, so that no more than those are ever looked at.
    """
    of_lot = _of(lot) if lot else []
    order = (_R.trigger_wall_ns.desc(), _R.sequence.desc())
    newest = select(_R.serial, _R.lot, _R.verdict, _R.ejector_action).where(*of_lot).order_by(*order).limit(limit)
    part = newest.subquery().c
    gone = [action.value for action in OFF_THE_BELT]
    may_be_on = or_(part.verdict == Verdict.PASS.value, part.ejector_action.not_in(gone))
    nobodys = [part.lot == ""] if lot == "" else []
    return select(part.serial).where(part.serial != "", may_be_on, *nobodys)


def counted_serials_statement(lot: str | None, prefix: str, digits: int) -> Select[Any]:
    """Return the query for the serial numbers that may be counted ones, the highest first.

    Between the lowest and the highest there may be others of the same length: "N-00x9" is not below "N-0000".
    """
    lowest, highest = prefix + "0" * digits, prefix + "9" * digits
    of_length = func.length(_R.serial) == len(lowest)
    query = select(_R.serial).where(_HAS_ONE, _R.serial >= lowest, _R.serial <= highest, of_length, *_of(lot))
    return query.order_by(_R.serial.desc())


def highest_counted(connection: Connection, lot: str | None, prefix: str, digits: int) -> int:
    """Return the highest number of so many digits behind a prefix; 0 for none. lot: None for all."""
    for serial in connection.execute(counted_serials_statement(lot, prefix, digits)).yield_per(100).scalars():
        number = str(serial).removeprefix(prefix)
        if number.isascii() and number.isdigit():
            return int(number)
    return 0


def _of(lot: str | None) -> list[ColumnElement[bool]]:
    """Return the conditions for the parts of a lot; one without parts of a lot is looked for along all of them."""
    if lot is None:
        return []
    return [_OF_A_LOT, _R.lot == lot] if lot else [_R.lot == lot]
