"""Taking a backup back: a new store, held against manifest, chains, signatures and images before it has a name."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

from inspection.records.backup import (
    CONFIG_FILE,
    FORMAT,
    MANIFEST_FILE,
    Progress,
    copy_file,
    kept_images,
    publish,
    sha256,
    unfinished,
)
from inspection.records.errors import BackupError
from inspection.records.schema import DATABASE_FILE
from inspection.records.verify import Trust, VerifyReport, verify

_NAMED = 5
_NO_TRUST = Trust()


def read_manifest(source: Path) -> dict[str, Any]:
    """Return the manifest of a backup. Raises BackupError for a folder that holds no whole backup."""
    try:
        manifest = json.loads((source / MANIFEST_FILE).read_text("utf-8"))
        if not isinstance(manifest, dict) or manifest["format"] != FORMAT or not isinstance(manifest["files"], dict):
            raise ValueError(f"format {manifest['format']!r}, {FORMAT} is known")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BackupError(
            f"{source}: holds no whole backup: {MANIFEST_FILE}: {error} — a folder that `lineward records backup` "
            "made is needed — name that folder"
        ) from error
    return manifest


def restore(source: Path, directory: Path, progress: Progress, trust: Trust = _NO_TRUST) -> VerifyReport:
    """Copy a backup to the new folder `directory` and return what its check found, which is nothing wrong.

    Raises BackupError, naming the first problems, and OSError; then there is no `directory`. The station's private key
    is in no backup: a restored station makes a new one, and `verify` tells of it.
    """
    manifest = read_manifest(source)
    with unfinished(directory.absolute()) as place:
        _copy(source, place, manifest, progress)
        report = verify(place, lambda done, total: progress("check", done, total), trust)
        for table, number in (("records", report.records), ("entries", report.entries)):
            if manifest["heads"][table][0] != number:
                report.add(None, f"{number} {table} are there, the manifest tells of {manifest['heads'][table][0]}")
        if not report.ok:
            named = "; ".join(problem.text for problem in report.problems[:_NAMED])
            raise BackupError(
                f"{source}: is not restored: {report.problem_count} problems: {named} — every record and image must "
                "be what the chain says — take another backup"
            )
        publish(place, directory.absolute())
    return report


def _copy(source: Path, place: Path, manifest: dict[str, Any], progress: Progress) -> None:
    files = {name: digest for name, digest in manifest["files"].items() if name != CONFIG_FILE}
    if DATABASE_FILE not in files:
        raise BackupError(f"{source}: its manifest names no {DATABASE_FILE} — take another backup")
    for name, digest in files.items():
        _require_inside(source, name)
        try:
            found = copy_file(source / name, place / name)
        except FileNotFoundError as error:
            raise BackupError(f"{source}: {name} is missing — take another backup") from error
        if found != digest:
            raise BackupError(f"{source}: {name} has sha256 {found}, the manifest says {digest} — take another backup")
    if CONFIG_FILE in manifest["files"] and sha256(source / CONFIG_FILE) != manifest["files"][CONFIG_FILE]:
        raise BackupError(f"{source}: {CONFIG_FILE} was changed — take another backup")
    total = int(manifest["images"])
    for count, (_, name, _) in enumerate(kept_images(place / DATABASE_FILE), 1):
        _require_inside(source, name)
        try:
            copy_file(source / name, place / name)
        except FileNotFoundError as error:
            raise BackupError(f"{source}: {name} is missing — take another backup") from error
        progress("images", count, max(count, total))


def _require_inside(source: Path, name: str) -> None:
    """Refuse a name that leads out of the folder: a backup may come from anybody."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or (source / name).is_symlink():
        raise BackupError(f"{source}: {name!r} leads out of the backup — take another backup")
