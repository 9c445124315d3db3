"""The station's memory: record store, writer and reader, the in-flight journal, and who hears of new records."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from inspection.api.feed import RecordFeed
from inspection.config import StationConfig
from inspection.engine import Engine
from inspection.part import PartResult
from inspection.recipes import changes as recipe_changes
from inspection.recipes.content import RecipeRef, own_recipe
from inspection.recipes.store import FOLDER as RECIPES
from inspection.recipes.store import RecipeStore
from inspection.records import hold_requests
from inspection.records.challenges import ChallengeEntry
from inspection.records.entries import Entry, EntryKind, StoredEntry
from inspection.records.journal import Journal, recover
from inspection.records.reader import RecordReader
from inspection.records.record import Run, StoredRecord
from inspection.records.requests import Requests
from inspection.records.signing import SigningKey
from inspection.records.store import RecordStore
from inspection.records.upkeep import RecordUpkeep
from inspection.records.writer import RecordWriter
from inspection.tracking.part import PartInFlight


class Memory:
    """Opens the store, recovers what a crash left open, and begins a run. Owned by the station."""

    def __init__(
        self,
        config: StationConfig,
        config_hash: str,
        engine: Engine,
        on_durable: Callable[[list[StoredRecord]], None],
        on_trouble: Callable[[str], None],
        on_image_trouble: Callable[[str], None],
        on_unsigned: Callable[[str], None],
    ) -> None:
        """Raises RecordsError when the folder cannot be used. An empty text says that the trouble is over."""
        self._folder = folder = config.records.dir
        store = RecordStore(folder)
        try:
            self._journal = Journal(folder)
            self.recovered = recover(store, self._journal)
            key = SigningKey.in_folder(folder)
        except BaseException:
            store.close()
            raise
        self._writer = RecordWriter(store, config.records, key)
        self.reader = RecordReader(folder)
        self.feed = RecordFeed(self.reader)
        self._listeners: list[Callable[[list[StoredRecord]], None]] = [on_durable]
        self._entry_listeners: list[Callable[[StoredEntry], None]] = []
        self._writer.on_durable(self._journal.recorded)
        self._writer.on_durable(self._publish)
        self._writer.on_trouble(on_trouble)
        self._writer.on_recovered(lambda: on_trouble(""))
        self._writer.on_image_trouble(on_image_trouble)
        self._writer.on_image_recovered(lambda: on_image_trouble(""))
        self.run = ""
        self.begin_run(config, config_hash, engine, own_recipe(config).ref)
        recipes = RecipeStore(folder / RECIPES)
        looks = (
            self._writer.tend_images,
            Requests(folder / hold_requests.FOLDER, partial(hold_requests.take, self)).answer,
            Requests(folder / recipe_changes.REQUEST_FOLDER, partial(recipe_changes.take, recipes, self)).answer,
        )
        self._upkeep = RecordUpkeep(self._writer.sign, config.records.sign_every_hours * 3600, looks, on_unsigned)
        self._upkeep.start()

    def begin_run(self, config: StationConfig, config_hash: str, engine: Engine, recipe: RecipeRef) -> None:
        """Begin a run with what parts are inspected with from now on; no part is in flight. Raises RecordRunError."""
        started_wall_ns = time.time_ns()
        moment = datetime.fromtimestamp(started_wall_ns * 1e-9, UTC)
        run = moment.strftime("%Y%m%dT%H%M%S.%fZ")
        self._writer.begin_run(
            Run(
                run=run,
                station=config.station.name,
                model=engine.bundle.card.name,
                bundle_digest=engine.bundle.digest,
                config_hash=config_hash,
                thresholds_hash=_digest(engine.thresholds()),
                provider=engine.provider,
                started_wall_ns=started_wall_ns,
                started_host_ns=time.monotonic_ns(),
                recipe=recipe.name,
                recipe_hash=recipe.sha256,
            )
        )
        self.run = run

    def subscribe(self, listener: Callable[[list[StoredRecord]], None]) -> None:
        """Call back with each group of records once it is durable, on the store's thread."""
        self._listeners.append(listener)

    def subscribe_entries(self, listener: Callable[[StoredEntry], None]) -> None:
        """Call back with each entry of the book once it is durable, on the thread that noted it."""
        self._entry_listeners.append(listener)

    def _publish(self, records: list[StoredRecord]) -> None:
        for listener in self._listeners:
            listener(records)
        self.feed.notify()

    def born(self, part: PartInFlight, due_host_ns: int, deadline_host_ns: int) -> None:
        """Note a part before anything is decided about it, so that a crash cannot lose it. Raises JournalError."""
        trigger_host_ns = part.stages.trigger_host_ns
        self._journal.born(self.run, part.number, trigger_host_ns, due_host_ns, deadline_host_ns, part.lot, part.serial)

    def submit(self, result: PartResult) -> bool:
        """Hand a finished part to the recorder; False when its queue is full."""
        return self._writer.submit(result)

    def note_challenge(self, entry: ChallengeEntry) -> None:
        """Store one entry about a challenge, durably. Raises RecordDiskError when the disk refuses."""
        self._writer.note_challenge(entry)

    def note(self, entry: Entry) -> StoredEntry:
        """Store one entry of the book, durably, from any thread. Raises RecordDiskError when the disk refuses."""
        stored = self._writer.note(entry)
        for listener in self._entry_listeners:
            listener(stored)
        return stored

    def entries(
        self,
        *,
        kind: EntryKind | None = None,
        subject: str | None = None,
        who: str | None = None,
        after: int = 0,
        limit: int = 100,
        newest_first: bool = False,
    ) -> list[StoredEntry]:
        """Return durable entries of the book that fit every filter given, as `RecordReader.entries` does."""
        return self.reader.entries(
            kind=kind, subject=subject, who=who, after=after, limit=limit, newest_first=newest_first
        )

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything submitted is durable and published; False when it took longer."""
        return self._writer.flush(timeout_s)

    def spare_images(self, done_to: Callable[[], int | None]) -> None:
        """Remove images up to this record first: those behind it wait for a copy. Called on the store's thread."""
        self._writer.spare_images(done_to)

    def free_mb(self) -> int:
        """Return the free space of the records' disk, in MB (10⁶ bytes)."""
        return shutil.disk_usage(self._folder).free // 1_000_000

    def counters(self) -> Mapping[str, int]:
        """Return what the recorder counted."""
        return {**self._writer.counters(), "records_recovered": self.recovered}

    def close(self) -> None:
        """Store what waits and release everything; parts without a record stay in the journal for the next start."""
        self._upkeep.close(timeout_s=5.0)
        self._writer.close(timeout_s=10.0)
        self._journal.close()
        self.reader.close()


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
