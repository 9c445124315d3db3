"""Searching records: what fits, in order, page by page; and always through an index."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from searched_store import FILTERS, SECOND_NS, TOGETHER, fill_searched

from inspection.part import Reason
from inspection.records import paced_search
from inspection.records.entries import EntryKind
from inspection.records.reader import RecordReader
from inspection.records.record import StoredRecord
from inspection.records.schema import DATABASE_FILE, open_for_reading
from inspection.records.search import Page, Search, place_ahead, statement


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs with something for every search."""
    folder = tmp_path_factory.mktemp("searched")
    fill_searched(folder)
    return folder


@pytest.fixture
def reader(folder: Path) -> Iterator[RecordReader]:
    """A reader of that store."""
    reader = RecordReader(folder)
    yield reader
    reader.close()


def fits(record: StoredRecord, reviewed: dict[str, set[int]], **wanted: Any) -> bool:
    """What a filter means, said once more in the plainest way."""
    score = -1.0 if record.score is None else record.score
    at = record.trigger_wall_ns
    special = {
        "min_score": lambda value: record.score is not None and score >= value,
        "max_score": lambda value: record.score is not None and score <= value,
        "since_wall_ns": lambda value: at >= value,
        "until_wall_ns": lambda value: at < value,
        "reviewer": lambda value: record.sequence in reviewed[value],
    }
    plain = {name: value for name, value in wanted.items() if name not in special}
    return all(special[name](wanted[name]) for name in special if name in wanted) and all(
        getattr(record, name) == value for name, value in plain.items()
    )


@pytest.mark.parametrize("newest_first", [True, False])
def test_every_filter_and_every_two_leave_what_fits_in_order(reader: RecordReader, newest_first: bool) -> None:
    """Each page goes on where the one before ended; together they are exactly the records that fit, in order."""
    everything = reader.after(0, 10_000)
    reviewed = {
        who: {int(one.entry.subject) for one in reader.entries(kind=EntryKind.REVIEW, who=who, limit=10_000)}
        for who in ("kim", "lee")
    }
    for wanted in [*FILTERS, *TOGETHER]:
        order = attrgetter(*(("sequence",) if "reviewer" in wanted else ("trigger_wall_ns", "sequence")))
        expected = sorted((one for one in everything if fits(one, reviewed, **wanted)), key=order, reverse=newest_first)
        found, size = list[StoredRecord](), max(len(expected) // 3, 1)
        while page := reader.find(
            **wanted, limit=size, newest_first=newest_first, before_sequence=found[-1].sequence if found else None
        ):
            found += page
        assert [one.sequence for one in found] == [one.sequence for one in expected], wanted


NARROW = [
    one
    for one in [*FILTERS, *TOGETHER]
    if one and not any(one.get(name) in ("", Reason.NONE) for name in ("lot", "serial", "reason"))
]


def test_no_search_goes_over_the_table_or_sorts_what_it_found(folder: Path) -> None:
    """The database's own plan: an index leads each search and gives the order, on the first page and on later ones."""
    database = open_for_reading(folder)
    with database.connect() as connection, closing(sqlite3.connect(folder / DATABASE_FILE)) as plain:
        for wanted, behind in itertools.product(NARROW, (None, (100_050 * SECOND_NS, 200))):
            query = statement(Search(**wanted), Page(100, behind=behind))
            compiled = query.compile(connection, compile_kwargs={"render_postcompile": True})
            values = [compiled.params[name] for name in compiled.positiontup or []]
            steps = [row[3] for row in plain.execute(f"EXPLAIN QUERY PLAN {compiled}", values)]
            text = "\n".join(steps)
            assert "TEMP B-TREE" not in text, (wanted, text)
            assert not [one for one in steps if one.startswith("SCAN") and "INDEX" not in one], (wanted, text)
            if set(wanted) & LED:
                assert not [one for one in steps if "SCAN" in one and "records_rejected" not in one], (wanted, text)
    database.dispose()


LED = {"lot", "serial", "reason", "run", "since_wall_ns", "min_score", "max_score", "reviewer"}


def test_what_was_given_is_in_the_record(reader: RecordReader) -> None:
    """Lot, serial number, what the ejector was told and when it held the part due, the batch; the run's recipe."""
    [record] = reader.find(run="r1", part=50)
    assert (record.serial, record.recipe, record.batches) == ("S50", "recipe 1", ((4, 2),))
    assert (record.ejector_command, record.ejector_due_host_ns) == (record.verdict.value, 50)
    assert record.lot in ("", "L-1", "L-2")


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("within_s", [0.0, 60.0])
def test_a_search_of_bounded_time_finds_the_same_in_the_same_order(
    reader: RecordReader, newest_first: bool, within_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it is broken off: here after each piece of seven rows, or of seven, fourteen, and so on."""
    monkeypatch.setattr(paced_search, "_FIRST_ROWS", 7)
    for wanted in [*FILTERS, *TOGETHER]:
        search = Search(**wanted)
        expected = [one.sequence for one in reader.find(**wanted, limit=10_000, newest_first=newest_first)]
        found, behind, pages = list[int](), None, 0
        while pages == 0 or behind is not None:
            page = reader.search_for(
                search, within_s=within_s, limit=5, newest_first=newest_first, before_sequence=behind
            )
            assert len(page.records) <= 5
            found += [one.sequence for one in page.records]
            behind, pages = page.behind, pages + 1
        assert found == expected, wanted
        if within_s and not len(expected) % 5:
            assert pages <= max(len(expected) // 5, 1), wanted


def test_a_piece_reads_no_more_than_its_rows(folder: Path) -> None:
    """The index takes the nearest bounds, so that no piece goes over what lies before or behind it."""
    database = open_for_reading(folder)
    with database.connect() as connection, closing(sqlite3.connect(folder / DATABASE_FILE)) as plain:
        for wanted, newest_first in itertools.product([*FILTERS, *TOGETHER], (True, False)):
            search, behind = Search(**wanted), None
            for _ in range(3):
                page = Page(1000, newest_first, behind)
                ahead = connection.execute(place_ahead(search, page, 20)).first()
                if ahead is None:
                    break
                query = statement(search, Page(1000, newest_first, behind, (ahead.trigger_wall_ns, ahead.sequence)))
                compiled = query.compile(connection, compile_kwargs={"render_postcompile": True})
                values = [compiled.params[name] for name in compiled.positiontup or []]
                steps = [0]
                plain.set_progress_handler(lambda steps=steps: steps.__setitem__(0, steps[0] + 1), 10)
                plain.execute(str(compiled), values).fetchall()
                plain.set_progress_handler(None, 0)
                assert 10 * steps[0] < 20 * 150, (wanted, steps)
                behind = (ahead.trigger_wall_ns, ahead.sequence)
    database.dispose()
