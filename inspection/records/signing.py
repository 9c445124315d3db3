"""The station's own signature: its Ed25519 key, and what exactly is signed of the records."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import Connection, select

from camera.whole_file import write_whole
from inspection.records.chain import ChainHead
from inspection.records.durable import sync_directory
from inspection.records.errors import SigningKeyError
from inspection.records.tables import RUNS

KEY_FILE = "signing-key.pem"
PUBLIC_KEY_FILE = "signing-key.pub"
_FORMAT = 1
_PURPOSE = b"lineward records signature\n"


@dataclass(frozen=True, slots=True)
class SignedState:
    """What one signature vouches for: where each chain ended, by number and hash, and how many images were removed."""

    wall_ns: int
    records: ChainHead
    challenges: ChainHead
    entries: ChainHead
    removed_images: int
    runs: ChainHead | None = None
    """How many runs there were, and the hash of all of them; None in signatures of earlier versions."""

    def cells(self) -> dict[str, Any]:
        """Return it in plain JSON values."""
        heads = {name: getattr(self, name) for name in ("records", "challenges", "entries")}
        told: dict[str, Any] = {
            "format": _FORMAT,
            "wall_ns": self.wall_ns,
            "heads": {name: [head.sequence, head.hash.hex()] for name, head in heads.items()},
            "removed_images": self.removed_images,
        }
        return told if self.runs is None else {**told, "runs": [self.runs.sequence, self.runs.hash.hex()]}


def run_heads(connection: Connection) -> Iterator[ChainHead]:
    """Yield for each number of runs, from none to all, the hash of all of them in the order of their row numbers."""
    digest = hashlib.sha256()
    yield ChainHead(0, digest.digest())
    rows = connection.execute(select(RUNS.c.run_id, RUNS.c.hash).order_by(RUNS.c.run_id))
    for number, (run_id, run_hash) in enumerate(rows, 1):
        digest.update(f"{run_id} {run_hash.hex() if isinstance(run_hash, bytes) else run_hash!r}\n".encode())
        yield ChainHead(number, digest.digest())


class SigningKey:
    """The private key of a station. Immutable, safe in any thread; whoever holds the file can sign as the station."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw()

    @classmethod
    def in_folder(cls, directory: Path) -> SigningKey:
        """Open the key of a store's folder, or make one, readable for its owner alone, durable on return.

        Raises SigningKeyError for a file that is no such key, or that cannot be read or written.
        """
        path = directory / KEY_FILE
        try:
            if not path.exists():
                _make(path)
            loaded = serialization.load_pem_private_key(path.read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            raise SigningKeyError(_unusable(path, error)) from error
        if not isinstance(loaded, Ed25519PrivateKey):
            raise SigningKeyError(_unusable(path, type(loaded).__name__))
        key = cls(loaded)
        _write_public(directory, key.public)
        return key

    def sign(self, state: SignedState) -> dict[str, Any]:
        """Return the content of the entry that holds the signature of a state."""
        content = {**state.cells(), "public_key": self.public.hex()}
        return {**content, "signature": self._private.sign(_message(content)).hex()}


def stored_public_key(directory: Path) -> bytes:
    """Return the raw public key of a store's folder, and write nothing: of its private key, if this user may read it,
    else of the public half beside it, as a backup has it. Raises SigningKeyError where there is none yet.
    """
    path = directory / KEY_FILE
    try:
        loaded = serialization.load_pem_private_key(path.read_bytes(), None)
    except (FileNotFoundError, PermissionError):
        if (directory / PUBLIC_KEY_FILE).exists():
            return read_public_keys(directory / PUBLIC_KEY_FILE)[0]
        raise SigningKeyError(
            f"{directory}: has no {PUBLIC_KEY_FILE} yet — the station makes its key at its first start with this "
            "folder — start it once"
        ) from None
    except (OSError, ValueError, TypeError) as error:
        raise SigningKeyError(_unusable(path, error)) from error
    if not isinstance(loaded, Ed25519PrivateKey):
        raise SigningKeyError(_unusable(path, type(loaded).__name__))
    return loaded.public_key().public_bytes_raw()


def fingerprint(public: bytes) -> str:
    """Return the sha256 of a raw public key: what two people compare on the phone."""
    return hashlib.sha256(public).hexdigest()


def public_pem(public: bytes) -> str:
    """Return a public key as PEM text, as any tool reads it."""
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return Ed25519PublicKey.from_public_bytes(public).public_bytes(*form).decode()


def read_public_keys(file: Path) -> list[bytes]:
    """Return the raw public keys of a PEM file, one or several. Raises SigningKeyError."""
    begin = "-----BEGIN PUBLIC KEY-----"
    try:
        blocks = [begin + block for block in file.read_text("ascii").split(begin)[1:]]
        keys = [serialization.load_pem_public_key(block.encode()) for block in blocks]
    except (OSError, ValueError) as error:
        raise SigningKeyError(f"{file}: holds no public key: {error} — {_PEM_HINT}") from error
    if not keys or not all(isinstance(key, Ed25519PublicKey) for key in keys):
        raise SigningKeyError(f"{file}: holds no Ed25519 public key — {_PEM_HINT}")
    return [key.public_bytes_raw() for key in keys if isinstance(key, Ed25519PublicKey)]


def signed_state(content: Mapping[str, Any]) -> tuple[bytes, SignedState] | None:
    """Return the public key and what it vouches for, of a signature's content; None when the signature is not good.

    Raises ValueError, TypeError or KeyError for what is no such content.
    """
    public, signature = bytes.fromhex(content["public_key"]), bytes.fromhex(content["signature"])
    heads = {name: ChainHead(int(number), bytes.fromhex(digest)) for name, (number, digest) in content["heads"].items()}
    if type(content["wall_ns"]) is not int or not -(2**63) <= content["wall_ns"] < 2**63:
        raise ValueError(f"its time is {content['wall_ns']!r}, UTC nanoseconds since 1970 are known")
    if content["format"] != _FORMAT:
        raise ValueError(f"format {content['format']}, {_FORMAT} is known")
    runs = None
    if "runs" in content:
        number, digest = content["runs"]
        runs = ChainHead(int(number), bytes.fromhex(digest))
    state = SignedState(
        content["wall_ns"], heads["records"], heads["challenges"], heads["entries"], content["removed_images"], runs
    )
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(
            signature, _message({**state.cells(), "public_key": public.hex()})
        )
    except InvalidSignature:
        return None
    return public, state


_PEM_HINT = "PEM text as `lineward records key` prints it is needed — ask the station's keeper for it again"


def _message(content: Mapping[str, Any]) -> bytes:
    return _PURPOSE + json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _make(path: Path) -> None:
    """Write a new key beside its place, flush it, and give it its name, which must not be taken."""
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    data = Ed25519PrivateKey.generate().private_bytes(*form)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            os.write(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.link(beside, path)
        except FileExistsError:  # somebody else was quicker: theirs counts
            return
    finally:
        beside.unlink(missing_ok=True)
    sync_directory(path.parent)


def _write_public(directory: Path, public: bytes) -> None:
    path, text = directory / PUBLIC_KEY_FILE, public_pem(public)
    try:
        if not path.exists() or path.read_bytes() != text.encode():
            write_whole(path, text)
    except OSError as error:
        raise SigningKeyError(_unusable(path, error)) from error


def _unusable(path: Path, why: object) -> str:
    return (
        f"{path}: cannot be used to sign records: {why} — an Ed25519 private key as PEM, which this user may read, is "
        "needed — put back the copy that you kept, or move the file away: a new key is made then, and "
        "`lineward records verify` tells of the change"
    )
