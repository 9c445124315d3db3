"""The folder of recipes: one file for each version, written once and durably, and checked whenever it is read."""

from __future__ import annotations

import os
import re
import secrets
import time
from pathlib import Path

from inspection.config.section import NAME_PATTERN
from inspection.recipes.content import STATION_RECIPE, Recipe, RecipeRef, content_hash, parse_content
from inspection.recipes.errors import RecipeContentError, RecipeError, RecipeMissingError

FOLDER = "recipes"
_HEAD = re.compile(r"# lineward recipe (\S+) (\d+) sha256=([0-9a-f]{64}) wall_ns=(\d+)\n")
_REMOVED = re.compile(r"removed wall_ns=(\d{1,19})\n")


class RecipeStore:
    """The recipes of a station, `NAME/VERSION.toml` in a folder; safe from any thread and beside other processes.

    A version is never written again: its file is linked into its place, which fails where one is. Removing marks it
    (`VERSION.removed`), so that old records can still be held against it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, text: str) -> Recipe:
        """Store a recipe's TOML text as the next version of its name, durably; return it.

        The text of the newest version once more changes nothing. Raises RecipeContentError, RecipeError, OSError.
        """
        _check_name(name)
        if name.startswith("-"):  # one that was stored before this was refused stays readable
            raise RecipeError(
                f"recipe {name!r}: begins with a dash — a command line would take it for an option — begin the name "
                "with a letter or a digit"
            )
        content = parse_content(text, f"recipe {name}")
        digest = content_hash(content)
        versions = self.versions(name)
        if versions:
            newest = self.get(name, versions[-1])
            if newest.ref.sha256 == digest and not newest.is_removed:
                return newest
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        version = versions[-1] if versions else 0
        while True:
            version += 1
            head = f"# lineward recipe {name} {version} sha256={digest} wall_ns={time.time_ns()}\n"
            if _put(folder / f"{version}.toml", head + text):
                return self.get(name, version)

    def get(self, name: str, version: int | None = None) -> Recipe:
        """Return a version, removed or not; the newest that is not removed when none is named.

        Raises RecipeMissingError, and RecipeContentError for a file that is no longer what was stored.
        """
        _check_name(name)
        if version is None:
            kept = [one for one in self.versions(name) if not self._mark(name, one).exists()]
            if not kept:
                raise RecipeMissingError(f"recipe {name!r}: there is none — {self._names()} — add it first")
            version = kept[-1]
        file = self.folder / name / f"{version}.toml"
        try:
            stored = file.read_text("utf-8")
        except FileNotFoundError:
            told = ", ".join(map(str, self.versions(name))) or "none"
            raise RecipeMissingError(
                f"recipe {name!r}: there is no version {version} — {told} there — choose one of those"
            ) from None
        except UnicodeDecodeError as error:
            raise RecipeContentError(
                f"{file}: is no text ({error}) — such a file is never changed — add the content as a new version"
            ) from None
        head = _HEAD.match(stored)
        text = stored[head.end() :] if head else stored
        content = parse_content(text, str(file))
        digest = content_hash(content)
        if head is None or (head[1], int(head[2]), head[3]) != (name, version, digest):
            raise RecipeContentError(
                f"{file}: is not what was stored as recipe {name} version {version} — such a file is never changed — "
                "add the content as a new version"
            )
        ref = RecipeRef(name, version, digest)
        return Recipe(ref, content, text, self._mark(name, version).exists(), int(head[4]))

    def every(self) -> list[Recipe]:
        """Return every version of every recipe, by name, the oldest version first. Raises RecipeContentError."""
        if not self.folder.is_dir():
            return []
        names = sorted(place.name for place in self.folder.iterdir() if place.is_dir())
        return [self.get(name, version) for name in names for version in self.versions(name)]

    def versions(self, name: str) -> list[int]:
        """Return the versions of a name, removed ones too, the oldest first."""
        folder = self.folder / name
        if not folder.is_dir():
            return []
        return sorted(int(file.stem) for file in folder.glob("*.toml") if file.stem.isdecimal())

    def remove(self, name: str, version: int) -> None:
        """Mark a version as removed: it is prepared no more, and stays readable. Raises RecipeMissingError, OSError."""
        self.get(name, version)
        _put(self._mark(name, version), f"removed wall_ns={time.time_ns()}\n")

    def is_removed(self, name: str, version: int) -> bool:
        """Return whether a version is marked as removed."""
        return self._mark(name, version).exists()

    def removed_wall_ns(self, name: str, version: int) -> int:
        """Return when a version was marked as removed (UTC nanoseconds since 1970); 0 where that cannot be told."""
        try:
            found = _REMOVED.match(self._mark(name, version).read_text("utf-8"))
        except (OSError, UnicodeDecodeError):
            return 0
        return int(found[1]) if found else 0

    def _mark(self, name: str, version: int) -> Path:
        return self.folder / name / f"{version}.removed"

    def _names(self) -> str:
        names = sorted({recipe.ref.name for recipe in self.every() if not recipe.is_removed})
        return f"{', '.join(names)} are there" if names else "no recipe is stored"


def _check_name(name: str) -> None:
    if name == STATION_RECIPE:
        raise RecipeError(f"recipe {name!r}: this is what the station's own file holds — choose another name")
    if not re.fullmatch(NAME_PATTERN, name) or name.startswith("."):
        raise RecipeError(
            f"recipe {name[:70]!r}: 1 to 64 letters, digits, _ . or - are allowed, and no . first — choose such a name"
        )


def _put(place: Path, text: str) -> bool:
    """Write a file whole and durably where none is; False where there is one."""
    beside = place.with_name(f".{secrets.token_hex(6)}.half")
    try:
        with beside.open("x", encoding="utf-8") as new:
            new.write(text)
            new.flush()
            os.fsync(new.fileno())
        try:
            os.link(beside, place)
        except FileExistsError:
            return False
    finally:
        beside.unlink(missing_ok=True)
    for folder in (place.parent, place.parent.parent):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    return True
