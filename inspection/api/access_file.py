"""The access file: who may call the API – names, roles, hashes of tokens; `lineward token` writes it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from camera.whole_file import write_whole
from inspection.api.errors import AccessFileError
from inspection.api.roles import Role

TOKEN_PREFIX = "lineward_"  # what every token begins with, so that people and scanners recognise one
_TOKEN_BYTES = 32
_SHOWN_CHARACTERS = 4  # of the secret part, in lists: 24 of 256 bits
MAX_ENTRIES = 1000
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"


class AccessEntry(BaseModel):
    """One caller. Immutable.

    sha256: of the whole token, in hex; '' for a caller with a client certificate, whose common name is `name`. A token
    is 256 random bits, so nobody can guess one from its hash: the slow hashes that protect passwords would only make
    each call slow. begins: the token's first characters, to recognise it. expires_wall_s: 0 for never.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    role: Role
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    begins: Annotated[str, Field(max_length=32)] = ""
    made_wall_s: Annotated[int, Field(ge=0)] = 0
    expires_wall_s: Annotated[int, Field(ge=0)] = 0

    @property
    def is_certificate(self) -> bool:
        """True for a caller who comes with a client certificate instead of a token."""
        return not self.sha256

    def has_expired(self, now_wall_s: float) -> bool:
        """Return whether its time is over."""
        return bool(self.expires_wall_s) and now_wall_s >= self.expires_wall_s


class AccessList(BaseModel):
    """What the file holds. Immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    entries: Annotated[tuple[AccessEntry, ...], Field(max_length=MAX_ENTRIES)] = ()

    def of_token(self, token: str) -> AccessEntry | None:
        """Return whose token it is, expired or not; every entry is compared in constant time."""
        digest = token_digest(token)
        found = None
        for entry in self.entries:
            if secrets.compare_digest(entry.sha256, digest):
                found = entry
        return found

    def of_certificate(self, common_name: str) -> AccessEntry | None:
        """Return the entry of a client certificate."""
        return next((one for one in self.entries if one.is_certificate and one.name == common_name), None)


def token_digest(token: str) -> str:
    """Return what is kept of a token: its sha256 in hex."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def read_access(file: Path) -> AccessList:
    """Read an access file. Raises AccessFileError: not there, open to others, or nothing that we wrote."""
    try:
        with file.open("rb") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            text = opened.read()
    except OSError as error:
        raise AccessFileError(
            f"{file}: cannot be read ({error.strerror}) — the list of tokens is needed — make it with `lineward token "
            f"add NAME --role ROLE --file {file}`"
        ) from error
    if mode & 0o077:
        raise AccessFileError(
            f"{file}: has mode {mode:04o} — only its owner may touch it (0600) — run: chmod 600 {file}; if others "
            "could write to it, revoke what you do not know"
        )
    try:
        return AccessList.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise AccessFileError(
            f"{file}: is no access file ({where or 'file'}: {first['msg']}) — what `lineward token` writes is needed — "
            "put a backup back, or delete it and add the tokens anew"
        ) from error


def add_token(file: Path, name: str, role: Role, expires_wall_s: int = 0) -> str:
    """Add a caller and return the token, which is kept nowhere. Raises AccessFileError when the name is taken."""
    token = TOKEN_PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
    begins = token[: len(TOKEN_PREFIX) + _SHOWN_CHARACTERS]
    _add(file, name, role, expires_wall_s, token_digest(token), begins)
    return token


def add_certificate(file: Path, name: str, role: Role, expires_wall_s: int = 0) -> None:
    """Give a role to the client certificate whose common name is `name`. Raises AccessFileError."""
    _add(file, name, role, expires_wall_s, "", "")


def _add(file: Path, name: str, role: Role, expires_wall_s: int, sha256: str, begins: str) -> None:
    if not re.fullmatch(NAME_PATTERN, name):
        raise AccessFileError(
            f"the name {name[:70]!r} cannot be used — 1 to 64 letters, digits, . _ @ - are allowed, since the audit "
            "log keeps it — choose such a name"
        )
    with _changing(file):
        known = read_access(file) if file.exists() else AccessList()
        if any(entry.name == name for entry in known.entries):
            raise AccessFileError(
                f"{file}: {name!r} is there already — a name belongs to one caller — revoke it first (`lineward token "
                f"revoke {name}`), or choose another name"
            )
        if len(known.entries) >= MAX_ENTRIES:
            raise AccessFileError(f"{file}: holds {MAX_ENTRIES} callers — no more are allowed — revoke some")
        entry = AccessEntry(
            name=name, role=role, sha256=sha256, begins=begins, made_wall_s=int(time.time()),
            expires_wall_s=expires_wall_s,
        )  # fmt: skip
        _write(file, AccessList(entries=(*known.entries, entry)))


def revoke(file: Path, name: str) -> AccessEntry:
    """Take a caller out and return what stood there. Raises AccessFileError for an unknown name."""
    with _changing(file):
        known = read_access(file)
        gone = next((entry for entry in known.entries if entry.name == name), None)
        if gone is None:
            names = ", ".join(entry.name for entry in known.entries) or "nobody"
            raise AccessFileError(f"{file}: has no {name!r} — {names} is in it — see `lineward token list`")
        _write(file, AccessList(entries=tuple(entry for entry in known.entries if entry.name != name)))
        return gone


def _write(file: Path, known: AccessList) -> None:
    write_whole(file, known.model_dump_json(indent=1) + "\n", private=True)


@contextmanager
def _changing(file: Path) -> Iterator[None]:
    """Keep a second `lineward token` out meanwhile, so that neither loses what the other wrote."""
    folder = os.open(file.resolve().parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
