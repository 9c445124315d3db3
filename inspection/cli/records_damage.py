"""What a command says of rows that cannot be read: it shows all others, names these, and ends with 1."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Never, TypeVar

import typer

from inspection.records.errors import RecordLostError

_MOST_NAMED = 10
_Row = TypeVar("_Row")


def sorted_out(rows: Iterable[_Row | RecordLostError]) -> tuple[list[_Row], list[RecordLostError]]:
    """Return what can be read, and what is wrong with the others, each in order."""
    sound: list[_Row] = []
    damaged: list[RecordLostError] = []
    for row in rows:
        if isinstance(row, RecordLostError):
            damaged.append(row)
        else:
            sound.append(row)
    return sound, damaged


def damage_fields(damaged: Sequence[RecordLostError], what: str = "record") -> dict[str, Any]:
    """Return what a program is told of them; nothing where there are none."""
    told = [{what: one.row, "cell": one.cell, "error": str(one)} for one in damaged]
    return {"ok": False, "damaged": told} if told else {}


def end_with(damaged: Sequence[RecordLostError], directory: Path, what: str = "record") -> Never:
    """Say on stderr in one sentence which rows are left out, and end the command with 1."""
    if len(damaged) == 1:
        text = f"{damaged[0]}; it is left out here"
    else:
        named = [f"{one.row} ({one.cell})" for one in damaged[:_MOST_NAMED]]
        more = f" and {len(damaged) - _MOST_NAMED} more" if len(damaged) > _MOST_NAMED else ""
        text = (
            f"{len(damaged)} {'entries' if what == 'entry' else f'{what}s'} cannot be read and are left out here: "
            f"{', '.join(named)}{more} — they are never changed after they were written — run "
            f"`lineward records verify --dir {directory}`"
        )
    typer.echo(f"lineward: {text}", err=True)
    raise typer.Exit(1)
