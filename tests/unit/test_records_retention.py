"""Which images go and which stay: by rules of class and age, by the disk budget, and never while a hold keeps them."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from inspection.cli.main import app
from inspection.part import Actuation, Decision, EjectorAction, Evaluation, PartResult, Reason, Stages, Verdict
from inspection.records.entries import Entry, EntryKind
from inspection.records.errors import HoldError
from inspection.records.holds import Hold, active_holds, add_hold, hold_of, release_hold
from inspection.records.images import keep_image
from inspection.records.options import RecordsOptions
from inspection.records.reader import RecordReader
from inspection.records.record import ImageState, Run
from inspection.records.schema import DATABASE_FILE
from inspection.records.signing import SigningKey
from inspection.records.store import RecordStore, make_row
from inspection.records.verify import verify
from inspection.records.writer import RecordWriter

DAY_NS = 86_400 * 10**9
TIMEOUT_S = 60.0
BIG = np.random.default_rng(1).integers(0, 255, (300, 400, 3), dtype=np.uint8)  # 0.36 MB as PNG


class Book:
    """A writer and a reader as one book of entries, as the station's memory is."""

    def __init__(self, writer: RecordWriter, reader: RecordReader) -> None:
        self.note, self.entries = writer.note, reader.entries


def a_part(
    part: int, *, passed: bool = True, reason: Reason = Reason.MODEL, defect: str = "", **more: Any
) -> PartResult:
    verdict, evaluation = (Verdict.PASS, Evaluation.OK) if passed else (Verdict.REJECT, Evaluation.NOT_OK)
    decision = Decision(evaluation, verdict, Reason.NONE if passed else reason, 0.5, 0.5, defect)
    days = more.pop("day", 0)
    stages = Stages(trigger_host_ns=days * DAY_NS + part)
    return PartResult(
        "r", part, decision, Actuation(part, EjectorAction.FIRED, False, None, None), stages, 0, 0, **more
    )


def fill(folder: Path, parts: list[PartResult], newest_days_ago: float = 0) -> None:
    """A store of parts with a small image each; the last day of theirs is so many days ago."""
    store = RecordStore(folder)
    last_day_ns = max(one.stages.trigger_host_ns for one in parts)
    started_ns = time.time_ns() - round(newest_days_ago * DAY_NS) - last_day_ns
    begun = store.begin_run(Run("r", "s", "m", "", "", started_ns, 0))
    pixels = np.zeros((4, 4), np.uint8)
    store.append([make_row(one, begun, keep_image(folder, "r", one.part, pixels, "png")) for one in parts])
    store.close()


def tend(folder: Path, **options: Any) -> list[int]:
    """Look after the images as a station does, and return whose are still there; the store must be sound."""
    writer = RecordWriter(RecordStore(folder), RecordsOptions.model_validate({"min_free_mb": 0, **options}))
    writer.tend_images()
    assert writer.close(TIMEOUT_S)
    assert verify(folder).problems == []
    return there(folder)


def there(folder: Path) -> list[int]:
    reader = RecordReader(folder)
    try:
        records = [one for one in reader.after(0, 10_000) if one.has_image]
    finally:
        reader.close()
    assert {str(path.relative_to(folder)) for path in folder.glob("images/**/*.png")} == {
        one.image_file for one in records
    }
    return [one.part for one in records]


def test_the_first_rule_that_fits_says_how_old_an_image_becomes(tmp_path: Path) -> None:
    """Scratches stay for good, late ones go after a day, passed ones after a week, all other rejects after a month;
    each removal is written down with its rule, and no row is gone.
    """
    parts = []
    for day in range(41):
        parts += [
            a_part(4 * day + 1, day=day),
            a_part(4 * day + 2, day=day, passed=False, defect="scratch"),
            a_part(4 * day + 3, day=day, passed=False, reason=Reason.LATE, defect="dent"),
            a_part(4 * day + 4, day=day, passed=False, defect="dent"),
        ]
    fill(tmp_path, parts)
    rules = [
        {"defect": "scratch", "keep_days": 36_500},
        {"reason": "LATE", "keep_days": 1.5},
        {"verdict": "PASS", "keep_days": 7.5},
        {"keep_days": 30.5},
    ]
    keep = {1: 7, 2: 40, 3: 1, 0: 30}
    expected = [one.part for one in parts if 40 - (one.part - 1) // 4 <= keep[one.part % 4]]
    assert tend(tmp_path, retention=rules) == expected
    reader = RecordReader(tmp_path)
    removals = reader.entries(kind=EntryKind.REMOVAL)
    reader.close()
    assert {one.entry.content["why"] for one in removals} == {
        "retention: LATE: 1.5 days", "retention: PASS: 7.5 days", "retention: everything else: 30.5 days",
    }  # fmt: skip
    removed = [number for one in removals for number in one.entry.content["records"]]
    assert sorted(removed) == sorted(set(range(1, 165)) - set(expected))
    assert tend(tmp_path, retention=rules) == expected
    said = CliRunner().invoke(app, ["records", "removals", "--dir", str(tmp_path)]).output
    assert "retention: PASS: 7.5 days" in said


def test_a_clock_that_runs_years_ahead_ages_nothing(tmp_path: Path) -> None:
    """Age counts from the newest record on, and a day more: a wrong date alone removes no image."""
    fill(tmp_path, [a_part(1), a_part(2, day=10)], newest_days_ago=4000)
    assert tend(tmp_path, retention=[{"keep_days": 30}]) == [1, 2]
    assert tend(tmp_path, retention=[{"keep_days": 5}]) == [2]


HOLDS = [
    ({"lot": "L-1"}, {1, 2}),
    ({"serial": "S2"}, {2}),
    ({"lot": "L-1", "serial": "S2"}, {2}),
    ({"records": [3]}, {3}),
    ({"since_wall_ns": 0}, {1, 2, 3, 4}),
    ({"until_wall_ns": 1}, set()),
]


@pytest.mark.parametrize(("cells", "stay"), HOLDS)
def test_a_hold_keeps_what_it_names_until_it_is_released(tmp_path: Path, cells: dict[str, Any], stay: set[int]) -> None:
    """Neither age nor an empty budget removes a held image; released, it goes at once, and every row is still there."""
    parts = [
        a_part(1, lot="L-1", serial="S1"),
        a_part(2, lot="L-1", serial="S2", passed=False),
        a_part(3, lot="L-2"),
        a_part(4, passed=False),
    ]
    fill(tmp_path, parts, newest_days_ago=0)
    store, reader = RecordStore(tmp_path), RecordReader(tmp_path)
    writer = RecordWriter(store, RecordsOptions(min_free_mb=0, image_budget_mb=0, retention=({"keep_days": 1e-9},)))
    book = Book(writer, reader)
    add_hold(book, hold_of("case 7", {"reason": "complaint", **cells}), "kim", 5)
    writer.tend_images()
    assert set(there(tmp_path)) == stay
    assert list(active_holds(book)) == ["case 7"]
    with pytest.raises(HoldError, match="holds already"):
        add_hold(book, Hold("case 7", "again", lot="x"), "kim", 5)
    release_hold(book, "case 7", "settled", "kim", 6)
    with pytest.raises(HoldError, match="does not hold"):
        release_hold(book, "case 7", "settled", "kim", 6)
    writer.tend_images()
    assert there(tmp_path) == []
    assert writer.close(TIMEOUT_S)
    reader.close()
    report = verify(tmp_path)
    assert (report.problems, report.records, report.images_removed) == ([], 4, 4)


@pytest.mark.parametrize("cells", [{}, {"reason": "x"}, {"lot": "x"}, {"reason": "x", "records": list(range(1001))}])
def test_a_hold_that_names_nothing_or_has_no_reason_is_refused(cells: dict[str, Any]) -> None:
    """A hold that would hold nothing, or that nobody can explain later, is none."""
    with pytest.raises(HoldError):
        hold_of("case 7", cells)


SPOILT = ("a\nb", "a\x1b[2Kb", "a\x9bb", "a\u202eb", "a\x7f")


@pytest.mark.parametrize("text", SPOILT)
@pytest.mark.parametrize("option", ["name", "--reason", "--who"])
def test_a_text_that_would_spoil_a_screen_is_refused(tmp_path: Path, option: str, text: str) -> None:
    """A hold's name, reason and who set or released it print on one line; the refusal names what does not."""
    fill(tmp_path, [a_part(1, lot="L-1")])
    told = {"name": "case 7", "--reason": "complaint", "--who": "kim"}
    given = {**told, option: text}

    def said(step: str, texts: dict[str, str], *more: str) -> BaseException | None:
        words = [step, texts["name"], "--reason", texts["--reason"], "--who", texts["--who"], *more]
        return CliRunner().invoke(app, ["records", "hold", *words, "--dir", str(tmp_path)]).exception

    refused = said("add", given, "--lot", "L-1")
    assert isinstance(refused, HoldError)
    assert repr(next(one for one in text if not one.isprintable())) in str(refused)
    assert str(refused).isprintable()
    assert said("add", told, "--lot", "L-1") is None
    assert isinstance(said("release", given), HoldError)
    assert said("release", told) is None


def test_a_hold_from_before_the_rule_is_shown_escaped_and_can_be_released(tmp_path: Path) -> None:
    """What an earlier version wrote down neither colours the terminal nor stays for ever."""
    fill(tmp_path, [a_part(1, lot="L-1")])
    store = RecordStore(tmp_path)
    content = {"step": "ADDED", "reason": "x\x1b[31m", "lot": "L-1"}
    store.append_note(Entry(EntryKind.HOLD, "case\n7", "kim\x1b[0m", 1, content))
    store.close()
    shown = CliRunner().invoke(app, ["records", "hold", "list", "--dir", str(tmp_path)]).output
    assert "case\\x0a7" in shown
    assert "\x1b" not in shown
    words = ["records", "hold", "release", "case\n7", "--reason", "settled", "--dir", str(tmp_path)]
    assert CliRunner().invoke(app, words).exit_code == 0


def test_a_budget_full_of_held_images_costs_images_and_never_a_record(tmp_path: Path) -> None:
    """New images are given up with a trouble text that names the holds; released, images are kept again."""
    options = RecordsOptions(min_free_mb=0, image_budget_mb=1, ok_sample=1, image_format="png")
    writer, reader = RecordWriter(RecordStore(tmp_path), options), RecordReader(tmp_path)
    book, troubles, recovered = Book(writer, reader), list[str](), threading.Event()
    writer.on_image_trouble(troubles.append)
    writer.on_image_recovered(recovered.set)
    writer.begin_run(Run("r", "s", "m", "", "", 0, 0))
    add_hold(book, Hold("case 7", "complaint", lot="L-1"), "kim", 5)
    for number in range(1, 9):
        assert writer.submit(a_part(number, lot="L-1", pixels=BIG))
        assert writer.flush(TIMEOUT_S)
        writer.tend_images()
    assert there(tmp_path) == [1, 2, 3]
    assert "legal holds" in troubles[0]
    release_hold(book, "case 7", "settled", "kim", 6)
    for number in range(9, 12):
        assert writer.submit(a_part(number, lot="L-1", pixels=BIG))
        assert writer.flush(TIMEOUT_S)
        writer.tend_images()
    assert recovered.is_set()
    assert there(tmp_path)[-1] == 11
    assert writer.close(TIMEOUT_S)
    states = [one.image_state for one in reader.after(0, 99)]
    reader.close()
    assert states[:8] == [ImageState.KEPT] * 3 + [ImageState.GIVEN_UP] * 5
    assert verify(tmp_path).problems == []


def test_a_mark_that_was_taken_away_is_named(tmp_path: Path) -> None:
    """A mark that was taken away again is missed by the entry that tells of it."""
    fill(tmp_path, [a_part(number) for number in range(1, 6)])
    store = RecordStore(tmp_path)
    store.sign(SigningKey.in_folder(tmp_path), 1)
    store.close()
    assert tend(tmp_path, retention=[{"keep_days": 1e-9}]) == []
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER removed_images_no_delete")
        connection.execute("DELETE FROM removed_images WHERE sequence = 2")
    texts = [problem.text for problem in verify(tmp_path).problems]
    assert any("record 2: entry" in text and "its mark is missing" in text for text in texts)


def test_a_mark_behind_the_last_signature_is_named(tmp_path: Path) -> None:
    """The signature says how many marks there were; one more without an entry is named with its record."""
    fill(tmp_path, [a_part(number) for number in range(1, 6)])
    store = RecordStore(tmp_path)
    store.sign(SigningKey.in_folder(tmp_path), 1)
    store.close()
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE, isolation_level=None)) as connection:
        connection.execute("INSERT INTO removed_images VALUES (3, 'PASS', 5)")
    report = verify(tmp_path)
    assert [problem.sequence for problem in report.problems] == [None, 3]
    assert "no entry says by which rule" in report.problems[1].text


def test_a_removal_of_what_a_hold_kept_is_named(tmp_path: Path) -> None:
    """A program that removed it all the same, with mark and entry, is found by the order in the book."""
    fill(tmp_path, [a_part(1, lot="L-1"), a_part(2, lot="L-2")])
    store = RecordStore(tmp_path)
    store.append_note(Entry(EntryKind.HOLD, "case 7", "kim", 1, {"step": "ADDED", "reason": "x", "lot": "L-1"}))
    marks = [{"sequence": number, "verdict": "PASS", "removed_wall_ns": 1} for number in (1, 2)]
    content = {"why": "retention: x", "records": [1, 2], "bytes": 0, "marks_before": 0}
    store.append_removal(marks, Entry(EntryKind.REMOVAL, "retention", "", 1, content))
    store.close()
    problems = verify(tmp_path).problems
    assert [problem.sequence for problem in problems] == [1]
    assert "while a hold kept it" in problems[0].text


def test_the_commands_on_a_store_without_a_station(tmp_path: Path) -> None:
    """hold add, list and release write into the store itself where no station runs."""
    fill(tmp_path, [a_part(1, lot="L-1")])

    def said(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["records", "hold", *words, "--dir", str(tmp_path)])
        return result.exit_code, result.output

    assert (
        said("add", "case 7", "--reason", "complaint", "--lot", "L-1", "--from", "2026-01-01", "--who", "kim")[0] == 0
    )
    (told,) = json.loads(said("list", "--json")[1])["holds"]
    assert told.pop("time_utc")
    since_wall_ns = 1_767_225_600 * 10**9
    assert told == {
        "name": "case 7",
        "reason": "complaint",
        "lot": "L-1",
        "since_wall_ns": since_wall_ns,
        "who": "kim",
    }
    assert "since 2026-01-01 00:00:00.000 UTC" in said("list")[1]
    backwards = ("--from", "2026-02-01", "--to", "2026-01-01")
    for nothing in (("--record", "2"), ("--record", "0"), ("--lot", "L-2"), backwards):
        assert said("add", "case 9", "--reason", "complaint", *nothing)[0] == 1
    wrong = CliRunner().invoke(
        app, ["records", "hold", "add", "case 9", "--reason", "complaint", *backwards, "--dir", str(tmp_path)]
    )
    assert "from 2026-02-01 00:00:00.000000000 UTC to 2026-01-01 00:00:00.000000000 UTC is no time" in str(
        wrong.exception
    )
    found = json.loads(said("add", "case 9", "--reason", "complaint", "--record", "1", "--json")[1])
    assert found["now"]["records"] == 1
    assert said("release", "case 9", "--reason", "settled")[0] == 0
    assert said("add", "case 7", "--reason", "complaint", "--lot", "L-1")[0] == 1
    assert said("add", "case 8", "--reason", "complaint")[0] == 1
    assert said("release", "case 7", "--reason", "settled")[0] == 0
    assert said("list")[1].strip() == "nothing is held"
