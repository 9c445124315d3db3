"""A data set read, checked and, where weights are given, searched for wrong labels: what check and report share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from datasets.check import Report, check_dataset
from datasets.reader import read_dataset
from datasets.sample import Dataset
from datasets.screen import progress_bar
from datasets.suspects import grouped_by, load_finder


@dataclass(frozen=True, slots=True)
class Source:
    """Where a data set lies and how it is read, as the command line says: a plain value."""

    folder: Path
    form: str | None = None
    annotations: Path | None = None
    good: str | None = None
    groups: Path | None = None

    def read(self) -> Dataset:
        """Return the data set, with a progress bar; a good class is not required. Raises DatasetError."""
        with progress_bar("reading") as advance:
            return read_dataset(
                self.folder,
                good=self.good,
                groups=self.groups,
                require_good=False,
                progress=advance,
                format=self.form,
                annotations=self.annotations,
            )


def inspect_folder(
    source: Source, *, seed: int, weights: str | None, backbone: str, threads: int
) -> tuple[Dataset, Report]:
    """Return a data set and what is to be said of it, with progress bars. Raises DatasetError and those of training."""
    finder = load_finder() if weights is not None else None
    dataset = source.read()
    with progress_bar("comparing") as advance:
        report = check_dataset(dataset, seed=seed, progress=advance)
    if finder is None or weights is None:
        return dataset, report
    with progress_bar("doubting labels") as advance:
        found = finder(
            grouped_by(dataset, report.repeated),
            backbone=backbone,
            weights=weights,
            seed=seed,
            threads=threads,
            progress=advance,
        )
    return dataset, replace(report, suspects=found)
