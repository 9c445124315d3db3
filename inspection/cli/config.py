"""`lineward config`: check a configuration file, or print one with every key explained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from inspection.config import config_digest, load_config
from inspection.config.example import EXAMPLE
from inspection.config.promises import unkept_promises
from inspection.errors import ConfigError

app = typer.Typer(help="Check a configuration file, or print an example.", no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The station's TOML file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]


@app.command()
def check(file: FileArgument, as_json: JsonOption = False) -> None:
    """List every problem of a file together, and the promises that its wiring cannot keep."""
    try:
        config = load_config(file)
    except ConfigError as error:
        if not as_json:
            raise
        print(json.dumps({"file": str(file), "ok": False, "error": str(error)}))
        raise typer.Exit(error.exit_code) from None
    unkept = unkept_promises(config)
    if as_json:
        print(json.dumps({"file": str(file), "ok": True, "digest": config_digest(config), "promises_not_kept": unkept}))
        return
    print(f"{file}: this is a station (digest {config_digest(config)[:12]})")
    for sentence in unkept:
        print(f"note: {sentence}")


@app.command()
def example() -> None:
    """Print a complete file: the simulated line of the demo, with the lines to change for a real one."""
    print(EXAMPLE, end="")
