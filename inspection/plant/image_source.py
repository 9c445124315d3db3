"""Reading an image wherever it is: on the station's disk, or at the plant when the disk budget has taken it."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from pathlib import PurePosixPath

from inspection.plant.errors import PlantAwayError
from inspection.plant.image_store import ImageStore
from inspection.plant.uploading import image_key
from inspection.records.errors import RecordLostError
from inspection.records.reader import RecordReader
from inspection.records.record import CONTENT_TYPES, ImageState

_AT_ONCE = 2
_AWAY_S = 5.0


class ImageSource:
    """Owned by `PlantCopy`; safe in any thread. A read at the plant waits: never on the line's threads.

    Two may wait at a time, and none for a while after one that waited in vain: other readers are not held up.
    """

    def __init__(self, reader: RecordReader, open_store: Callable[[], ImageStore] | None) -> None:
        """open_store: None where images are kept on the station alone."""
        self._reader, self._open_store = reader, open_store
        self._room = threading.BoundedSemaphore(_AT_ONCE)
        self._store: ImageStore | None = None
        self._away_until_host_s = 0.0

    def image(self, sequence: int) -> tuple[bytes, str] | None:
        """Return a record's image file and its content type; None when none was kept, or none is left anywhere.

        What comes is what the record names, by its hash. Raises RecordMissingError, PlantAwayError when the plant's
        store does not answer, PlantSettingsError, and RecordLostError when the only copy is another image.
        """
        record = self._reader.get(sequence)
        if record.image_state is not ImageState.KEPT:
            return None
        here = self._reader.image(sequence)
        if here is not None and _is_it(here[0], record.image_sha256):
            return here
        if self._open_store is None:
            return here
        data = self._fetch(self._open_store, image_key(record.station, record.image_file))
        if data is None:
            return here
        if not _is_it(data, record.image_sha256):
            raise RecordLostError(
                f"record {sequence}: its image at the plant was changed — the record names its sha256 — look for it in "
                "an older version or a backup of the plant's store"
            )
        return data, CONTENT_TYPES[PurePosixPath(record.image_file).suffix]

    def _fetch(self, open_store: Callable[[], ImageStore], key: str) -> bytes | None:
        if time.monotonic() < self._away_until_host_s:
            raise PlantAwayError("it did not answer a moment ago — ask again in some seconds")
        if not self._room.acquire(blocking=False):
            raise PlantAwayError(f"{_AT_ONCE} images are fetched from it now — ask again in some seconds")
        try:
            store = self._store = self._store or open_store()
            return store.get(key)
        except PlantAwayError:
            self._store, self._away_until_host_s = None, time.monotonic() + _AWAY_S
            raise
        finally:
            self._room.release()


def _is_it(data: bytes, sha256: str) -> bool:
    return hashlib.sha256(data).hexdigest() == sha256
