"""Where the server listens and what it takes of one connection: the address with TLS or without, and its own socket."""

from __future__ import annotations

import errno
import socket

import grpc

from inspection.api.address import check_address
from inspection.api.errors import ApiError
from inspection.api.local_socket import make_socket_place
from inspection.api.options import SecurityOptions
from inspection.api.tls import ServerTls

_SPARE_STREAMS = 32
_MAX_HEADER_BYTES = 16_384
_DAY_MS = 86_400_000


def connection_options(options: SecurityOptions, max_message_bytes: int) -> list[tuple[str, int]]:
    """Return what gRPC allows one connection, each with its reason."""
    found = [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.so_reuseport", 0),  # otherwise a second station would share the port without a word
        # Streams beyond these wait in the client: a flood of one connection never fills the server.
        ("grpc.max_concurrent_streams", options.streams_per_client + _SPARE_STREAMS),
        ("grpc.max_metadata_size", _MAX_HEADER_BYTES),  # a token and an id need 200 bytes
        ("grpc.absolute_max_metadata_size", _MAX_HEADER_BYTES),
        # A peer whose cable was pulled is noticed within 40 s, and its places are free again.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        # Clients may ping every 10 s; who does so more often is disconnected.
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ]
    if options.has_tls:
        # Another certificate or CA counts for everybody within a day; streams come back with their resume token.
        found += [("grpc.max_connection_age_ms", _DAY_MS), ("grpc.max_connection_age_grace_ms", 60_000)]
    return found


def listen(server: grpc.aio.Server, address: str, options: SecurityOptions, tls: ServerTls | None) -> tuple[str, str]:
    """Open the address, and the private socket where a login is needed; return both, '' for no socket.

    Raises ApiError with the reason when that address cannot be had.
    """
    host, asked_port = check_address(address, is_guarded=options.is_guarded)
    try:
        port = server.add_insecure_port(address) if tls is None else server.add_secure_port(address, tls.credentials)
    except RuntimeError as error:
        raise ApiError(
            f"the API cannot listen on {address}: {_why_not(host.removeprefix('[').removesuffix(']'), asked_port)}"
        ) from error
    local = ""
    if options.has_tls or options.tokens is not None:
        local = f"unix:{make_socket_place(port)}"
        server.add_insecure_port(local)
    return f"{host}:{port}", local


def _why_not(host: str, port: int) -> str:
    """Return why nothing can listen there, as the system tells it, and what to do: gRPC gives no reason."""
    try:
        family, kind, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no host name"
        return (
            f"the host {host!r} cannot be resolved ({reason}) — an address of this machine is needed — write its IP "
            "address, or 0.0.0.0 for all that it has"
        )
    try:
        with socket.socket(family, kind) as tried:
            tried.bind(place)
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            return f"{host} is no address of this machine — one that it has is needed — `ip address` lists them"
        if error.errno != errno.EADDRINUSE:
            return f"{error.strerror} — a port that this user may open is needed — choose one from 1024 on"
    return (
        "the port is taken — a free port is needed — stop the program that uses it (another station?), or set "
        "api.address to another port; port 0 takes any free one"
    )
