"""Where labelled photos lie and how they are to be read, as a command line says it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from datasets.files import Progress
from datasets.reader import read_dataset
from datasets.sample import Dataset


@dataclass(frozen=True, slots=True)
class Location:
    """A folder of labelled photos and what is said about it: a plain value.

    form: name of its format, else found by looking. annotations: the file with the labels, where it lies elsewhere or
    several do. good: the class that passes, else found by its name. groups: CSV that says which photos show one piece.
    """

    folder: Path
    form: str | None = None
    annotations: Path | None = None
    good: str | None = None
    groups: Path | None = None

    def read(self, *, require_good: bool = True, progress: Progress | None = None) -> Dataset:
        """Return the data set, as `datasets.reader.read_dataset` does. Raises DatasetError."""
        return read_dataset(
            self.folder,
            good=self.good,
            groups=self.groups,
            require_good=require_good,
            progress=progress,
            format=self.form,
            annotations=self.annotations,
        )
