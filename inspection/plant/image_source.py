"""Reading an image wherever it is: on the station's disk, or at the plant when the disk budget has taken it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import PurePosixPath

from inspection.plant.image_store import ImageStore
from inspection.plant.uploading import image_key
from inspection.records.errors import RecordLostError
from inspection.records.reader import RecordReader
from inspection.records.record import CONTENT_TYPES, ImageState


class ImageSource:
    """Owned by `PlantCopy`; safe in any thread. A read at the plant waits: never on the line's threads."""

    def __init__(self, reader: RecordReader, open_store: Callable[[], ImageStore] | None) -> None:
        """open_store: None where images are kept on the station alone."""
        self._reader, self._open_store = reader, open_store

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
        data = self._open_store().get(image_key(record.station, record.image_file))
        if data is None:
            return here
        if not _is_it(data, record.image_sha256):
            raise RecordLostError(
                f"record {sequence}: its image at the plant was changed — the record names its sha256 — look for it in "
                "an older version or a backup of the plant's store"
            )
        return data, CONTENT_TYPES[PurePosixPath(record.image_file).suffix]


def _is_it(data: bytes, sha256: str) -> bool:
    return hashlib.sha256(data).hexdigest() == sha256
