"""What a task gives to a run: a way to load its images, and a fitted module that is ready to be released."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from torch import nn

from models.card import GoldenSpec, MapSpec, PlaceSpec
from training.images import Source
from training.material import Material
from training.network import Start
from training.runfolder import RunFolder
from training.screen import Screen
from training.settings import TrainSettings

if TYPE_CHECKING:
    from training.epochs import Watch

History = Sequence[Mapping[str, float | int | None]]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted model and what its card says of it: a plain value.

    model: uint8 (n, h, w, c) -> scores float32 (n, classes), calibrated, so that `models.score.defect_probability` of
    them can be read as a frequency; where `map` is given, -> (scores, map float32 (n, map height, map width) in 0..1).
    temperature: the divisor that is already in the scores. network: name of the architecture. history: a row an epoch,
    empty where nothing is fitted in epochs.
    """

    model: nn.Module
    temperature: float
    network: str
    history: History = ()
    map: MapSpec | None = None
    places: tuple[PlaceSpec, ...] = ()
    tile: int | None = None
    smallest_defect_px: float | None = None
    golden: GoldenSpec | None = None


class Task(Protocol):
    """One kind of model: a value without state, safe to share."""

    def load(self, source: Source, settings: TrainSettings, folder: RunFolder, advance: Callable[[], None]) -> Material:
        """Load every image of a data set at the input size; `advance` once an image. Raises DatasetError."""
        ...

    def fit(
        self, material: Material, settings: TrainSettings, start: Start, folder: RunFolder, screen: Screen
    ) -> Fitted:
        """Fit, or go on with what the folder kept, and calibrate on the validation images. Raises TrainingError."""
        ...


@runtime_checkable
class Watched(Task, Protocol):
    """A task that tells of every epoch, so that several settings can be tried and the poor ones ended early."""

    def has_epochs(self, material: Material, /) -> bool:
        """Tell whether there is anything to fit in epochs to these images."""
        ...

    def fit_watched(
        self,
        material: Material,
        settings: TrainSettings,
        start: Start,
        folder: RunFolder,
        screen: Screen,
        watch: Watch,
    ) -> Fitted:
        """Fit as `fit` does and give each epoch to `watch`, also those that an earlier start finished.

        What `watch` raises ends the fitting.
        """
        ...
