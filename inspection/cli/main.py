"""The `lineward` command: each command is loaded only when it is asked for."""

from __future__ import annotations

import errno
import json
import os
import sys
from importlib import import_module
from importlib.metadata import entry_points, version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from inspection.cli.entry import is_loaded
from inspection.cli.plain_help import say_as_written

_OWN = {
    "demo": "inspection.cli.demo:demo",
    "run": "inspection.cli.run:run",
    "challenge": "inspection.cli.challenge:challenge",
    "config": "inspection.cli.config:app",
    "records": "inspection.cli.records:app",
    "recipes": "inspection.cli.recipes:app",
    "cameras": "inspection.cli.cameras:app",
    "quality": "inspection.cli.quality:app",
    "identity": "inspection.cli.identity:app",
    "bench": "inspection.cli.bench:app",
    "token": "inspection.cli.token:app",
    "certificate": "inspection.cli.certificate:app",
    "doctor": "inspection.cli.doctor:doctor",
    "simulate": "inspection.cli.simulate:simulate",
    "support-bundle": "inspection.cli.support_bundle:support_bundle",
}
# Commands inside a group that are loaded by name alone; those of another folder, so that neither imports the other.
_INSIDE = {
    "model": {
        "report": "training.model_cli:report",
        "compare": "training.model_cli:compare",
        "optimise": "training.optimise_cli:optimise",  # without --data it is the one of `models`
    },
    "records": {
        "forward": "inspection.cli.records_forward:forward",
        "verify-copy": "inspection.cli.records_forward:verify",
    },
    "bench": {"training": "training.bench.cli:training", "records": "inspection.cli.bench_records:records"},
}
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO)
_ORDER = (
    "demo", "run", "challenge", "train", "evaluate", "dataset", "model", "recipes", "records", "config", "cameras",
    "quality", "identity", "bench", "simulate", "token", "certificate", "support-bundle", "doctor",
)  # fmt: skip


def _references() -> dict[str, str]:
    """Return each command's `module:attribute`: our own, and those that other folders plug in."""
    plugged = {entry.name: entry.value for entry in entry_points(group="lineward.commands")}
    return {**plugged, **_OWN}


class LazyGroup(TyperGroup):
    """Imports a command's module when the command is run or its help is listed, not before."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the order of a part's life."""
        del ctx
        known = _references()
        return [name for name in _ORDER if name in known] + sorted(set(known) - set(_ORDER))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import and return one command; None for an unknown name."""
        del ctx
        reference = _references().get(cmd_name)
        if reference is None:
            return None
        command = _attribute(reference)
        if isinstance(command, typer.Typer):
            group = typer.main.get_group(command)
            group.name = cmd_name
            for name, inside in _INSIDE.get(cmd_name, {}).items():
                group.add_command(_single(name, inside), name)
            found: Any = group
        else:
            found = _single(cmd_name, reference)
        say_as_written(found)
        is_loaded()
        return found


def _attribute(reference: str) -> Any:
    module, _, attribute = reference.partition(":")
    return getattr(import_module(module), attribute)


def _single(name: str, reference: str) -> Any:
    single = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    single.command(name)(_attribute(reference))
    return typer.main.get_command(single)


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Inline visual inspection: camera to verdict to reject pulse, with a guarantee.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lineward {version('lineward')}")
        raise typer.Exit


@app.callback()
def _root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    del show_version


def main() -> None:
    """Run the command line; what a person can mend is one message and an exit code, never a traceback."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its core prints what we say better
    try:
        app()
    except OSError as error:
        from inspection.disk_errors import REMEDIES, trouble

        if error.errno not in (_OF_THE_DISK if error.filename is None else REMEDIES):
            raise
        _fail(trouble(error), 1)
    except Exception as error:
        exit_code = getattr(error, "exit_code", None)
        if not isinstance(exit_code, int):
            raise
        _fail(str(error), exit_code)


def _fail(message: str, exit_code: int) -> None:
    if "--json" in sys.argv:
        print(json.dumps({"ok": False, "error": message}))
    print(f"lineward: {message}", file=sys.stderr)
    sys.exit(exit_code)


if __name__ == "__main__":
    main()
