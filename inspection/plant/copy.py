"""The plant's copy of one station: the threads that make it, what they count, and the alarms about them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from inspection.background import give_way
from inspection.plant.credentials import database_password
from inspection.plant.database import PlantDatabase
from inspection.plant.forwarding import Forwarding
from inspection.plant.image_source import ImageSource
from inspection.plant.image_store import ImageStore, open_image_store
from inspection.plant.installed import check_installed
from inspection.plant.loop import CopyLoop, LoopState
from inspection.plant.options import PlantOptions
from inspection.plant.uploading import Uploading
from inspection.records.reader import RecordReader

_ALARMS = {"records": "RECORDS_NOT_FORWARDED", "images": "IMAGES_NOT_FORWARDED"}
_SLOW_S = 600.0
"""A copy that works but is behind for so long without a break is too slow for the line."""
_LOST_IS_TOLD_S = 600.0
_LOOK_S = 1.0
_LOOK_SHARE = 20  # looking takes one part in so many of the time


def open_database(options: PlantOptions, station: str, timeout_s: float | None = None) -> PlantDatabase:
    """Return the database of a configuration that names one. Raises RecordStoreError for one that cannot be used.

    timeout_s: another than the configuration's.
    """
    assert options.postgresql is not None
    password = partial(database_password, options)
    return PlantDatabase(options.postgresql, options.schema_of(station), password, timeout_s or options.timeout_s)


class PlantCopy:
    """Owned by the station: brought up after its memory, taken down before it. Nothing on the line calls it.

    Two threads at a lower priority, "plant-records" and "plant-images", read the store as any reader does; the store
    itself is their queue, so that nothing grows in memory however long the plant is away. A third, "plant-watch",
    counts what waits and tells the alarms, also while the others wait for an answer.
    """

    def __init__(
        self,
        options: PlantOptions,
        station: str,
        directory: Path,
        reader: RecordReader,
        tell: Callable[[str, str], None],
    ) -> None:
        """Begin to copy what the options name. tell: raises an alarm by name and detail, clears it by ''.

        Raises RecordStoreError and PlantSettingsError where a driver is missing.
        """
        check_installed(options)
        self._options, self._tell = options, tell
        self._loops: dict[str, CopyLoop] = {}
        self._works: dict[str, Forwarding | Uploading] = {}
        self._told: dict[str, str] = {}
        self._lost_until_host_s = self._vanished_until_host_s = 0.0
        self._lost = self._vanished = 0
        self._over = threading.Event()
        self._waiting = {"records": 0, "images": 0}
        opening: Callable[[], ImageStore] | None = None
        if options.postgresql is not None:
            self._works["records"] = Forwarding(directory, open_database(options, station))
        if options.images is not None:
            opening = partial(open_image_store, options)
            self._works["images"] = Uploading(directory, options.images, opening)
        self.images = ImageSource(reader, opening)
        for name, work in self._works.items():
            self._loops[name] = CopyLoop(work)
        self._watch = threading.Thread(target=self._run, name="plant-watch", daemon=True)
        if self._loops:
            self._watch.start()

    def images_done_to(self) -> int | None:
        """Return the record up to which no image waits for its copy; None where images are not copied. Never waits."""
        uploading = self._works.get("images")
        return uploading.done_to if isinstance(uploading, Uploading) else None

    def counters(self) -> Mapping[str, int]:
        """Return what was copied, what waits, and how often it failed; empty where nothing is copied."""
        counted = {}
        for name, loop in self._loops.items():
            work = self._works[name]
            counted[f"plant_{name}_waiting"] = self._waiting[name]
            counted[f"plant_{name}_copied"] = work.copied
            counted[f"plant_{name}_failures"] = loop.failures
            counted[f"plant_{name}_connected"] = int(not loop.state.trouble)
            if isinstance(work, Uploading):
                counted["plant_images_lost"] = work.lost
            else:
                counted["plant_records_vanished"] = work.vanished
        return counted

    def close(self) -> None:
        """End the threads; what waits is copied after the next start. Idempotent and bounded."""
        self._over.set()
        for loop in self._loops.values():
            loop.close()
        if self._watch.is_alive():
            self._watch.join(_LOOK_S)

    def _run(self) -> None:
        give_way()
        pause_s = _LOOK_S
        try:
            while not self._over.wait(pause_s):
                began_s = time.monotonic()
                for name in self._loops:
                    self._look(name)
                pause_s = max(_LOOK_S, _LOOK_SHARE * (time.monotonic() - began_s))
        except Exception as error:  # noqa: BLE001 - the thread's edge: nobody else would tell of the copies any more
            for name in self._loops:
                self._tell(_ALARMS[name], f"the thread that watches the copies ended: {error!r}")

    def _look(self, name: str) -> None:
        self._count(name)
        detail = self._detail(name, self._loops[name].state)
        if detail != self._told.get(name, ""):
            self._told[name] = detail
            self._tell(_ALARMS[name], detail)

    def _count(self, name: str) -> None:
        work = self._works[name]
        try:
            self._waiting[name] = work.waiting().rows if isinstance(work, Forwarding) else work.waiting()
        except SQLAlchemyError:
            return  # the disk refuses: RECORDS_TROUBLE tells of it
        if isinstance(work, Uploading) and work.lost > self._lost:
            self._lost = work.lost
            self._lost_until_host_s = time.monotonic() + _LOST_IS_TOLD_S
        if isinstance(work, Forwarding) and work.vanished > self._vanished:
            self._vanished = work.vanished
            self._vanished_until_host_s = time.monotonic() + _LOST_IS_TOLD_S

    def _detail(self, name: str, state: LoopState) -> str:
        """Return what is wrong with a copy, '' while nothing is that somebody should know of."""
        found = []
        waiting = f"{self._waiting[name]} wait"
        if state.trouble and (state.conflict or _age_s(state.since_host_ns) >= self._options.alarm_after_s):
            since = datetime.fromtimestamp(state.since_wall_ns * 1e-9, UTC)
            found.append(f"{waiting}, since {since:%Y-%m-%d %H:%M} UTC: {state.trouble}")
        elif _age_s(state.behind_since_host_ns) >= _SLOW_S:
            found.append(f"{waiting}: they come faster than they can be copied")
        elif _age_s(state.step_since_host_ns) >= 3 * self._options.timeout_s + self._options.alarm_after_s:
            found.append(f"{waiting}: the other end does not answer")
        if name == "images" and time.monotonic() < self._lost_until_host_s:
            found.append(f"{self._lost} were removed or changed before they were copied")
        if name == "records" and time.monotonic() < self._vanished_until_host_s:
            found.append(f"{self._vanished} rows that were copied vanished at the plant: they are copied again")
        return "; ".join(found)


def _age_s(host_ns: int | None) -> float:
    return 0.0 if host_ns is None else (time.monotonic_ns() - host_ns) * 1e-9
