"""Searching for a bounded time: along the leading index, piece by piece, until a page is full or the time is over."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from inspection.records.search import Page, Search, is_led_alone, place_ahead, statement

PAGE_S = 0.04
"""For how long the API looks for a page: with one piece more and reading what was found it stays below 0.1 s."""
_FIRST_ROWS, _MOST_ROWS = 200, 50_000
_QUICK_S = 0.01
"""A piece that takes less is followed by one twice as long: a disk that is slow, or cold, gets short ones."""


@dataclass(frozen=True, slots=True)
class Found:
    """Numbers of records, in order. behind: where the search goes on that was broken off; None where it is over."""

    numbers: list[int]
    behind: tuple[int, int] | None = None


def search_for(connection: Connection, search: Search, page: Page, within_s: float) -> Found:
    """Look for a page of records for so long, and one piece more; the same ones as `statement` finds, in its order.

    A search of which one filter finds much and another little of it would else take seconds among millions of records.
    Raises SQLAlchemyError.
    """
    if is_led_alone(search):
        return Found(list(connection.execute(statement(search, page)).scalars()))
    numbers, rows, limit = list[int](), _FIRST_ROWS, page.limit
    until_s = time.monotonic() + within_s
    while True:
        began_s = time.monotonic()
        ahead = connection.execute(place_ahead(search, page, rows)).first()
        page = replace(page, upto=None if ahead is None else (ahead.trigger_wall_ns, ahead.sequence))
        numbers += connection.execute(statement(search, page)).scalars()
        page = Page(limit - len(numbers), page.newest_first, page.upto)
        now_s = time.monotonic()
        if ahead is None or page.limit <= 0:
            return Found(numbers)
        if now_s >= until_s:
            return Found(numbers, page.behind)
        if now_s - began_s < _QUICK_S:
            rows = min(2 * rows, _MOST_ROWS)
