"""Images whose label is probably wrong: what is told of them, and where the search for them is plugged in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from typing import Protocol, cast

from datasets.errors import DatasetError
from datasets.files import Progress
from datasets.sample import Dataset

PLUG = "lineward.dataset.suspects"  # group of entry points: what searches needs a network, which is not read from here
_TRUSTED = 0.8  # share of the labels that a classifier gives itself before its doubts are believed


@dataclass(frozen=True, slots=True)
class Suspect:
    """An image whose label a model that never saw it contradicts; probabilities are that model's, 0…1."""

    file: str
    given: str
    suggested: str
    given_probability: float
    suggested_probability: float


@dataclass(frozen=True, slots=True)
class Suspicion:
    """The outcome of a search for wrong labels: a plain value.

    found: the surest first. images: how many were looked at. agreement: share of them whose label the model gives too;
    where that is low the search means little. left_out: class -> why none of its images was looked at. told: what the
    features were made with.
    """

    found: tuple[Suspect, ...]
    images: int
    folds: int
    agreement: float
    left_out: dict[str, str]
    told: str

    def verdict(self) -> str:
        """Say what the outcome is worth; '' where nothing was found."""
        if not self.found:
            return ""
        if self.agreement < _TRUSTED:
            return (
                f"{len(self.found)} labels are doubted, but by a classifier that gives only "
                f"{100 * self.agreement:.0f} % of all labels itself; its doubts mean little: "
                "the first few may be worth a look"
            )
        return f"{len(self.found)} labels are probably wrong; look at these images"


class Finder(Protocol):
    """Searches a data set for labels that are probably wrong; images of one group are never judged by each other."""

    def __call__(
        self, dataset: Dataset, *, backbone: str, weights: str, seed: int, threads: int, progress: Progress | None
    ) -> Suspicion:
        """Return what was found; raise an error with an `exit_code`."""
        ...


def load_finder() -> Finder:
    """Return the search that is installed; raise DatasetError where there is none."""
    cure = "pip install 'lineward[train]', or leave --weights out"
    for entry in entry_points(group=PLUG):
        try:
            return cast(Finder, entry.load())
        except ModuleNotFoundError as error:
            raise DatasetError(
                f"'{error.name}' is not installed; suspect labels need the training stack; {cure}"
            ) from error
    raise DatasetError(f"nothing that finds suspect labels is installed; they need the training stack; {cure}")


def grouped_by(dataset: Dataset, pieces: Sequence[Sequence[str]]) -> Dataset:
    """Return the data set with the images named together in one group, where no groups were stated."""
    if any(sample.group != dataset.name_of(sample) for sample in dataset.samples):
        return dataset
    piece_of = {name: f"piece-{number}" for number, names in enumerate(pieces) for name in names}
    samples = (replace(sample, group=piece_of.get(sample.group, sample.group)) for sample in dataset.samples)
    return replace(dataset, samples=tuple(samples))
