"""Searching records: each filter has an index that gives the newest first, so that a page costs what it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import floor
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    ScalarSelect,
    Select,
    cast,
    func,
    literal,
    or_,
    select,
    text,
    union_all,
)

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

_R, _bucket = RECORDS.c, SCORE_BUCKET
_PLACE = (_R.trigger_wall_ns, _R.sequence)


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
    """Which piece of the answer. behind, upto: places between which it lies, the latter within it.

    A place is trigger time and number of a record; of a search by reviewer only the number counts.
    """

    limit: int
    newest_first: bool = True
    behind: tuple[int, int] | None = None
    upto: tuple[int, int] | None = None


def statement(search: Search, page: Page) -> Select[Any] | CompoundSelect[Any]:
    """Return the query for the numbers of the records, in order: by the trigger's time, and then by number.

    One filter, the narrowest as a rule, leads through its index; the others are held against what it finds. Within
    the same trigger time the number decides.
    """
    driver = _driver(search)
    if driver == "reviewer":
        return _reviewed(search, page)
    conditions = [*_leading(search, driver), *_others(search, driver), *_window(search, page, driver)]
    return _ordered([_R.sequence], _arms(search, driver), conditions, page)


def is_led_alone(search: Search) -> bool:
    """Return whether all that the leading index gives fits: a page of it costs what it shows."""
    driver = _driver(search)
    window = (search.since_wall_ns, search.until_wall_ns)
    return not any(True for _ in _others(search, driver)) and not (driver == "reviewer" and any(window))


def place_ahead(search: Search, page: Page, rows: int) -> Select[Any] | CompoundSelect[Any]:
    """Return the query for the place (by its names) so many rows ahead in the leading index; none near the end."""
    driver = _driver(search)
    if driver == "reviewer":
        number = REVIEWED_RECORD
        order = number.desc() if page.newest_first else number
        columns: list[Any] = [literal(0).label("trigger_wall_ns"), number.label("sequence")]
        found = select(*columns).where(*_by_reviewer(search), *_numbers(page))
        return found.order_by(order).limit(1).offset(rows - 1)
    conditions = [*_leading(search, driver), *_window(search, page, driver)]
    return _ordered([*_PLACE], _arms(search, driver), conditions, page).limit(1).offset(rows - 1)


def _driver(search: Search) -> str:
    """Return by which index the records are looked for; '' is the time of the trigger."""
    if search.reviewer is not None:
        return "reviewer"
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


def _texts(search: Search) -> dict[str, tuple[Any, str | None]]:
    return {
        "lot": (_R.lot, search.lot),
        "serial": (_R.serial, search.serial),
        "reason": (_R.reason, search.reason and search.reason.value),
        "defect_class": (_R.defect_class, search.defect_class),
        "verdict": (_R.verdict, search.verdict and search.verdict.value),
        "evaluation": (_R.evaluation, search.evaluation and search.evaluation.value),
    }


def _leading(search: Search, driver: str) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions that the leading index answers by itself, but for the window of time."""
    if driver in _PARTIAL:
        yield text(_PARTIAL[driver])  # type: ignore[misc]  # word for word that of the index, so that it applies
    for name, (column, value) in _texts(search).items():
        if name == driver != "verdict":
            yield column == value
    if driver in ("run", "part"):
        yield _R.run_id == _run_id(search)
    if driver == "part":
        yield _R.part == search.part


def _others(search: Search, driver: str) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions on the records found; each is hidden in an expression: no index of its own is tempting."""
    for name, (column, value) in _texts(search).items():
        if value is not None and name != driver:
            yield column.concat("") == value
    if search.run is not None and driver not in ("run", "part"):
        yield _R.run_id + 0 == _run_id(search)
    if search.part is not None and driver != "part":
        yield _R.part == search.part
    if search.min_score is not None:
        yield _R.score >= search.min_score
    if search.max_score is not None:
        yield _R.score <= search.max_score


def _run_id(search: Search) -> ScalarSelect[Any]:
    return select(RUNS.c.run_id).where(RUNS.c.run == search.run).scalar_subquery()


def _moment(search: Search, which: Callable[..., Any]) -> ScalarSelect[Any]:
    """Return the first or the last trigger's time of the run."""
    of_run = RECORDS.alias("of_run")
    return select(which(of_run.c.trigger_wall_ns)).where(of_run.c.run_id == _run_id(search)).scalar_subquery()


def _window(search: Search, page: Page, driver: str) -> Iterator[ColumnElement[bool]]:
    """Yield the bounds of time, of which the index must take the nearest one: the page's where it has one."""
    first, last = (page.upto, page.behind) if page.newest_first else (page.behind, page.upto)
    at, number = _PLACE
    from_at, to_at = (at if first is None else at + 0), (at if last is None else at + 0)
    if search.since_wall_ns is not None:
        yield from_at >= search.since_wall_ns
    if search.until_wall_ns is not None:
        yield to_at < search.until_wall_ns
    if search.run is not None and driver not in ("run", "part"):
        # another index leads: to the time of the run, and not from today through all that came since
        yield from_at >= _moment(search, func.min)
        yield to_at <= _moment(search, func.max)
    if first is not None:
        of_first = number >= first[1] if page.newest_first else number > first[1]
        yield at >= first[0]
        yield or_(at > first[0], of_first)
    if last is not None:
        of_last = number < last[1] if page.newest_first else number <= last[1]
        yield at <= last[0]
        yield or_(at < last[0], of_last)


def _arms(search: Search, driver: str) -> list[list[ColumnElement[bool]]]:
    """Return the conditions of each place of the index that is looked at; their finds are merged."""
    return [[_bucket == number] for number in _buckets(search)] if driver == "score" else [[]]


def _ordered(
    columns: list[Any], arms: list[list[ColumnElement[bool]]], conditions: list[ColumnElement[bool]], page: Page
) -> Select[Any] | CompoundSelect[Any]:
    def turned(places: Sequence[ColumnElement[Any]]) -> list[ColumnElement[Any]]:
        return [one.desc() if page.newest_first else one for one in places]

    if len(arms) == 1:
        return select(*columns).where(*arms[0], *conditions).order_by(*turned(_PLACE)).limit(page.limit)
    at, number = _PLACE
    named = (number.label("sequence"), at.label("trigger_wall_ns"))
    found = union_all(*(select(*named).where(*arm, *conditions) for arm in arms))
    sequence, moment = found.selected_columns.sequence, found.selected_columns.trigger_wall_ns
    return found.order_by(*turned((moment, sequence))).limit(page.limit)


def _buckets(search: Search) -> range:
    """Return the places of the scores' index that can hold them; a database may round or cut off, both are covered."""
    lowest = min(max(search.min_score or 0.0, 0.0), 1.0)
    highest = 1.0 if search.max_score is None else min(max(search.max_score, 0.0), 1.0)
    return range(floor(lowest * SCORE_BUCKETS), max(floor(highest * SCORE_BUCKETS), floor(lowest * SCORE_BUCKETS)) + 2)


def _by_reviewer(search: Search) -> Iterator[ColumnElement[bool]]:
    yield text("entries.kind = 'REVIEW'")  # type: ignore[misc]  # as the index says it
    yield ENTRIES_TABLE.c.who == search.reviewer


def _numbers(page: Page) -> Iterator[ColumnElement[bool]]:
    """Yield the bounds of the numbers of reviewed records."""
    first, last = (page.upto, page.behind) if page.newest_first else (page.behind, page.upto)
    number = REVIEWED_RECORD
    if first is not None:
        yield number >= first[1] if page.newest_first else number > first[1]
    if last is not None:
        yield number < last[1] if page.newest_first else number <= last[1]


def _reviewed(search: Search, page: Page) -> Select[Any]:
    """Return the query by the reviews that someone wrote: in the order of the records' numbers, each once."""
    review, later = ENTRIES_TABLE.c, ENTRIES_TABLE.alias("later")
    again = (
        select(later.c.sequence)
        .where(text("later.kind = 'REVIEW'"), later.c.who == review.who, later.c.sequence > review.sequence)
        .where(cast(later.c.subject, NUMBER) == REVIEWED_RECORD)
        .exists()
    )
    of_record = [*_others(search, "reviewer"), *_window(search, Page(page.limit, page.newest_first), "reviewer")]
    query = (
        select(_R.sequence)
        .select_from(ENTRIES_TABLE.join(RECORDS, _R.sequence == REVIEWED_RECORD))
        .where(*_by_reviewer(search), *_numbers(page), ~again, *of_record)
    )
    return query.order_by(REVIEWED_RECORD.desc() if page.newest_first else REVIEWED_RECORD).limit(page.limit)
