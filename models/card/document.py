"""The card itself: all of its sections, and what must hold between them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from models.card.calibration import Calibration
from models.card.execution import Latency, ParityRow, Tolerance
from models.card.graph import GoldenSpec, InputSpec, MapSpec, PlaceSpec
from models.card.guards import GuardRow
from models.card.metrics import Metrics
from models.card.novelty import NoveltySpec
from models.card.origin import DataOrigin, Provenance
from models.card.pictures import QualityReference
from models.card.section import FileName, Section, Sha256
from models.card.threshold import Threshold

SCHEMA_VERSION = 1


class CardDraft(Section):
    """What the maker of a model knows; `models.bundle.write_bundle` adds the schema version and the files' hashes."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    task: Literal["classify", "anomaly", "segment", "template"] = "classify"
    classes: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = Field(min_length=2, max_length=1000)
    good_class: str
    input: InputSpec
    threshold: Threshold
    tolerance: Tolerance
    data: DataOrigin
    metrics: Metrics
    provenance: Provenance
    calibration: Calibration | None = None
    latency: Latency | None = None
    quality: QualityReference | None = None
    parity: tuple[ParityRow, ...] = Field(default=(), description="every engine where the bundle was made")
    guards: tuple[GuardRow, ...] = Field(
        default=(), description="sets on which it had to be no worse than the one before"
    )
    map: MapSpec | None = Field(default=None, description="where the model shows where a defect is")
    places: tuple[PlaceSpec, ...] = Field(default=(), description="what the graph looks at; empty: all of its input")
    golden: GoldenSpec | None = Field(default=None, description="of the task 'template'")
    tile: int | None = Field(default=None, ge=16, description="side of the tiles that the graph cuts its input into")
    novelty: NoveltySpec | None = Field(default=None, description="where the model tells of pictures unlike any other")
    smallest_defect_px: float | None = Field(
        default=None, ge=0.0, allow_inf_nan=False, description="of the training images, at the network's input"
    )

    @model_validator(mode="after")
    def _places_lie_inside(self) -> CardDraft:
        for place in self.places:
            if place.x + place.width > self.input.width or place.y + place.height > self.input.height:
                raise ValueError(f"place '{place.name}' lies outside the input {self.input.width}×{self.input.height}")
        return self

    @model_validator(mode="after")
    def _classes_fit(self) -> CardDraft:
        if len(set(self.classes)) != len(self.classes):
            raise ValueError(f"classes are named twice: {', '.join(self.classes)}")
        if self.good_class not in self.classes:
            raise ValueError(f"good_class '{self.good_class}' is not one of {', '.join(self.classes)}")
        unknown = sorted(set(self.metrics.per_class) - set(self.classes))
        if unknown:
            raise ValueError(f"metrics.per_class names {', '.join(unknown)}, classes are {', '.join(self.classes)}")
        rows = self.metrics.confusion
        if rows is not None and [len(row) for row in rows] != [len(self.classes)] * len(self.classes):
            raise ValueError(f"metrics.confusion must be {len(self.classes)}×{len(self.classes)}")
        return self

    @property
    def good_index(self) -> int:
        """Give the column of the good class in the scores."""
        return self.classes.index(self.good_class)


class Card(CardDraft):
    """The card as it stands in a bundle: the draft, the schema version and the sha256 of every other file."""

    schema_version: Literal[1]
    files: dict[FileName, Sha256]

    @model_validator(mode="after")
    def _lists_what_a_bundle_needs(self) -> Card:
        missing = sorted({"model.onnx", "golden.npz"} - set(self.files))
        if missing:
            raise ValueError(f"files must list {', '.join(missing)}")
        own = sorted({"card.json", "card.sha256"} & set(self.files))
        if own:
            raise ValueError(f"files must not list {', '.join(own)}: the card cannot hold its own hash")
        return self
