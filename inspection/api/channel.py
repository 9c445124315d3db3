"""A client's connection: plain on this machine, TLS where a CA is named, with a token or a client certificate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc

from inspection.api.errors import ApiError, CertificateError

_KEEPALIVE_MS = 20_000  # the least is 10 s, and what the station allows (server.py)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client shows and trusts. Immutable.

    token: as `lineward token add` printed it, '' for none. ca: PEM file of whoever signed the station's certificate;
    with it the connection is TLS. certificate, key: PEM files of the client's own, where the station asks for one.
    """

    token: str = ""
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def __repr__(self) -> str:
        """Return it without the token, so that no log has it."""
        return f"Credentials(token={bool(self.token)}, ca={self.ca}, certificate={self.certificate}, key={self.key})"


def open_channel(address: str, credentials: Credentials, max_message_bytes: int) -> grpc.Channel:
    """Return a channel that connects when first used. Raises CertificateError, and ApiError for what does not fit."""
    tls, options = _tls(credentials), _options(max_message_bytes)
    if tls is None:
        return grpc.insecure_channel(address, options=options)
    return grpc.secure_channel(address, tls, options=options)


def open_aio_channel(
    address: str, credentials: Credentials, max_message_bytes: int, interceptors: Sequence[grpc.aio.ClientInterceptor]
) -> grpc.aio.Channel:
    """Return a channel of the running event loop, as `open_channel` does."""
    tls, options = _tls(credentials), _options(max_message_bytes)
    if tls is None:
        return grpc.aio.insecure_channel(address, options=options, interceptors=interceptors)
    return grpc.aio.secure_channel(address, tls, options=options, interceptors=interceptors)


def _tls(credentials: Credentials) -> grpc.ChannelCredentials | None:
    if (credentials.certificate is None) != (credentials.key is None) or (credentials.key and not credentials.ca):
        raise ApiError(
            "a client certificate is incomplete — certificate, key and the CA of the station belong together — name "
            "all three"
        )
    if credentials.ca is None:
        return None
    return grpc.ssl_channel_credentials(
        root_certificates=_read(credentials.ca),
        private_key=_read(credentials.key) if credentials.key is not None else None,
        certificate_chain=_read(credentials.certificate) if credentials.certificate is not None else None,
    )


def _options(max_message_bytes: int) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2000),
        ("grpc.enable_http_proxy", 0),
        # grpc's own silent retry may lose a stream for good (no answer, no error) that begins just as the station
        # stops; seen with grpcio 1.85.1. The watches come back by themselves, so nothing needs it.
        ("grpc.enable_retries", 0),
        ("grpc.use_local_subchannel_pool", 1),  # its own connection, closed with it
        # A station whose PC lost its power, or whose cable was pulled, says no goodbye: ask whether it is there.
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", _KEEPALIVE_MS),
    ]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CertificateError(
            f"{file}: cannot be read ({error.strerror}) — a PEM file is needed — name the right one"
        ) from error
