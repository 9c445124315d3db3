"""Preparing a recipe: its model is loaded and warmed in a second slot while the line stands, then takes over."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from inspection.config import StationConfig, config_digest
from inspection.engine import Engine
from inspection.errors import ConfigError
from inspection.recipes.changes import Change, note_change
from inspection.recipes.content import STATION_RECIPE, Recipe, RecipeRef, merged, own_recipe, parse_content
from inspection.recipes.errors import RecipeContentError, RecipeError, RecipeInUseError, RecipeMissingError
from inspection.recipes.store import FOLDER, RecipeStore
from inspection.records.entries import Entry, EntryBook, EntryKind, StoredEntry
from inspection.state_machine import Cause
from inspection.station_states import StationStates
from models.errors import ModelError

_log = logging.getLogger(__name__)
SUBJECT = "recipe"
"""Of the entries of kind STATION: which recipe was prepared."""


class Entries(Protocol):
    """Where entries are read: the station's memory, or a reader beside it."""

    def entries(
        self, *, kind: EntryKind | None = None, subject: str | None = None, limit: int = 100, newest_first: bool = False
    ) -> list[StoredEntry]:
        """Return durable entries."""


def last_prepared(book: Entries) -> tuple[str, int]:
    """Return name and version of the recipe that was prepared last; the station's own where none ever was."""
    last = book.entries(kind=EntryKind.STATION, subject=SUBJECT, limit=1, newest_first=True)
    content = last[0].entry.content if last else {}
    return str(content.get("name", STATION_RECIPE)), int(content.get("version", 0))


class Exchangeable(Protocol):
    """What a recipe is prepared in: the open parts of the station."""

    engine: Engine

    def load(self, config: StationConfig) -> Engine:
        """Load and warm a configuration's model beside the present one."""

    def exchange(self, config: StationConfig, digest: str, engine: Engine, recipe: RecipeRef) -> None:
        """Go by it from now on, in a new run."""


class Preparing:
    """The recipes of an open station, and the one that is prepared. Owned by the station; safe from any thread.

    lock: of the commands that start and stop the line; it is held while a loaded recipe takes over, not while it
    loads. changed: told the configuration and its digest as soon as they hold. lost: told why the recipe of before
    cannot be had, and '' when one is prepared. One preparation at a time.
    """

    def __init__(
        self,
        config: StationConfig,
        parts: Exchangeable,
        states: StationStates,
        book: EntryBook,
        lock: threading.Lock,
        next_step: Callable[[], str],
        changed: Callable[[StationConfig, str], None],
        lost: Callable[[str], object],
    ) -> None:
        self._config, self._parts, self._states, self._book = config, parts, states, book
        self._lock, self._next_step, self._changed, self._lost = lock, next_step, changed, lost
        self.store = RecipeStore(config.records.dir / FOLDER)
        self.own = own_recipe(config)
        self._loaded = self.own.ref
        self._one = threading.Lock()
        self.pending: RecipeRef | None = None
        """The recipe that is just being loaded, None for none."""

    @property
    def prepared(self) -> RecipeRef | None:
        """The recipe that parts are inspected with; None while none is prepared."""
        return self._loaded if self._states.facts.has_recipe else None

    def prepare(self, name: str, version: int | None = None, who: str = "") -> RecipeRef:
        """Load, warm and take over a recipe, in a new run; takes seconds. An earlier one stays if this fails.

        name: "station" for what the station's file holds. version: the newest when none is named. Raises StateError,
        RecipeError, ChallengeStateError or RecordsError.
        """
        return self._prepare(name, version, who, require=self._require)

    def _require(self) -> None:
        self._states.require(Cause.PREPARE_RECIPE, self._next_step())

    def _prepare(self, name: str, version: int | None, who: str, require: Callable[[], None]) -> RecipeRef:
        if not self._one.acquire(blocking=False):
            told = f"recipe {self.pending} is being loaded" if self.pending else "another recipe is being prepared"
            raise RecipeInUseError(f"recipe {name!r}: {told} — one at a time is prepared — wait until that has ended")
        try:
            require()
            recipe = self._find(name, version)
            self.pending = recipe.ref
            config = (
                merged(self._config, recipe.content, f"recipe {recipe.ref}") if recipe.ref.version else self._config
            )
            self._take_over(recipe, config, who, require)
        finally:
            self.pending = None
            self._one.release()
        return recipe.ref

    def unprepare(self) -> None:
        """Let go of the prepared recipe: the line cannot start until one is prepared. Raises StateError."""
        with self._lock:
            self._states.require(Cause.UNPREPARE_RECIPE, self._next_step())
            self._states.apply(Cause.UNPREPARE_RECIPE)

    def every(self) -> list[Recipe]:
        """Return every version of every recipe, the station's own first. Raises RecipeContentError."""
        return [self.own, *self.store.every()]

    def get(self, name: str, version: int | None) -> Recipe:
        """Return a version, removed or not; the newest that is not when none is named. Raises RecipeError."""
        return self._own(version) if name == STATION_RECIPE else self.store.get(name, version)

    def fits(self, name: str, version: int | None) -> bool:
        """Return whether the prepared recipe is this one; the newest version is meant where none is named."""
        prepared = self.prepared
        if prepared is None or prepared.name != name:
            return False
        return version == prepared.version if version is not None else self._find(name, None).ref == prepared

    def check(self, text: str) -> None:
        """Raise RecipeContentError unless a text is a recipe of this station."""
        merged(self._config, parse_content(text, "recipe"), "recipe")

    def add(self, name: str, text: str, who: str) -> Recipe:
        """Store a text as the next version of a name. Raises RecipeError, RecordsError when it cannot be noted."""
        self.check(text)
        added = self.store.add(name, text)
        note_change(self.store, self._book, added, Change.ADDED, who)
        return added

    def remove(self, name: str, version: int, who: str = "") -> Recipe:
        """Mark a version as removed. Raises RecipeError, RecipeInUseError for the one that is prepared, or loads."""
        for ref in (self.prepared, self.pending):
            if ref is not None and (ref.name, ref.version) == (name, version):
                raise RecipeInUseError(
                    f"recipe {ref}: is prepared — it is removed when it is not — prepare another one"
                )
        if self.get(name, version).is_removed:
            return self.get(name, version)
        self.store.remove(name, version)
        removed = self.store.get(name, version)
        note_change(self.store, self._book, removed, Change.REMOVED, who)
        return removed

    def restore(self) -> None:
        """Prepare what was prepared when the station's process ended, the station's own recipe where none was.

        One that cannot be had any more leaves the station INITIALIZED: parts are never inspected with another one.
        """
        name, version = last_prepared(self._book)
        if name == STATION_RECIPE:
            self._states.apply(Cause.PREPARE_RECIPE, str(self.own.ref))
            return
        try:
            self._prepare(name, version, "", lambda: None)  # nothing runs yet, whatever is broken
        except RecipeError as error:
            _log.error("recipe %s (version %d), prepared before, cannot be prepared again: %s", name, version, error)
            self._lost(str(error))

    def _find(self, name: str, version: int | None) -> Recipe:
        if name == STATION_RECIPE:
            return self._own(version)
        recipe = self.store.get(name, version)
        if recipe.is_removed:
            raise RecipeMissingError(f"recipe {recipe.ref}: was removed — it is kept for old records — add it again")
        return recipe

    def _own(self, version: int | None) -> Recipe:
        if version:
            raise RecipeMissingError(
                f"recipe {STATION_RECIPE!r}: there is no version {version} — the station's own file has none — leave "
                "the version out, or name a stored recipe"
            )
        return self.own

    def _take_over(self, recipe: Recipe, config: StationConfig, who: str, require: Callable[[], None]) -> None:
        """Load the model where it is not the one that is loaded, and go by the recipe."""
        is_loaded = recipe.ref == self._loaded
        try:
            engine = self._parts.engine if is_loaded else self._parts.load(config)
        except (ConfigError, ModelError, OSError) as error:
            raise self._stays(recipe.ref, error) from error
        try:
            with self._lock:
                require()
                digest = config_digest(config)
                self._parts.exchange(config, digest, engine, recipe.ref)
                self._loaded = recipe.ref
                self._changed(config, digest)
                self._states.apply(Cause.PREPARE_RECIPE, str(recipe.ref))
                self._lost("")
        except ConfigError as error:
            raise self._stays(recipe.ref, error) from error
        finally:
            if engine is not self._parts.engine:
                engine.close()
        ref = recipe.ref
        content = {"name": ref.name, "version": ref.version, "sha256": ref.sha256}
        self._book.note(Entry(EntryKind.STATION, SUBJECT, who, time.time_ns(), content))

    def _stays(self, ref: RecipeRef, error: Exception) -> RecipeContentError:
        left = f"recipe {self.prepared} stays prepared" if self.prepared else "no recipe is prepared"
        return RecipeContentError(f"recipe {ref}: cannot be prepared: {error}; {left}")
