"""Copying a store while its station runs: the database at one moment, every image that it names, what belongs to it.

A backup is made in a folder beside its place that says by its name that it is not whole, and gets its name when all of
it is on the disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib import metadata
from pathlib import Path
from typing import Any

from inspection.part import Verdict
from inspection.records.chain import HEAD_FILE, LOST_HEAD_FILE
from inspection.records.challenges import CHALLENGES_HEAD_FILE
from inspection.records.durable import sync_directory
from inspection.records.entries import ENTRIES_HEAD_FILE
from inspection.records.errors import BackupError
from inspection.records.schema import DATABASE_FILE, open_for_reading
from inspection.records.signing import PUBLIC_KEY_FILE

MANIFEST_FILE, CONFIG_FILE = "backup.json", "station.toml"
FORMAT = 1
HEAD_FILES = (HEAD_FILE, CHALLENGES_HEAD_FILE, ENTRIES_HEAD_FILE)
_BESIDE_FILES = (LOST_HEAD_FILE, PUBLIC_KEY_FILE)
_BESIDE_FOLDERS = ("recipes", "camera-settings")
_LOCK_FILE = "backup.lock"
_PAGES_A_STEP = 1024
_ROUNDS = 10
_CHUNK = 1 << 20
_KEPT = (
    "SELECT sequence, image_file, image_sha256 FROM records WHERE verdict = ? AND image_bytes > 0 AND sequence > ? "
    "AND NOT EXISTS (SELECT 1 FROM removed_images WHERE removed_images.sequence = records.sequence) "
    "ORDER BY sequence LIMIT 500"
)

Progress = Callable[[str, int, int], None]
"""What is copied, how much of it was, and of how much."""


def back_up(directory: Path, dest: Path, config_file: Path | None, progress: Progress) -> dict[str, Any]:
    """Copy the store in `directory`, beside a running station or after it, to the new folder `dest`.

    Returns the manifest, durable on return; `problems` of it names images that the store itself has lost or that are
    not what their records say. Raises RecordStoreError (no store), BackupError and OSError; then there is no `dest`.
    """
    open_for_reading(directory).dispose()
    if config_file is not None and not config_file.is_file():
        raise BackupError(f"{config_file}: is not there — --station takes the station's TOML file — name that")
    dest = dest.absolute()
    with unfinished(dest) as place:
        heads = {name: _read(directory / name) for name in HEAD_FILES}  # first: the store is never behind its heads
        problems = _copy_content(directory, place, progress)
        for name, data in heads.items():
            if data:
                _write(place / name, data)
        _copy_beside(directory, place, config_file)
        manifest = {**_described(place, directory), "problems": problems}
        _write(place / MANIFEST_FILE, json.dumps(manifest, indent=1).encode())
        publish(place, dest)
    return manifest


@contextlib.contextmanager
def unfinished(dest: Path) -> Iterator[Path]:
    """Give a folder beside `dest` to fill and publish; it is gone afterwards, and what a kill left of one is removed.

    Raises BackupError when `dest` is there, or somebody else is at it.
    """
    if dest.exists() and (not dest.is_dir() or any(dest.iterdir())):
        raise BackupError(f"{dest}: is there already — nothing is ever overwritten — name a new folder")
    dest.parent.mkdir(parents=True, exist_ok=True)
    place = dest.with_name(f".{dest.name}.unfinished")
    place.mkdir(mode=0o700, exist_ok=True)
    lock = os.open(place / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BackupError(f"{place}: another command fills it — one at a time — wait for it to end") from error
        _clear(place)
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)
    finally:
        os.close(lock)


def publish(place: Path, dest: Path) -> None:
    """Give a filled folder its name, durably. Raises OSError."""
    (place / _LOCK_FILE).unlink()
    _sync_tree(place)
    place.chmod(0o755)
    place.rename(dest)
    sync_directory(dest.parent)


def kept_images(database: Path) -> Iterator[tuple[int, str, str]]:
    """Yield number, file and sha256 of each image that a database says is there, in short reads."""
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)) as connection:
        for verdict in Verdict:
            at = -(2**63)
            while rows := connection.execute(_KEPT, (verdict.value, at)).fetchall():
                yield from rows
                at = rows[-1][0]


def copy_file(source: Path, target: Path) -> str:
    """Copy a file, durably, with the folders that it needs, and return its sha256. Raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with source.open("rb") as read, target.open("xb") as written:
        while chunk := read.read(_CHUNK):
            digest.update(chunk)
            written.write(chunk)
        written.flush()
        os.fdatasync(written.fileno())
    return digest.hexdigest()


def _copy_content(directory: Path, place: Path, progress: Progress) -> list[str]:
    """Copy images and database until each image that the copied database names is there, or lost in the store, too.

    The station may remove images meanwhile: then the database is copied again, which knows of it.
    """
    copied: dict[str, str] = {}
    source, target = directory / DATABASE_FILE, place / DATABASE_FILE
    _copy_images(directory, place, source, copied, progress)
    for _ in range(_ROUNDS):
        target.unlink(missing_ok=True)
        _copy_database(source, target, progress)
        lost = _copy_images(directory, place, target, copied, progress)
        if not any(_is_removed(source, sequence) for sequence, _ in lost):
            break
    else:
        raise BackupError(
            f"{directory}: its images are removed faster than they can be copied — a faster place for the backup, or a "
            "larger records.image_budget_mb, is needed — try it again"
        )
    named = {name: digest for _, name, digest in kept_images(target)}
    for name in copied.keys() - named.keys():
        (place / name).unlink()
    changed = [
        f"image {name} is not the one that its record names"
        for name, digest in named.items()
        if copied.get(name, digest) != digest
    ]
    return [f"record {sequence}: its image {name} is missing" for sequence, name in lost] + changed


def _copy_images(
    directory: Path, place: Path, database: Path, copied: dict[str, str], progress: Progress
) -> list[tuple[int, str]]:
    """Copy the images that a database names and that are not copied yet; return those whose files are not there."""
    missing = []
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)) as connection:
        query = "SELECT count(*) FROM records WHERE image_bytes > 0"
        marks = "SELECT count(*) FROM removed_images"
        total = connection.execute(query).fetchone()[0] - connection.execute(marks).fetchone()[0]
    for sequence, name, _ in kept_images(database):
        if name in copied:
            continue
        try:
            copied[name] = copy_file(directory / name, place / name)
        except FileNotFoundError:
            missing.append((sequence, name))
        progress("images", len(copied), max(total, len(copied)))
    return missing


def _copy_database(source: Path, target: Path, progress: Progress) -> None:
    """Copy one moment of the database by SQLite's own backup, and make one file of it.

    The reader's transaction keeps that moment however long it takes; the station goes on writing into its log.
    """
    uri = f"{source.absolute().as_uri()}?mode=ro"
    try:
        with (
            closing(sqlite3.connect(uri, uri=True, timeout=5.0, isolation_level=None)) as read,
            closing(sqlite3.connect(target, isolation_level=None)) as written,
        ):
            read.execute("BEGIN")
            read.execute("SELECT count(*) FROM runs").fetchone()
            read.backup(
                written,
                pages=_PAGES_A_STEP,
                progress=lambda _, left, total: progress("database", total - left, total),
                sleep=0,
            )
            written.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise BackupError(
            f"{source}: cannot be copied: {error} — a database that can be read and room for it are needed — free "
            "some space, or run `lineward records verify`"
        ) from error


def _is_removed(database: Path, sequence: int) -> bool:
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)) as connection:
        query = "SELECT 1 FROM removed_images WHERE sequence = ?"
        return connection.execute(query, (sequence,)).fetchone() is not None


def _copy_beside(directory: Path, place: Path, config_file: Path | None) -> None:
    for name in _BESIDE_FILES:
        with contextlib.suppress(FileNotFoundError):
            copy_file(directory / name, place / name)
    for folder in _BESIDE_FOLDERS:
        for path in sorted((directory / folder).rglob("*")):
            if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
                copy_file(path, place / path.relative_to(directory))
    if config_file is not None:
        copy_file(config_file, place / CONFIG_FILE)


def _described(place: Path, directory: Path) -> dict[str, Any]:
    """Return the manifest: what is in the backup, where its chains end, and the hash of each file but the images."""
    every = [path for path in sorted(place.rglob("*")) if path.is_file()]
    files = [path for path in every if path.relative_to(place).parts[0] not in ("images", _LOCK_FILE)]
    with closing(sqlite3.connect(place / DATABASE_FILE)) as connection:
        heads = {table: _head(connection, table) for table in ("records", "challenges", "entries")}
        bundles = connection.execute(
            "SELECT bundle_digest, model, max(provider), count(*) FROM runs WHERE bundle_digest <> '' "
            "GROUP BY bundle_digest, model ORDER BY min(run_id)"
        ).fetchall()
    images = [path.stat().st_size for path in (place / "images").rglob("*") if path.is_file()]
    return {
        "format": FORMAT,
        "made_wall_ns": time.time_ns(),
        "lineward": metadata.version("lineward"),
        "source": str(directory.absolute()),
        "heads": heads,
        "images": len(images),
        "image_bytes": sum(images),
        "bundles": [dict(zip(("digest", "model", "provider", "runs"), row, strict=True)) for row in bundles],
        "files": {str(path.relative_to(place)): sha256(path) for path in files},
    }


def _head(connection: sqlite3.Connection, table: str) -> list[Any]:
    try:
        row = connection.execute(f"SELECT sequence, hash FROM {table} ORDER BY sequence DESC LIMIT 1").fetchone()
    except sqlite3.OperationalError:  # the first version had no such table
        row = None
    return [0, ""] if row is None else [row[0], bytes(row[1]).hex()]


def sha256(path: Path) -> str:
    """Return the sha256 of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_tree(place: Path) -> None:
    for folder, _, names in os.walk(place):
        for name in names:
            if name == DATABASE_FILE:
                descriptor = os.open(Path(folder, name), os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        sync_directory(Path(folder))


def _clear(place: Path) -> None:
    for path in place.iterdir():
        if path.name == _LOCK_FILE:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
