"""Where a call comes from, as far as it matters: from this machine or from another."""

from __future__ import annotations

import ipaddress
from urllib.parse import unquote


def is_on_this_machine(peer: str) -> bool:
    """Tell whether gRPC's name of a peer (`ipv4:127.0.0.1:5`, `ipv6:[::1]:5`, `unix:`) is of this machine."""
    kind, _, rest = peer.partition(":")
    if kind == "unix":
        return True
    host = unquote(rest).rpartition(":")[0].removeprefix("[").removesuffix("]")
    try:
        return kind in ("ipv4", "ipv6") and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
