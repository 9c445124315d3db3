"""How a command reaches a station: address, token and CA, from options or the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspection.api.client import StationClient

TOKEN_VARIABLE, CA_VARIABLE = "LINEWARD_TOKEN", "LINEWARD_CA"
CERTIFICATE_VARIABLE, KEY_VARIABLE = "LINEWARD_CERTIFICATE", "LINEWARD_KEY"


def client_of(address: str) -> StationClient:
    """Return a client of the station at `address`.

    A token is taken from the environment and never from the command line, which every user of the machine can read.
    Without token and CA, the station of this user on this machine is reached over its own socket, as its operator.
    """
    from inspection.api.client import StationClient
    from inspection.api.local_socket import local_address

    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    ca, certificate, key = (_file(name) for name in (CA_VARIABLE, CERTIFICATE_VARIABLE, KEY_VARIABLE))
    if not token and ca is None and (local := local_address(address)):
        return StationClient(local)
    return StationClient(address, token=token, ca=ca, certificate=certificate, key=key)


def _file(variable: str) -> Path | None:
    value = os.environ.get(variable, "")
    return Path(value) if value else None
