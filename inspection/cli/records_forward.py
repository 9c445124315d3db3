"""`lineward records forward` and `verify-copy`: the plant's copy of a station's records and images, by hand."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from inspection.background import give_way
from inspection.config import StationConfig, load_config
from inspection.plant.books import Book
from inspection.plant.by_hand import CopyStatus, check_records, copy_now, require_plant, status
from inspection.plant.errors import PlantAwayError, PlantError
from inspection.plant.image_check import ImageReport, check_images
from inspection.records.errors import RecordsError
from inspection.records.verify import VerifyReport

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The station's TOML file, with [plant].")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]


def forward(
    file: FileArgument,
    once: Annotated[bool, typer.Option("--once", help="Copy all that waits now, then end.")] = False,
    as_json: Json = False,
) -> None:
    """Show how far the plant's copy is; with --once copy what waits, whether the station runs or not.

    A running station copies by itself. Exit 1 when with --once the plant does not answer.
    """
    config = load_config(file)
    copied: dict[str, int] = {}
    vanished, trouble = 0, None
    if once:
        give_way()
        vanished = sum(one.gone for one in status(config).values())
        trouble = _copy(config, copied)
    found = status(config)
    if as_json:
        if trouble is not None:
            raise trouble
        _print_json({name: {**dataclasses.asdict(one), "copied": copied.get(name, 0)} for name, one in found.items()})
        return
    if vanished:
        print(f"{vanished} rows that were copied before had vanished at the plant: find out who removed them")
    for name, one in found.items():
        _print_status(name, one, copied.get(name))
    if trouble is not None:
        raise trouble


def _copy(config: StationConfig, copied: dict[str, int]) -> PlantError | RecordsError | None:
    """Copy what waits into the count of each copy; return what kept it from being all."""
    with Console(stderr=True, highlight=False).status("copying") as shown:

        def say(name: str, count: int) -> None:
            copied[name] = count
            shown.update(f"{name}: {count} copied")

        try:
            copy_now(config, say)
        except (PlantError, RecordsError) as error:
            return error
    return None


def _print_status(name: str, one: CopyStatus, copied: int | None) -> None:
    done = "" if copied is None else f"{copied} copied now, "
    last = "never copied"
    if one.last_wall_ns or one.is_begun:
        last = f"last copied {_utc(one.last_wall_ns) if one.last_wall_ns else 'at a time that is not known'}"
    print(f"{name}: {done}{one.waiting} wait, {last}, to {one.place}")
    if one.gone:
        print(f"  {one.gone} of them were copied once and are gone at the plant: find out who removed them")
    if one.trouble:
        print(f"  as last known; asked at {_utc(one.asked_wall_ns)} it cannot be used: {one.trouble}")


def verify(
    file: FileArgument,
    images: Annotated[bool, typer.Option("--images", help="Fetch every image from the plant, too.")] = False,
    as_json: Json = False,
) -> None:
    """Check the plant's copy: every row against the hash chain, with --images every image against its record.

    The end of each book is held against the station's own store. Exit 1 when something was changed, is missing or out
    of order, was copied and is gone, or could not be looked at; rows that wait for their copy are counted.
    """
    config = load_config(file)
    require_plant(config)
    records, books, pictures = None, list[Book](), None
    if config.plant.postgresql is not None:
        records, books = _checked_records(config)
    if images and config.plant.images is not None:
        with Console(stderr=True, highlight=False).status("images") as shown:
            pictures = _checked_images(config, lambda at: shown.update(f"images, up to record {at}"))
    sound = (records is None or records.ok) and (pictures is None or not pictures.problem_count)
    if as_json:
        found: dict[str, Any] = {"ok": sound}
        found |= {"records": dataclasses.asdict(records)} if records else {}
        found |= {"lacks": {book.name: book.lacks for book in books}, "gone": {book.name: book.gone for book in books}}
        _print_json(found | ({"images": dataclasses.asdict(pictures)} if pictures else {}))
    else:
        _print_report(records, books, pictures)
    raise typer.Exit(0 if sound else 1)


def _checked_records(config: StationConfig) -> tuple[VerifyReport, list[Book]]:
    """Check the rows; a database that does not answer is a problem, and the images are checked all the same."""
    try:
        return check_records(config)
    except PlantAwayError as error:
        report = VerifyReport()
        report.add(None, f"the copy of the records could not be checked: {error}")
        return report, []


def _checked_images(config: StationConfig, progress: Callable[[int], None]) -> ImageReport:
    """Check the images; a store that cannot be opened is a problem, so that what was found before is told."""
    try:
        return check_images(config, progress)
    except PlantError as error:
        report = ImageReport()
        report.add(f"no image can be fetched: {config.plant.images}: {error} — mend it, then repeat the command")
        return report


def _print_report(records: VerifyReport | None, books: list[Book], pictures: ImageReport | None) -> None:
    if records is not None:
        if books:
            print(f"copy: {records.records} records, {records.challenges} challenges, {records.entries} entries")
        for problem in records.problems:
            print(f"  {problem.text}")
        for book in books:
            if book.lacks and not book.problem:
                print(f"  the copy lacks {book.lacks} {book.name} ({book.waits} wait to be copied)")
    if pictures is not None:
        print(
            f"copy: {pictures.images} images, {pictures.waiting} wait still, {pictures.unread} could not be fetched, "
            f"{pictures.nowhere} were removed by the station's rules before they were copied"
        )
        for text in pictures.problems:
            print(f"  {text}")
    count = (records.problem_count if records else 0) + (pictures.problem_count if pictures else 0)
    print(
        f"{count} problem{'s' * (count > 1)} — docs/plant-copy.md tells what to do"
        if count
        else _whole(books, pictures)
    )


def _whole(books: list[Book], pictures: ImageReport | None) -> str:
    """Return what is intact, and what of it is not there, though nothing is wrong."""
    lacks = sum(book.lacks for book in books)
    waits = [f"{lacks} rows wait"] if lacks else []
    if pictures is not None and pictures.waiting:
        waits.append(f"{pictures.waiting} images wait")
    if pictures is not None and pictures.nowhere:
        waits.append(f"{pictures.nowhere} images went before they were copied")
    return f"intact as far as it goes: {', '.join(waits)}" if waits else "intact"


def _print_json(found: dict[str, Any]) -> None:
    print(json.dumps(found), flush=True)


def _utc(wall_ns: int) -> str:
    return f"{datetime.fromtimestamp(wall_ns * 1e-9, UTC):%Y-%m-%d %H:%M:%S} UTC"
