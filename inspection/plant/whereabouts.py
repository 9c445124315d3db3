"""Where a record's image is to be found when the station does not have it any more, as far as the station knows."""

from __future__ import annotations

from pathlib import Path

from inspection.plant.never_copied import read_never_copied
from inspection.plant.progress import IMAGES_FILE, read_progress
from inspection.plant.uploading import image_key
from inspection.records.record import ImageState, StoredRecord


def whereabouts(directory: Path, record: StoredRecord) -> str:
    """Return why a store has no image of a record, and under which key which place of the plant got it; reads a file.

    directory: the store's. The place is the one that images were copied to last, also where none is configured now.
    """
    if record.image_state is not ImageState.KEPT:
        return "none was kept of this part"
    gone = "the station's rules removed its file" if record.image_removed else "its file is not on the station's disk"
    kept = read_progress(directory / IMAGES_FILE)
    if kept is None:
        return f"{gone}, and images are copied nowhere"
    if record.sequence > kept.numbers.get("records", 0) or record.sequence in read_never_copied(directory, kept.place):
        return f"{gone} before it was copied to {kept.place}"
    return f"{gone}; it was copied to {kept.place} as {image_key(record.station, record.image_file)}"
