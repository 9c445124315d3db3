"""`lineward cameras`: which camera backends there are."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from camera.backends import discover
from inspection.cli import camera_geometry

app = typer.Typer(help="Camera backends and devices.", no_args_is_help=True)
camera_geometry.add_to(app)


@app.callback()
def _group() -> None:
    """Camera backends and devices."""


@app.command("list")
def list_cameras(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """List the backends, and whether what they stand on is installed."""
    found = discover()
    if as_json:
        print(json.dumps({"backends": [asdict(backend) for backend in found]}))
        return
    table = Table("backend", "what it is", "installed")
    for backend in found:
        table.add_row(backend.backend, backend.summary, "yes" if backend.installed else f"no: {backend.hint}")
    Console().print(table)
