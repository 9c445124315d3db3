"""What a station's configuration says about the plant's copy of its records and images."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

_SCHEMA = re.compile(r"[a-z][a-z0-9_]{0,62}")
_DATABASE_FORM = "postgresql://user@host/database"
_NO_STORES = frozenset({"memory", "http", "https", "data", "reference", "zip", "tar", "cached", "blockcache", "dir"})
"""What fsspec knows and nothing lasting can be written to."""


def _shown(address: str) -> str:
    """Return an address without whatever may be a secret in it."""
    return repr(address.rpartition("@")[2].partition("?")[0][:80])


def _database_address(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"is no address — {_DATABASE_FORM} is its form — mend it") from None
    if parts.scheme != "postgresql" or not (host or "host=" in parts.query) or len(parts.path) < 2:
        text = f"is {_shown(url)} — {_DATABASE_FORM} is its form — mend it"
        raise ValueError(text)
    if parts.password is not None or "password=" in parts.query:
        raise ValueError(
            f"holds the password of user {parts.username!r} — it is kept out of the configuration — leave it out, and "
            "name where it is with password_file or password_env"
        )
    return url


def _store_address(url: str) -> str:
    scheme, found, rest = url.partition("://")
    if not found or not rest.strip("/") or "::" in url or scheme in _NO_STORES:
        text = f"is {_shown(url)} — s3://bucket/prefix, file:///folder or another lasting store of fsspec is needed"
        raise ValueError(f"{text} — mend it")
    if "@" in rest.partition("/")[0]:
        raise ValueError("holds a login — it is kept out of the configuration — name it with key_env and secret_file")
    return url.rstrip("/")


def _endpoint(address: str) -> str:
    if address and not re.fullmatch(r"https?://[^\s@?]+", address):
        text = f"is {_shown(address)} — https://host:port is its form, without a login — mend it"
        raise ValueError(text)
    return address


def _schema_name(name: str) -> str:
    if not _SCHEMA.fullmatch(name):
        text = f"is {name[:80]!r} — a lower-case letter, then letters, digits and underscores, 63 at most, are allowed"
        raise ValueError(f"{text} — choose such a name")
    return name


class PlantOptions(BaseModel):
    """The table `[plant]` of the configuration; read once, frozen. No secret is ever in it: only where it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    postgresql: Annotated[str, AfterValidator(_database_address)] | None = Field(
        None, description="where the records are copied to, as postgresql://user@host/database, without a password"
    )
    db_schema: Annotated[str, AfterValidator(_schema_name)] | None = Field(
        None, alias="schema", description="of this station alone; absent: its name in lower case"
    )
    password_file: Path | None = Field(None, description="file with the database user's password and nothing else")
    password_env: str = Field("", description="or the environment variable that holds it")
    images: Annotated[str, AfterValidator(_store_address)] | None = Field(
        None, description="where the images are copied to: s3://bucket/prefix, file:///folder, or what fsspec knows"
    )
    endpoint: Annotated[str, AfterValidator(_endpoint)] = Field("", description="of an S3 that is not Amazon's")
    ca_file: Path | None = Field(None, description="PEM of who signed the endpoint's certificate, beside the system's")
    region: str = Field("us-east-1", min_length=1, max_length=64)
    key_env: str = Field("AWS_ACCESS_KEY_ID", min_length=1, description="environment variable with the S3 key id")
    secret_env: str = Field("AWS_SECRET_ACCESS_KEY", min_length=1, description="and the one with its secret")
    secret_file: Path | None = Field(None, description="file with the key id in its first line, the secret in the next")
    timeout_s: float = Field(10.0, ge=1, le=300, description="no answer by then, and the connection is made anew")
    alarm_after_s: float = Field(60.0, ge=0, le=86_400, description="how long copies may wait before somebody is told")

    @model_validator(mode="after")
    def _one_place_of_the_password(self) -> Self:
        if self.password_file is not None and self.password_env:
            raise ValueError("password_file and password_env are both given — one place is needed — leave one out")
        return self

    def schema_of(self, station: str) -> str:
        """Return the schema of a station: its own name where none is given, as PostgreSQL takes it."""
        if self.db_schema is not None:
            return self.db_schema
        plain = re.sub(r"[^a-z0-9_]", "_", station.lower())[:55]
        return plain if plain[0].isalpha() else f"station_{plain}"
