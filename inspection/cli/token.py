"""`lineward token`: who may call the API of a station, and as what."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from inspection.api.access_file import AccessEntry, add_certificate, add_token, read_access, revoke
from inspection.api.roles import Role
from inspection.cli.json_option import JsonOption

app = typer.Typer(help="Who may call the API of a station, and as what.", no_args_is_help=True)

_DEFAULT_FILE = Path("access.json")
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Whose it is; the audit log keeps it.")]
FileOption = Annotated[Path, typer.Option("--file", help="The access file: [api] tokens of the station.")]


@app.command()
def add(
    name: NameArgument,
    role: Annotated[Role, typer.Option(help="What its owner may do: docs/security.md has the table.")],
    expires: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="From this day on (UTC) it is refused. Absent: it never ends."),
    ] = None,
    certificate: Annotated[
        bool, typer.Option("--certificate", help="NAME is the common name of a client certificate; no token is made.")
    ] = False,
    file: FileOption = _DEFAULT_FILE,
    as_json: JsonOption = False,
) -> None:
    """Add a caller and print its token, once: only its hash is kept. A running station knows it within a second."""
    ends_wall_s = 0 if expires is None else int(expires.replace(tzinfo=UTC).timestamp())
    if expires is not None and ends_wall_s <= time.time():
        raise typer.BadParameter(
            f"is {expires:%Y-%m-%d} — a day in the future is needed — choose one, or leave it out",
            param_hint="--expires",
        )
    token = ""
    if certificate:
        add_certificate(file, name, role, ends_wall_s)
    else:
        token = add_token(file, name, role, ends_wall_s)
    if as_json:
        print(json.dumps({"name": name, "role": role, "file": str(file), **({"token": token} if token else {})}))
    elif certificate:
        print(f"{file}: the client certificate of {name} is {role} from now on")
    else:
        print(f"{token}\n")
        print(f"This is the token of {name} ({role}). It is shown once; {file} has its hash alone.")
        print(f'Clients send it as `authorization: Bearer …`; the station needs [api] tokens = "{file}".')


@app.command("list")
def list_(file: FileOption = _DEFAULT_FILE, as_json: JsonOption = False) -> None:
    """List who may call: name, role, how its token begins, since when and until when."""
    entries = read_access(file).entries
    if as_json:
        print(json.dumps({"file": str(file), "entries": [_row(entry) for entry in entries]}))
        return
    for entry in entries:
        row = _row(entry)
        ends = f"{'expired' if row['expired'] else 'until'} {row['expires']}" if row["expires"] else "does not expire"
        shown = "certificate" if entry.is_certificate else f"{entry.begins}…"
        print(f"{entry.name:20} {entry.role:10} {shown:16} since {row['made']}, {ends}")
    if not entries:
        print(f"{file}: nobody yet; add somebody with `lineward token add NAME --role ROLE`")


@app.command("revoke")
def revoke_(name: NameArgument, file: FileOption = _DEFAULT_FILE, as_json: JsonOption = False) -> None:
    """Take a caller out; a running station refuses it within a second, and ends its open streams."""
    gone = revoke(file, name)
    if as_json:
        print(json.dumps({"file": str(file), "revoked": _row(gone)}))
    else:
        print(f"{file}: {name} ({gone.role}) is out")


def _row(entry: AccessEntry) -> dict[str, object]:
    return {
        "name": entry.name,
        "role": str(entry.role),
        "kind": "certificate" if entry.is_certificate else "token",
        "begins": entry.begins,
        "made": _day(entry.made_wall_s),
        "expires": _day(entry.expires_wall_s) if entry.expires_wall_s else "",
        "expired": entry.has_expired(time.time()),
    }


def _day(wall_s: int) -> str:
    return datetime.fromtimestamp(wall_s, UTC).strftime("%Y-%m-%d")
