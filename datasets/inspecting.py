"""A data set read, checked and, where weights are given, searched for wrong labels: what check and report share."""

from __future__ import annotations

from dataclasses import replace

from datasets.check import Report, check_dataset
from datasets.location import Location
from datasets.sample import Dataset
from datasets.screen import progress_bar
from datasets.suspects import grouped_by, load_finder


def read_shown(location: Location) -> Dataset:
    """Return the data set, with a progress bar; a good class is not required. Raises DatasetError."""
    with progress_bar("reading") as advance:
        return location.read(require_good=False, progress=advance)


def inspect_folder(
    location: Location, *, seed: int, weights: str | None, backbone: str, threads: int
) -> tuple[Dataset, Report]:
    """Return a data set and what is to be said of it, with progress bars. Raises DatasetError and those of training."""
    finder = load_finder() if weights is not None else None
    dataset = read_shown(location)
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
