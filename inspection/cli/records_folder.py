"""What every command about stored records takes, and how it answers a program."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

Dir = Annotated[Path, typer.Option("--dir", help="The station's data folder (records.dir of its configuration).")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
Who = Annotated[str | None, typer.Option(help="Who asks; your user name when left out.")]
DEFAULT_DIR = Path("lineward-data")
TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]
"""How times are written on the command line."""


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object on one line."""
    typer.echo(json.dumps(value, ensure_ascii=False))


def moment(at_wall_ns: int) -> str:
    """Return a wall time (UTC nanoseconds since 1970) for people, in UTC to the millisecond."""
    return (
        datetime.fromtimestamp(at_wall_ns / 1e9, UTC).isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")
    )


def wall_ns(at: datetime | None) -> int | None:
    """Return a time of the command line as UTC nanoseconds since 1970; UTC unless it names its offset."""
    return None if at is None else int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1e9)
