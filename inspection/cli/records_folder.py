"""What every command about stored records takes, and how it answers a program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

Dir = Annotated[Path, typer.Option("--dir", help="The station's data folder (records.dir of its configuration).")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
DEFAULT_DIR = Path("lineward-data")


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object on one line."""
    typer.echo(json.dumps(value, ensure_ascii=False))
