"""`lineward doctor`: what this machine and its cameras have, and what would keep a station from working with them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from inspection.cli.json_option import JsonOption

if TYPE_CHECKING:
    from inspection.doctor.finding import Finding

_MARKS = {"ok": "[green]✓[/]", "note": "[yellow]![/]", "problem": "[red]✗[/]"}


class About(StrEnum):
    """What is looked at."""

    MACHINE = "machine"
    CAMERAS = "cameras"
    PLANT = "plant"


def doctor(
    about: Annotated[About, typer.Argument(help="The machine, its cameras, or the plant's servers.")] = About.MACHINE,
    station: Annotated[
        Path | None,
        typer.Argument(help="A station file: plant needs one, cameras holds what they send against their links."),
    ] = None,
    *,
    folder: Annotated[Path, typer.Option("--dir", help="Where the records will be: its disk is looked at.")] = Path(),
    as_json: JsonOption = False,
) -> None:
    """Check what a station needs; exit 1 when something would keep it from working.

    machine: packages, execution providers, serial ports, disk, clock and cores. cameras: libraries, devices, packet
    size, socket buffers, filters, links, USB, and with a station file the bandwidth of all its cameras together. plant:
    whether database and image store take the copy of a station's records.
    """
    from inspection.doctor import examine, examine_cameras, examine_plant

    looks = {About.CAMERAS: examine_cameras, About.PLANT: examine_plant}
    findings = looks[about](station) if about in looks else examine(folder)
    sound = all(finding.level != "problem" for finding in findings)
    if as_json:
        print(json.dumps({"ok": sound, "findings": [finding.as_json() for finding in findings]}))
    else:
        _tell(findings)
    raise typer.Exit(0 if sound else 1)


def _tell(findings: Sequence[Finding]) -> None:
    """Print a line each, and the next step below it: whole, as one that is cut off cannot be copied."""
    console, width = Console(), max(len(finding.what) for finding in findings)
    for finding in findings:
        line = f"{_MARKS[finding.level]}  {escape(finding.what):{width}}  {escape(finding.found)}"
        console.print(line, highlight=False, soft_wrap=True)
        if finding.next_step:
            console.print(f"   → {finding.next_step}", markup=False, highlight=False, soft_wrap=True)
