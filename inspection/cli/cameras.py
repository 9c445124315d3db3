"""`lineward cameras`: which backends and devices there are, and what one can do with each."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from camera.backends import Discovered, all_rows, discover, is_installed
from inspection.cli import camera_geometry
from inspection.cli.camera_check import check
from inspection.cli.camera_tune import tune
from inspection.cli.camera_verify import verify
from inspection.cli.cameras_pictures import record, snapshot
from inspection.cli.cameras_set import set_features
from inspection.cli.cameras_show import show
from inspection.cli.json_option import JsonOption

if TYPE_CHECKING:
    from camera.device import Device

app = typer.Typer(help="Find cameras, look at them, set them, take and record pictures.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Find cameras, look at them, set them, take and record pictures."""


@app.command("list")
def list_cameras(
    backend: Annotated[list[str] | None, typer.Option(help="Only this backend; may be given several times.")] = None,
    timeout: Annotated[float, typer.Option(min=0.5, max=60, help="Seconds that looking for devices may take.")] = 5.0,
    as_json: JsonOption = False,
) -> None:
    """List the backends, whether what they stand on is installed, and the cameras that each of them finds."""
    from camera.discovery import find_devices

    there = discover()
    unknown = [name for name in backend or () if name not in {row.backend for row in there}]
    if unknown:
        known = ", ".join(row.backend for row in there)
        raise typer.BadParameter(f"no backend is called {', '.join(unknown)}; there are {known}")
    found = [row for row in there if not backend or row.backend in backend]
    named = {row.backend for row in found}
    usable = [row.name for row in all_rows() if row.name in named and row.is_device and is_installed(row)]
    devices, problems = find_devices(usable, timeout) if usable else ([], [])
    if as_json:
        listed = {"backends": [asdict(row) for row in found], "devices": [asdict(one) for one in devices]}
        print(json.dumps({**listed, "problems": problems}))
        return
    console = Console()
    console.print(_backends(found))
    console.print(_devices(devices) if devices else "no camera was found" if usable else "")
    for one in (*(device.hint for device in devices if device.hint), *problems):
        console.print(one, markup=False, highlight=False, soft_wrap=True)


def _backends(found: list[Discovered]) -> Table:
    table = Table("backend", "what it is", "installed")
    for row in found:
        table.add_row(row.backend, row.summary, "yes" if row.installed else escape(f"no: {row.hint}"))
    return table


def _devices(devices: list[Device]) -> Table:
    table = Table("camera", "vendor", "model", "user name", "address", "state")
    for one in devices:
        name = f"{one.backend}:{one.serial or one.user_name or one.id}"
        table.add_row(*map(escape, (name, one.vendor, one.model, one.user_name, one.address, one.state)))
    return table


app.command("show")(show)
app.command("set")(set_features)
app.command("snapshot")(snapshot)
app.command("record")(record)
app.command("tune")(tune)
app.command("verify")(verify)
app.command("check")(check)
camera_geometry.add_to(app)
