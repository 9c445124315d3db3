"""Where the API listens (host:port, on the loopback interface only), and the defaults that both sides share."""

from __future__ import annotations

import ipaddress

from inspection.api.errors import AddressError

DEFAULT_ADDRESS = "127.0.0.1:50051"
DEFAULT_MAX_MESSAGE_MB = 32


def check_address(address: str) -> tuple[str, int]:
    """Return host and port of an address that the API may listen on; port 0 is any free one. Raises AddressError."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise AddressError(
            f"api.address {address!r}: is no address — host:port with a port from 0 to 65535 is needed — for example "
            "127.0.0.1:50051, or [::1]:50051"
        )
    if not _is_loopback(host):
        raise AddressError(
            f"api.address {address!r}: is open to the network — only loopback is allowed (127.0.0.1, [::1] or "
            "localhost), since this version has neither TLS nor tokens yet — listen on loopback and reach it through "
            "an SSH tunnel"
        )
    return host, int(port)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False
