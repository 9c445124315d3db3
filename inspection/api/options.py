"""What may be set about the API: the [api] table of a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from inspection.api.address import DEFAULT_ADDRESS, DEFAULT_MAX_MESSAGE_MB, check_address
from inspection.api.errors import AddressError


class SecurityOptions(BaseModel):
    """Who may call, over what, and how often.

    There is no key that asks for client certificates without demanding them: gRPC's server in Python can only do both.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tls_certificate: Path | None = Field(None, description="PEM file: the server's certificate, then those above it")
    tls_key: Path | None = Field(None, description="PEM file: the key of the certificate; only its owner may read it")
    client_ca: Path | None = Field(
        None, description="PEM file: who signs client certificates; with it every client needs one (mutual TLS)"
    )
    tokens: Path | None = Field(None, description="the access file that `lineward token add` writes; absent: no login")
    reads_per_s: float = Field(
        1000.0, gt=0, le=100_000, description="calls that change nothing, of each caller; twice as many at once"
    )
    commands_per_s: float = Field(
        50.0, gt=0, le=10_000, description="calls that change something, of each caller; twice as many at once"
    )
    streams_per_client: int = Field(40, ge=1, le=1000, description="streams that one caller may have open at a time")

    @property
    def has_tls(self) -> bool:
        """True where the server has a certificate."""
        return self.tls_certificate is not None

    @property
    def is_guarded(self) -> bool:
        """True where the API may be reached from the network."""
        return self.has_tls and self.tokens is not None

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError(
                "one of tls_certificate and tls_key is missing — both belong together — name both; `lineward "
                "certificate make` makes a pair"
            )
        if self.client_ca is not None and not self.is_guarded:
            raise ValueError(
                "client_ca is set without tls_certificate, tls_key and tokens — client certificates come over TLS, and "
                "their roles stand in the access file — name all of them (`lineward token add NAME --certificate`)"
            )
        return self


class ApiSection(SecurityOptions):
    """[api]"""

    enabled: bool = True
    address: str = Field(
        DEFAULT_ADDRESS, description="host:port; other than loopback only with tls_certificate, tls_key and tokens"
    )
    max_message_mb: int = Field(DEFAULT_MAX_MESSAGE_MB, ge=1, le=512)

    @model_validator(mode="after")
    def _may_listen_there(self) -> Self:
        if self.enabled:
            try:
                check_address(self.address, is_guarded=self.is_guarded)
            except AddressError as error:
                raise ValueError(str(error)) from None
        return self
