"""Searching records: each filter has an index that gives the newest first, so that a page costs what it shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import floor
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Select, cast, or_, select, text, union_all

from inspection.part import Evaluation, Reason, Verdict
from inspection.records.tables import (
    ENTRIES_TABLE,
    NUMBER,
    RECORDS,
    REJECTED_FOR_A_DEFECT,
    REVIEWED_RECORD,
    RUNS,
    SCORE_BUCKET,
    SCORE_BUCKETS,
    SCORED,
)

_R, _place = RECORDS.c, SCORE_BUCKET


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for: records that fit every filter that is not None; times are of the trigger.

    until_wall_ns is exclusive; the scores are not. reviewer: someone who wrote a review of the record.
    """

    run: str | None = None
    part: int | None = None
    lot: str | None = None
    serial: str | None = None
    reviewer: str | None = None
    verdict: Verdict | None = None
    evaluation: Evaluation | None = None
    reason: Reason | None = None
    defect_class: str | None = None
    min_score: float | None = None
    max_score: float | None = None
    since_wall_ns: int | None = None
    until_wall_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Which piece of the answer. behind: trigger time and number of the last record of the page before."""

    limit: int
    newest_first: bool = True
    behind: tuple[int, int] | None = None


def statement(search: Search, page: Page) -> Select[Any] | CompoundSelect[Any]:
    """Return the query for the numbers of the records, in order: by the trigger's time, and then by number.

    One filter, the narrowest as a rule, leads through its index; the others are held against what it finds. Within
    the same trigger time the number decides.
    """
    if search.reviewer is not None:
        return _reviewed(search, page)
    driver = _driver(search)
    conditions = [*_filters(search, driver), *_window(search, page)]
    if driver != "score":
        return _ordered(select(_R.sequence).where(*conditions), page)
    columns = (_R.sequence.label("sequence"), _R.trigger_wall_ns.label("trigger_wall_ns"))
    arms = [select(*columns).where(_place == bucket, *conditions) for bucket in _buckets(search)]
    if len(arms) == 1:
        return _ordered(arms[0], page)
    found = union_all(*arms)
    order = [found.selected_columns.trigger_wall_ns, found.selected_columns.sequence]
    return found.order_by(*(one.desc() if page.newest_first else one for one in order)).limit(page.limit)


def _driver(search: Search) -> str:
    """Return by which index the records are looked for; '' is the time of the trigger."""
    if search.part is not None and search.run is not None:
        return "part"
    for name in ("serial", "lot"):
        if getattr(search, name):
            return name
    if search.defect_class and (search.verdict is Verdict.REJECT or search.reason not in (None, Reason.NONE)):
        return "defect_class"
    if search.reason not in (None, Reason.NONE):
        return "reason"
    if search.run is not None:
        return "run"
    if search.verdict is Verdict.REJECT:
        return "verdict"
    return "" if search.min_score is None and search.max_score is None else "score"


_PARTIAL = {
    "serial": "serial <> ''",
    "lot": "lot <> ''",
    "reason": "reason <> 'NONE'",
    "defect_class": REJECTED_FOR_A_DEFECT,
    "verdict": "verdict = 'REJECT'",
    "score": SCORED,
}


def _filters(search: Search, driver: str) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions. A column that does not lead is hidden in an expression: no index of its own is tempting."""
    if driver in _PARTIAL:
        yield text(_PARTIAL[driver])  # type: ignore[misc]  # word for word that of the index, so that it applies
    texts = {
        "lot": (_R.lot, search.lot),
        "serial": (_R.serial, search.serial),
        "reason": (_R.reason, search.reason and search.reason.value),
        "defect_class": (_R.defect_class, search.defect_class),
        "verdict": (_R.verdict, search.verdict and search.verdict.value),
        "evaluation": (_R.evaluation, search.evaluation and search.evaluation.value),
    }
    for name, (column, value) in texts.items():
        if value is not None and not name == driver == "verdict":
            yield column == value if name == driver else column.concat("") == value
    if search.run is not None:
        run_id = select(RUNS.c.run_id).where(RUNS.c.run == search.run).scalar_subquery()
        yield (_R.run_id if driver in ("run", "part") else _R.run_id + 0) == run_id
    if search.part is not None:
        yield _R.part == search.part
    if search.min_score is not None:
        yield _R.score >= search.min_score
    if search.max_score is not None:
        yield _R.score <= search.max_score


def _window(search: Search, page: Page) -> Iterator[ColumnElement[bool]]:
    at = _R.trigger_wall_ns
    if search.since_wall_ns is not None:
        yield at >= search.since_wall_ns
    if search.until_wall_ns is not None:
        yield at < search.until_wall_ns
    if page.behind is not None:
        wall_ns, sequence = page.behind
        if page.newest_first:
            yield at <= wall_ns
            yield or_(at < wall_ns, _R.sequence < sequence)
        else:
            yield at >= wall_ns
            yield or_(at > wall_ns, _R.sequence > sequence)


def _ordered(query: Select[Any], page: Page) -> Select[Any]:
    order = (_R.trigger_wall_ns, _R.sequence)
    return query.order_by(*(one.desc() if page.newest_first else one for one in order)).limit(page.limit)


def _buckets(search: Search) -> range:
    """Return the places of the scores' index that can hold them; a database may round or cut off, both are covered."""
    lowest = min(max(search.min_score or 0.0, 0.0), 1.0)
    highest = 1.0 if search.max_score is None else min(max(search.max_score, 0.0), 1.0)
    return range(floor(lowest * SCORE_BUCKETS), max(floor(highest * SCORE_BUCKETS), floor(lowest * SCORE_BUCKETS)) + 2)


def _reviewed(search: Search, page: Page) -> Select[Any]:
    """Return the query by the reviews that someone wrote: in the order of the records' numbers, each once."""
    review, later = ENTRIES_TABLE.c, ENTRIES_TABLE.alias("later")
    again = (
        select(later.c.sequence)
        .where(text("later.kind = 'REVIEW'"), later.c.who == review.who, later.c.sequence > review.sequence)
        .where(cast(later.c.subject, NUMBER) == REVIEWED_RECORD)
        .exists()
    )
    query = (
        select(_R.sequence)
        .select_from(ENTRIES_TABLE.join(RECORDS, _R.sequence == REVIEWED_RECORD))
        .where(text("entries.kind = 'REVIEW'"), review.who == search.reviewer, ~again, *_filters(search, ""))
    )
    window = Page(page.limit, page.newest_first)
    query = query.where(*_window(search, window))
    if page.behind is not None:
        number = page.behind[1]
        query = query.where(number > REVIEWED_RECORD if page.newest_first else number < REVIEWED_RECORD)
    return query.order_by(REVIEWED_RECORD.desc() if page.newest_first else REVIEWED_RECORD).limit(page.limit)
