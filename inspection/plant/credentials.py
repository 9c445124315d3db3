"""The passwords of the plant's servers: read at each connection, so that a new one needs no restart."""

from __future__ import annotations

import os
from pathlib import Path

from inspection.plant.errors import PlantAwayError
from inspection.plant.options import PlantOptions


def database_password(options: PlantOptions) -> str | None:
    """Return the database user's password; None where no place is named. Raises PlantAwayError."""
    if options.password_file is not None:
        return _lines(options.password_file, 1)[0]
    if options.password_env:
        return _variable(options.password_env)
    return None


def store_key(options: PlantOptions) -> tuple[str, str]:
    """Return key id and secret of the object store. Raises PlantAwayError."""
    if options.secret_file is not None:
        key, secret = _lines(options.secret_file, 2)
        return key, secret
    return _variable(options.key_env), _variable(options.secret_env)


def _lines(file: Path, count: int) -> list[str]:
    try:
        lines = file.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise PlantAwayError(f"{file}: cannot be read: {reason} — a file with the secret is needed — mend it") from None
    found = [line.strip("\r") for line in lines[:count]]
    if len(found) < count or not all(found):
        raise PlantAwayError(f"{file}: has not {count} line(s) — the secret belongs there — write it")
    return found


def _variable(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        text = f"the environment variable {name} is empty — the secret belongs there — set it for the station's user"
        raise PlantAwayError(text)
    return value


def certificates(file: Path) -> str:
    """Return the PEM of those who are trusted. Raises PlantAwayError."""
    try:
        text = file.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise PlantAwayError(f"{file}: cannot be read: {error} — a PEM file is needed — mend ca_file") from None
    if "BEGIN CERTIFICATE" not in text:
        raise PlantAwayError(f"{file}: holds no certificate — a PEM file is needed — mend ca_file")
    return text
