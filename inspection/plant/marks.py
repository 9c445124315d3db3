"""The marks of images that the station removed: they come in no order, so both ends are compared block by block."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Engine, func, select

from inspection.records.replica import Replica
from inspection.records.tables import REMOVED_IMAGES

_BLOCK = 10_000
_SEQUENCE = REMOVED_IMAGES.c.sequence


def count_marks(database: Engine) -> int:
    """Return how many images are marked as removed."""
    with database.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(REMOVED_IMAGES)).scalar_one())


def copy_marks(local: Engine, there: Engine, until: int) -> None:
    """Copy the marks of records up to a number that the copy lacks; marks are never taken back, so counts tell where.

    Raises what the databases do.
    """
    replica, had = Replica(there), _by_block(there, until)
    for block, count in _by_block(local, until).items():
        if had.get(block) == count:
            continue
        first, last = block * _BLOCK, min((block + 1) * _BLOCK - 1, until)
        query = select(REMOVED_IMAGES).where(_SEQUENCE.between(first, last))
        with local.connect() as connection:
            rows = [tuple(row) for row in connection.execute(query)]
        replica.mark_removed(rows)


def _by_block(database: Engine, until: int) -> Mapping[int, int]:
    block = _SEQUENCE.op("/")(_BLOCK)
    query = select(block, func.count()).where(_SEQUENCE.between(0, until)).group_by(block)
    with database.connect() as connection:
        return {int(number): int(count) for number, count in connection.execute(query)}
