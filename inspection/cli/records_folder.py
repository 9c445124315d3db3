"""What every command about stored records takes, and how it answers a program."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

Dir = Annotated[Path, typer.Option("--dir", help="The station's data folder (records.dir of its configuration).")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
Who = Annotated[str | None, typer.Option(help="Who asks; your user name when left out.")]
DEFAULT_DIR = Path("lineward-data")
_WIDEST = 10_000
TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]
"""How times are written on the command line."""


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object on one line."""
    typer.echo(json.dumps(value, ensure_ascii=False))


def print_whole(table: Table) -> None:
    """Print every column in full: a narrow terminal breaks lines, and no `grep` looks for what was left out."""
    console = Console()
    wanted = Measurement.get(console, console.options.update(max_width=_WIDEST), table).maximum
    console.width = max(console.width, wanted)
    console.print(table)


def counted(number: int, what: str, several: str = "") -> str:
    """Return a number with its noun: "1 record", "2 records"; several: the plural where it is another one."""
    return f"{number} {what if number == 1 else several or f'{what}s'}"


def moment(at_wall_ns: int) -> str:
    """Return a wall time (UTC nanoseconds since 1970) for people, in UTC to the millisecond."""
    return (
        datetime.fromtimestamp(at_wall_ns / 1e9, UTC).isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")
    )


def wall_ns(at: datetime | None) -> int | None:
    """Return a time of the command line as UTC nanoseconds since 1970; UTC unless it names its offset."""
    return None if at is None else int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1e9)
