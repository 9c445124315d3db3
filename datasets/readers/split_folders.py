"""Class folders inside folders named after a split, or the other way round."""

from __future__ import annotations

from datasets.readers.folder import Folder
from datasets.readers.folders import read_layout, recognise_layout
from datasets.readers.record import Found


def recognise(folder: Folder) -> str:
    """Return which classes there are where the folders lie so; '' else."""
    return recognise_layout(folder, "split-folders")


def read(folder: Folder) -> Found:
    """Return every image with the class of its folder."""
    return read_layout(folder, "split-folders")
