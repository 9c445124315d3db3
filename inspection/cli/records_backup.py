"""`lineward records backup` and `restore`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from inspection.background import give_way
from inspection.cli.records_folder import DEFAULT_DIR, Dir, Json, counted, print_json
from inspection.cli.records_proof import held_against, print_report, report_fields
from inspection.disk_errors import naming
from inspection.records.backup import Progress as Tell
from inspection.records.backup import back_up
from inspection.records.restore import restore
from inspection.records.signing import read_public_keys
from inspection.records.verify import Trust


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module to a group."""
    app.command("backup")(back_up_records)
    app.command("restore")(restore_records)


def back_up_records(
    dest: Annotated[Path, typer.Argument(help="A new folder; it gets its name when all of it is on the disk.")],
    directory: Dir = DEFAULT_DIR,
    station: Annotated[Path | None, typer.Option(help="The station's TOML file, to be kept with it.")] = None,
    as_json: Json = False,
) -> None:
    """Copy records, images, recipes and camera settings while the station runs; exit 1 where images were lost."""
    give_way()
    with _telling(as_json) as tell, naming(dest):
        manifest = back_up(directory, dest, station, tell)
    problems = manifest["problems"]
    if as_json:
        print_json({"ok": not problems, "backup": str(dest), **manifest})
    else:
        typer.echo(
            f"{dest}: {counted(manifest['heads']['records'][0], 'record')}, "
            f"{counted(manifest['heads']['entries'][0], 'entry', 'entries')}, "
            f"{counted(manifest['images'], 'image')} ({manifest['image_bytes'] / 1e6:.1f} MB)"
        )
        for bundle in manifest["bundles"]:
            typer.echo(f"keep the model, too: {bundle['model']}, bundle {bundle['digest']}")
        for problem in problems:
            typer.echo(f"  {problem}")
    if problems:
        raise typer.Exit(1)


def restore_records(
    source: Annotated[Path, typer.Argument(help="The folder that `lineward records backup` made.")],
    directory: Dir = DEFAULT_DIR,
    public_key: Annotated[Path | None, typer.Option(help="Public keys as PEM, kept outside the station.")] = None,
    as_json: Json = False,
) -> None:
    """Make a new data folder of a backup; it gets its name when every record, signature and image was checked."""
    trust = Trust(None if public_key is None else read_public_keys(public_key))
    with _telling(as_json) as tell, naming(directory):
        report = restore(source, directory, tell, trust)
    compared = held_against(trust, public_key)
    if as_json:
        print_json({"dir": str(directory), **report_fields(report), "compared": compared})
    else:
        print_report(report, directory, compared)


@contextmanager
def _telling(is_silent: bool) -> Iterator[Tell]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    hidden = is_silent or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        tasks: dict[str, TaskID] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what)
            progress.update(tasks[what], completed=done, total=total)

        yield tell
