"""Where the API listens: host:port, on loopback alone unless TLS and tokens guard it; the defaults of both sides."""

from __future__ import annotations

import ipaddress

from inspection.api.errors import AddressError

DEFAULT_ADDRESS = "127.0.0.1:50051"
DEFAULT_MAX_MESSAGE_MB = 32


def check_address(address: str, *, is_guarded: bool = False) -> tuple[str, int]:
    """Return host and port of an address that the API may listen on; port 0 is any free one. Raises AddressError.

    is_guarded: TLS and tokens are configured, so that others may reach it.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise AddressError(
            f"api.address {address!r}: is no address — host:port with a port from 0 to 65535 is needed — for example "
            "127.0.0.1:50051, or [::1]:50051"
        )
    if not is_guarded and not is_loopback(host):
        raise AddressError(
            f"api.address {address!r}: is open to the network — without TLS and tokens only loopback is allowed "
            "(127.0.0.1, [::1] or localhost) — make certificates with `lineward certificate make`, tokens with "
            "`lineward token add`, and name tls_certificate, tls_key and tokens in [api]; or listen on loopback"
        )
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Return whether nobody but this machine reaches a host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False
