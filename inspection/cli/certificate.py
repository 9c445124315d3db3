"""`lineward certificate`: certificates for a plant that has no CA of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from inspection.api.own_ca import LEAF_DAYS, OwnCa, now_utc
from inspection.cli.json_option import JsonOption

app = typer.Typer(help="Certificates for the API, where the plant has no CA of its own.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Certificates for the API, where the plant has no CA of its own."""


@app.command()
def make(
    host: Annotated[list[str], typer.Option(metavar="NAME", help="How clients reach the station; may be repeated.")],
    folder: Annotated[Path, typer.Option("--dir", help="Where the files go; a CA that is there is used again.")],
    clients: Annotated[
        str, typer.Option(metavar="NAME,NAME", help="Client certificates to make as well, by common name.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Make a private CA, the station's certificate and clients' ones; run it again to renew them with the same CA."""
    now = now_utc()
    names = [name.strip() for name in clients.split(",") if name.strip()]
    ca = OwnCa.in_folder(folder, now)
    made = [ca.server(host, now), *(ca.client(name, now) for name in names)]
    if as_json:
        print(json.dumps({"ca": str(folder / "ca.pem"), "made": [str(file) for file in made], "days": LEAF_DAYS}))
        return
    for file in made:
        print(f"{file} and {file.with_suffix('.key').name}: good for {LEAF_DAYS} days")
    print(f'\nIn the station\'s file, under [api]:\n\ntls_certificate = "{folder / "server.pem"}"')
    print(f'tls_key = "{folder / "server.key"}"')
    if names:
        print(f'client_ca = "{folder / "ca.pem"}"      # every client needs a certificate then')
    print('tokens = "access.json"\n')
    print(
        f"Clients trust {folder / 'ca.pem'}. Keep {folder / 'ca.key'} off the station, where nobody else can read it."
    )
    for name in names:
        print(f"Next: lineward token add {name} --role ROLE --certificate")
    if not names:
        print("Next: lineward token add NAME --role ROLE")
