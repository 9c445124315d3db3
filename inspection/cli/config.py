"""`lineward config`: check a configuration file, or print one with every key explained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from inspection.cli.json_option import JsonOption
from inspection.config import config_digest, load_config
from inspection.config.advice import advice
from inspection.config.example import EXAMPLE
from inspection.config.promises import stopping_faults, unkept_promises
from inspection.config.reality import missing_here
from inspection.doctor.plant import plant_notes
from inspection.errors import ConfigError

app = typer.Typer(help="Check a configuration file, or print an example.", no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The station's TOML file.")]


@app.command()
def check(file: FileArgument, as_json: JsonOption = False) -> None:
    """List every problem of a file together, what is not there on this machine, and the promises it cannot keep."""
    try:
        config = load_config(file)
    except ConfigError as error:
        if not as_json:
            raise
        print(json.dumps({"file": str(file), "ok": False, "error": str(error)}))
        raise typer.Exit(error.exit_code) from None
    digest, unkept, missing = config_digest(config), unkept_promises(config), missing_here(config)
    notes, stopping = advice(config) + plant_notes(config), stopping_faults(config)
    if as_json:
        kept = list(config.ejector.kept_promises())
        found = {"digest": digest, "promises_kept": kept, "promises_not_kept": unkept, "advice": notes}
        found["stops_the_line"] = stopping
        print(json.dumps({"file": str(file), "ok": not missing, **found, "missing_here": missing}))
    else:
        print(f"{file}: this describes a station (digest {digest[:12]})")
        for sentence in config.ejector.kept_promises():
            print(f"kept: {sentence}")
        if stopping:
            print(f"stops the line: {', '.join(stopping)}")
        for sentence in unkept + notes:
            print(f"note: {sentence}")
        for sentence in missing:
            print(f"not on this machine: {sentence}")
        if not unkept:
            print("every promise can be kept with this wiring")
    raise typer.Exit(1 if missing else 0)


@app.command()
def example() -> None:
    """Print a complete file: the simulated line of the demo, with the lines to change for a real one."""
    print(EXAMPLE, end="")
