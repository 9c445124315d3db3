"""What the Open Inference Protocol asks of the station: which model is loaded, and what it says of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from camera.frame import Pixels
from inspection.control import State
from models.card import Card
from models.session import Given


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """The model that is loaded now. digest: of its bundle. provider: what it runs on."""

    card: Card
    digest: str
    provider: str


class ModelPort(Protocol):
    """The station's model, apart from its line; implemented by `inspection.station.Station`, safe from any thread."""

    @property
    def state(self) -> State:
        """What the station does now."""

    def loaded_model(self) -> LoadedModel:
        """Return the model that is loaded. Raises StateError when none is."""

    def infer(self, batch: Pixels, timeout_s: float) -> Given:
        """Give all that the model says of a batch uint8 (n, height, width, channels), n >= 1, raw.

        Raises StateError when the model is not ready, BusyError when it cannot be answered within `timeout_s`.
        """
