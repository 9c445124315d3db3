"""`lineward support-bundle`: packs what helps to help into one file, whether the station runs or not."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from inspection.background import give_way


def support_bundle(
    station: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="The station's TOML file; else ./station.toml, if it is there."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The zip file to write; must not be there.")] = None,
    images: Annotated[int, typer.Option(min=0, max=1000, help="So many of the newest pictures, too.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")] = False,
) -> None:
    """Pack logs, configuration, last alarms and records, versions and findings, without secrets.

    It takes at most half a minute, gives way to the line, and changes nothing.
    """
    from inspection.support.bundle import pack

    give_way()
    if station is None and Path("station.toml").is_file():
        station = Path("station.toml")
    file = out or Path(f"lineward-support-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.zip")
    packed = pack(station, file, images, os.environ)
    if as_json:
        contents = {"file": str(packed.file), "bytes": packed.size_bytes}
        print(json.dumps({"ok": True, **contents, "contents": packed.contents, "missing": packed.missing}), flush=True)
    else:
        console = Console()
        for name, size in packed.contents.items():
            console.print(f"{size:>12,}  {name}", markup=False, highlight=False)
        for name, trouble in packed.missing.items():
            console.print(f"           –  {name}: {trouble}", markup=False, highlight=False, soft_wrap=True)
        console.print(
            f"{packed.size_bytes:>12,}  bytes in {packed.file}", markup=False, highlight=False, soft_wrap=True
        )
        console.print("Secrets are taken out; look through it before you send it.", highlight=False)
