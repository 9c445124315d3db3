"""`lineward doctor`: what this machine has, and what would keep a station from working on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

_MARKS = {"ok": "[green]✓[/]", "note": "[yellow]![/]", "problem": "[red]✗[/]"}


def doctor(
    folder: Annotated[Path, typer.Option("--dir", help="Where the records will be: its disk is looked at.")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Check packages, execution providers, serial ports, disk, clock and cores; exit 1 when something is missing."""
    from inspection.doctor import examine

    findings = examine(folder)
    sound = all(finding.level != "problem" for finding in findings)
    if as_json:
        print(json.dumps({"ok": sound, "findings": [finding.as_json() for finding in findings]}))
    else:
        table = Table("", "what", "found", "next step", box=None, pad_edge=False)
        for finding in findings:
            table.add_row(_MARKS[finding.level], *map(escape, (finding.what, finding.found, finding.next_step)))
        Console().print(table)
    raise typer.Exit(0 if sound else 1)
