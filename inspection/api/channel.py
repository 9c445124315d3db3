"""A client's connection: plain on this machine, TLS where a CA is named, with a token or a client certificate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import grpc

from inspection.api.errors import ApiError, CertificateError


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


def open_channel(address: str, credentials: Credentials, options: Sequence[tuple[str, int]]) -> grpc.Channel:
    """Return a channel that connects when first used. Raises CertificateError, and ApiError for what does not fit."""
    if (credentials.certificate is None) != (credentials.key is None) or (credentials.key and not credentials.ca):
        raise ApiError(
            "a client certificate is incomplete — certificate, key and the CA of the station belong together — name "
            "all three"
        )
    if credentials.ca is None:
        channel = grpc.insecure_channel(address, options=options)
    else:
        tls = grpc.ssl_channel_credentials(
            root_certificates=_read(credentials.ca),
            private_key=_read(credentials.key) if credentials.key is not None else None,
            certificate_chain=_read(credentials.certificate) if credentials.certificate is not None else None,
        )
        channel = grpc.secure_channel(address, tls, options=options)
    return grpc.intercept_channel(channel, _SendsToken(credentials.token)) if credentials.token else channel


class _Details(NamedTuple):
    method: str
    timeout: float | None
    metadata: Sequence[tuple[str, str | bytes]]
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: Any


class _SendsToken(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Puts the token into the metadata of every call; grpc's own call credentials refuse to without TLS."""

    def __init__(self, token: str) -> None:
        self._authorization = ("authorization", f"Bearer {token}")

    def _send(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        metadata = (*(details.metadata or ()), self._authorization)
        shown = _Details(
            details.method, details.timeout, metadata, details.credentials, details.wait_for_ready, details.compression
        )
        return continuation(shown, request)

    def intercept_unary_unary(self, continuation: Callable[..., Any], client_call_details: Any, request: Any) -> Any:
        """Send it with one answer to come."""
        return self._send(continuation, client_call_details, request)

    def intercept_unary_stream(self, continuation: Callable[..., Any], client_call_details: Any, request: Any) -> Any:
        """Send it with a stream to come."""
        return self._send(continuation, client_call_details, request)

    def intercept_stream_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request_iterator: Any
    ) -> Any:
        """Send it with a stream of requests."""
        return self._send(continuation, client_call_details, request_iterator)

    def intercept_stream_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request_iterator: Any
    ) -> Any:
        """Send it with streams both ways."""
        return self._send(continuation, client_call_details, request_iterator)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CertificateError(
            f"{file}: cannot be read ({error.strerror}) — a PEM file is needed — name the right one"
        ) from error
