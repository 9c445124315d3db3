"""What is written down of a change of the stored recipes: who added or removed which version, and what it meant."""

from __future__ import annotations

import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from inspection.plain_text import printable
from inspection.recipes.content import Recipe
from inspection.recipes.errors import RecipeContentError, RecipeError
from inspection.recipes.store import RecipeStore
from inspection.records.entries import Entry, EntryBook, EntryKind, StoredEntry

REQUEST_FOLDER = "recipe-requests"
_PAGE = 500


class Change(StrEnum):
    """The two things that happen to a version."""

    ADDED = "ADDED"
    REMOVED = "REMOVED"


def note_change(
    store: RecipeStore, book: EntryBook, recipe: Recipe, change: Change, who: str, caller: str = ""
) -> StoredEntry:
    """Write down what was done to a version, durably; what is written down already is returned. Raises RecordDiskError.

    The content says which version was the newest before and after: what was prepared by the name alone, and is now.
    at_wall_ns: when the version was stored or marked; the entry's own time is later where a command was repeated since
    it was interrupted. caller: how the change was asked for, if not over the API.
    """
    ref = recipe.ref
    if (known := _noted(book, ref.name, ref.version, change)) is not None:
        return known
    kept = [version for version in store.versions(ref.name) if not store.is_removed(ref.name, version)]
    others = [version for version in kept if version != ref.version]
    before = [*kept, ref.version] if change is Change.REMOVED else [one for one in others if one < ref.version]
    content = {
        "change": change.value,
        "version": ref.version,
        "sha256": ref.sha256,
        "before": _newest(store, ref.name, before),
        "after": _newest(store, ref.name, others if change is Change.REMOVED else kept),
        "at_wall_ns": store.removed_wall_ns(ref.name, ref.version) if recipe.is_removed else recipe.stored_wall_ns,
        **({"caller": caller} if caller else {}),
    }
    return book.note(Entry(EntryKind.RECIPE, ref.name, who, time.time_ns(), content))


def request(recipe: Recipe, change: Change, who: str, caller: str) -> dict[str, Any]:
    """Return what a command asks a running station to write down."""
    ref = recipe.ref
    return {"change": change.value, "name": ref.name, "version": ref.version, "who": who, "caller": caller}


def take(store: RecipeStore, book: EntryBook, asked: Mapping[str, Any]) -> StoredEntry:
    """Write down the change that a command made, if it is so. Raises ValueError for one that is not to be seen."""
    change = Change(asked["change"])
    try:
        recipe = store.get(str(asked["name"]), int(asked["version"]))
    except RecipeError as error:
        raise ValueError(str(error)) from error
    if change is Change.REMOVED and not recipe.is_removed:
        raise ValueError(f"recipe {recipe.ref}: is not removed — repeat the command that removes it")
    return note_change(store, book, recipe, change, printable(str(asked["who"])), printable(str(asked["caller"])))


def _noted(book: EntryBook, name: str, version: int, change: Change) -> StoredEntry | None:
    """Return the entry about one change of one version."""
    at = 0
    while page := book.entries(kind=EntryKind.RECIPE, subject=name, after=at, limit=_PAGE):
        for one in page:
            content = one.entry.content
            if (content.get("change"), content.get("version")) == (change.value, version):
                return one
        at = page[-1].sequence
    return None


def _newest(store: RecipeStore, name: str, versions: list[int]) -> dict[str, Any] | None:
    """Return the newest of some versions, with its hash if its file is still what was stored."""
    if not versions:
        return None
    try:
        sha256 = store.get(name, max(versions)).ref.sha256
    except RecipeContentError:
        sha256 = ""
    return {"version": max(versions), "sha256": sha256}
