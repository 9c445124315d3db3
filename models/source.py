"""The files of a bundle, whether it is a folder or a zip: listed, bounded, read without unpacking to disk."""

from __future__ import annotations

import hashlib
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NoReturn

from models.errors import BundleFormatError, BundleIntegrityError, BundleNotFoundError

MAX_FILES = 64
MAX_FILE_BYTES = 1024 * 1024 * 1024
MAX_BUNDLE_BYTES = 2 * MAX_FILE_BYTES
_CHUNK = 1024 * 1024
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Source:
    """The flat set of files at a path; opened anew for each read, so nothing is held and any thread may use it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not _exists(path):
            raise BundleNotFoundError(
                f"{path}: no such bundle — a bundle is a folder or a .zip with card.json — check the path"
            )
        self._prefix = ""
        self.sizes = self._folder_sizes() if path.is_dir() else self._zip_sizes()
        self._check_bounds()

    def read(self, name: str) -> bytes:
        """Read one listed file wholly."""
        return b"".join(self._chunks(name))

    def sha256(self, name: str) -> str:
        """Give the sha256 of one listed file as hex, read in pieces."""
        digest = hashlib.sha256()
        for chunk in self._chunks(name):
            digest.update(chunk)
        return digest.hexdigest()

    def _chunks(self, name: str) -> Iterator[bytes]:
        try:
            with self._open(name) as file:
                while chunk := file.read(_CHUNK):
                    yield chunk
        except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise BundleIntegrityError(
                f"{self.path}: {name} cannot be read ({error}) — every file of a bundle is needed — "
                "copy or export the bundle again"
            ) from error

    @contextmanager
    def _open(self, name: str) -> Iterator[IO[bytes]]:
        if self.path.is_dir():
            with (self.path / name).open("rb") as file:
                yield file
        else:
            with zipfile.ZipFile(self.path) as archive, archive.open(self._prefix + name) as member:
                yield member

    def _folder_sizes(self) -> dict[str, int]:
        if not _exists(self.path / "card.json"):
            self._refuse_as_other()
        try:
            entries = sorted(self.path.iterdir())
        except OSError as error:
            raise BundleFormatError(
                f"{self.path}: cannot be listed ({error}) — the right to read is needed — mend the folder's rights"
            ) from error
        unsafe = [entry.name for entry in entries if not entry.is_file()]
        if unsafe:
            self._refuse(f"holds {', '.join(unsafe[:5])}, which is no plain file", "remove it")
        return {entry.name: entry.stat().st_size for entry in entries}

    def _zip_sizes(self) -> dict[str, int]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                members = archive.infolist()
        except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise BundleFormatError(
                f"{self.path}: not a readable zip ({error}) — a bundle is a folder or a .zip with card.json — "
                "give the bundle, not the model file"
            ) from error
        names = [member.filename for member in members if not member.is_dir()]
        cards = [name for name in names if re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9._-]*/)?card\.json", name)]
        if not cards:
            self._refuse_as_other()
        if len(cards) == 1:
            self._prefix = cards[0].removesuffix("card.json")
        strange = [name for name in names if not name.startswith(self._prefix)]
        if strange or len(set(names)) != len(names):
            self._refuse(
                f"holds files twice or outside the bundle's folder {strange[:5]}", "zip one bundle folder only"
            )
        return {member.filename[len(self._prefix) :]: member.file_size for member in members if not member.is_dir()}

    def _check_bounds(self) -> None:
        if len(self.sizes) > MAX_FILES:
            self._refuse(f"holds {len(self.sizes)} files, at most {MAX_FILES} are read", "give the bundle's own folder")
        total = sum(self.sizes.values())
        if total > MAX_BUNDLE_BYTES:
            self._refuse(f"has {total} bytes, at most {MAX_BUNDLE_BYTES} are read", "leave out what is not needed")
        for name, size in self.sizes.items():
            if not _SAFE_NAME.fullmatch(name):
                self._refuse(f"holds {name!r}", "names are flat: letters, digits, '.', '_', '-'; remove it")
            if size > MAX_FILE_BYTES:
                self._refuse(f"{name} has {size} bytes, at most {MAX_FILE_BYTES} are read", "export a smaller model")

    def _refuse_as_other(self) -> NoReturn:
        """Say that there is no bundle, and not what is there instead: the path may come from a client of the API."""
        raise BundleFormatError(
            f"{self.path}: card.json missing — a bundle has card.json, card.sha256, model.onnx and golden.npz; give "
            "the folder or zip that `lineward train` wrote"
        )

    def _refuse(self, what: str, remedy: str) -> None:
        raise BundleFormatError(f"{self.path}: {what} — a bundle holds its listed files and nothing else — {remedy}")


def _exists(path: Path) -> bool:
    """Return whether something is there that this process may see."""
    try:
        return path.exists()
    except OSError:
        return False
