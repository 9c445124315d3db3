"""What the three layouts of folders have in common: the folder of an image is its class."""

from __future__ import annotations

from datasets.errors import DatasetError
from datasets.layout import list_images
from datasets.readers.folder import Folder
from datasets.readers.record import Found, Record


def recognise_layout(folder: Folder, layout: str) -> str:
    """Return which classes the folders name where they lie in that layout; '' else."""
    listing = list_images(folder.root)
    if not listing.entries or listing.layout != layout:
        return ""
    return "folders " + ", ".join(sorted({entry.label for entry in listing.entries})[:5])


def read_layout(folder: Folder, layout: str) -> Found:
    """Return every image of a layout of folders. Raises DatasetError where the folders lie in another one."""
    listing = list_images(folder.root)
    if listing.entries and listing.layout != layout:
        raise DatasetError(
            f"{folder.root}: is not {layout}, the folders lie as {listing.layout}; leave --format out, or name that"
        )
    records = tuple(Record(e.path, (e.label,), split=e.split, mask=e.mask) for e in listing.entries)
    return Found(listing.layout, records, strays=listing.strays)
