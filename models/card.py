"""The card of a model bundle: everything about a model that is not in its graph, as one frozen document."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

SCHEMA_VERSION = 1
RESIZE_METHOD: Literal["area-halving-1"] = "area-halving-1"

Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


class Section(BaseModel):
    """A part of the card: unknown keys are refused, nothing changes after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class InputSpec(Section):
    """The pixels that the graph takes: uint8, (N, height, width, channels)."""

    height: int = Field(ge=1, le=8192, description="rows")
    width: int = Field(ge=1, le=8192, description="columns")
    channels: Literal[1, 3]
    pixel_format: Literal["Mono8", "RGB8"]
    resize: Literal["area-halving-1"] = Field(
        default=RESIZE_METHOD, description="name and version of the function that made the pixels: models.resize.fit"
    )

    @model_validator(mode="after")
    def _format_has_these_channels(self) -> InputSpec:
        expected = {"Mono8": 1, "RGB8": 3}[self.pixel_format]
        if self.channels != expected:
            raise ValueError(f"{self.pixel_format} has {expected} channel(s), the card says {self.channels}")
        return self


class MapSpec(Section):
    """The second output of the graph, "map": float32 (N, height, width), the defect probability of each place."""

    height: int = Field(ge=1, le=8192)
    width: int = Field(ge=1, le=8192)


class PlaceSpec(Section):
    """One of several places that the graph cuts out of its input and judges; a part is as bad as the worst of them."""

    name: str = Field(min_length=1, max_length=100)
    x: int = Field(ge=0)
    y: int = Field(ge=0)
    width: int = Field(ge=1)
    height: int = Field(ge=1)


class GoldenSpec(Section):
    """The golden images that lie in the graph: a part is compared with the one that it looks like most."""

    images: int = Field(ge=1, le=4096)
    stored_bytes: int = Field(ge=1, description="of the graph")
    reach_px: int = Field(ge=0, description="how far beside its golden image a part may lie, at the graph's input")
    correlation_min: float = Field(
        ge=-1.0, le=1.0, allow_inf_nan=False, description="a part that is less like any golden image never passes"
    )
    rescanned: Count = Field(
        default=0, description="good images that are golden ones, shown as if photographed once more"
    )


class Estimate(Section):
    """A measured figure with its confidence interval."""

    value: Finite
    low: Finite
    high: Finite
    confidence: float = Field(default=0.95, gt=0.0, lt=1.0)
    method: str = Field(description="how the interval was made, for instance 'bootstrap 1000' or 'Hanley-McNeil'")

    @model_validator(mode="after")
    def _ordered(self) -> Estimate:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"interval {self.low}..{self.high} does not hold the value {self.value}")
        return self


class Rate(Section):
    """A share of counted cases with its confidence interval (Clopper-Pearson unless `method` says otherwise)."""

    value: Share
    low: Share
    high: Share
    numerator: Count
    denominator: int = Field(ge=1)
    confidence: float = Field(default=0.95, gt=0.0, lt=1.0)
    method: str = "Clopper-Pearson"

    @model_validator(mode="after")
    def _consistent(self) -> Rate:
        if self.numerator > self.denominator:
            raise ValueError(f"{self.numerator} of {self.denominator} is no share")
        if not math.isclose(self.value, self.numerator / self.denominator, abs_tol=1e-9):
            raise ValueError(f"value {self.value} is not {self.numerator}/{self.denominator}")
        if not self.low <= self.value <= self.high:
            raise ValueError(f"interval {self.low}..{self.high} does not hold the value {self.value}")
        return self


class Costs(Section):
    """What a wrong verdict costs, in any unit, and how many of the parts on the line are bad."""

    escape: float = Field(gt=0.0, allow_inf_nan=False, description="of one bad part that passes")
    overkill: float = Field(gt=0.0, allow_inf_nan=False, description="of one good part that is rejected")
    defect_share: float = Field(gt=0.0, lt=1.0, description="share of bad parts on the line")


class Threshold(Section):
    """The proposed limit of the defect probability: at or above it a part is NOT_OK. The recipe decides."""

    value: Share
    target_escape: Share | None = Field(default=None, description="the escape rate that was asked for")
    target_met: bool = Field(description="whether the upper end of the interval of each target is at or below it")
    statement: str = Field(min_length=1, description="one sentence for people: what the sample can and cannot show")
    validation_escape: Rate | None = Field(default=None, description="at this threshold, on the validation split")
    validation_overkill: Rate | None = None
    rule: Literal["escape", "overkill", "cost", "good parts alone"] = Field(
        default="escape", description="what decided: a target, the costs, or the highest scores of good parts"
    )
    target_overkill: Share | None = Field(default=None, description="the overkill rate that was asked for")
    confidence: float = Field(default=0.95, gt=0.0, lt=1.0, description="of the two one-sided limits")
    escape_limit: Share | None = Field(default=None, description="one-sided, counted in pieces; None without a defect")
    overkill_limit: Share | None = Field(default=None, description="one-sided, counted in pieces")
    more_defects: Count | None = Field(default=None, description="that must not escape before the target is supported")
    costs: Costs | None = None


class SizeRecall(Section):
    """Of the marked defects of one size, connected pixels at the network's input in [low, high): how many are found."""

    low_px: float = Field(ge=0.0, allow_inf_nan=False)
    high_px: float | None = Field(default=None, gt=0.0, allow_inf_nan=False, description="None: no upper end")
    shown: Rate = Field(description="the map reaches 50 % on the defect or in a cell beside it")
    rejected: Rate = Field(description="its part is rejected at the threshold")


class Metrics(Section):
    """Figures on images that neither the fitting nor the threshold has seen; None where nothing could be counted."""

    split: str = Field(default="test", min_length=1)
    escape: Rate | None = Field(default=None, description="bad parts that would have passed")
    overkill: Rate | None = Field(default=None, description="good parts that would have been rejected")
    accuracy: Rate | None = Field(default=None, description="good against bad, at the threshold")
    auroc: Estimate | None = None
    average_precision: Estimate | None = None
    per_class: dict[str, Rate] = Field(default_factory=dict, description="share of each class that was found")
    per_place: dict[str, Rate] = Field(
        default_factory=dict, description="of a model with places: share of parts in which each is judged rightly"
    )
    confusion: tuple[tuple[Count, ...], ...] | None = Field(
        default=None, description="rows: truth, columns: likeliest class, both in the order of `classes`"
    )
    recall_by_size: tuple[SizeRecall, ...] = Field(
        default=(), description="where defects are marked and there is a map"
    )
    shown_on_good: Rate | None = Field(default=None, description="good images on which the map reaches 50 % anywhere")
    map_auroc: Estimate | None = Field(default=None, description="cells of the map: defective against not")
    map_average_precision: Estimate | None = None


class DataOrigin(Section):
    """The images that the model was made from."""

    name: str = Field(min_length=1)
    digest: Sha256 = Field(description="sha256 over paths, contents, labels and groups")
    counts: dict[str, dict[str, Count]] = Field(description="split -> class -> images")
    groups: Count | None = Field(default=None, description="number of groups that no split parts")
    split_seed: int | None = None
    split_sha256: Sha256 | None = Field(default=None, description="of the split that a file stated, instead of a seed")


class CalibrationBin(Section):
    """Images whose defect probability lies in [low, high): what was predicted, what was true."""

    low: Share
    high: Share
    mean_probability: Share
    defect_share: Share
    count: int = Field(ge=1)


class Calibration(Section):
    """How far the defect probability can be read as a frequency."""

    split: str = Field(min_length=1)
    temperature: float = Field(gt=0.0, allow_inf_nan=False, description="divisor already applied inside the graph")
    expected_calibration_error: Share
    bins: tuple[CalibrationBin, ...]


class Tolerance(Section):
    """How far two executions of the same image may lie apart."""

    score_abs: float = Field(gt=0.0, le=1.0, allow_inf_nan=False, description="largest |difference| of a raw score")


class Latency(Section):
    """What one call of the session took where the bundle was made; the station measures its own."""

    provider: str = Field(min_length=1)
    processor: str = Field(min_length=1)
    intra_op_threads: int = Field(ge=1)
    repeats: int = Field(ge=1)
    median_s: dict[int, Annotated[float, Field(gt=0.0, allow_inf_nan=False)]] = Field(description="batch -> seconds")


class ParityRow(Section):
    """How far one way to run the graph lies from the model that it was exported from, on the test images.

    engine: as it is chosen ('onnxruntime', 'openvino'), or another execution provider of ONNX Runtime. An engine with
    a row that is not usable is refused.
    """

    engine: str = Field(min_length=1)
    provider: str = Field(default="", description="what the engine says that it runs on")
    batch: int = Field(ge=1)
    threads: int = Field(ge=1, description="of one call in ONNX Runtime, calling at once elsewhere")
    images: Count = Field(
        description="compared; fewer than `test_images`: half next to the threshold, half evenly spread"
    )
    test_images: Count
    max_abs: float | None = Field(
        default=None, ge=0.0, allow_inf_nan=False, description="of a raw score; None: no number"
    )
    flips: Count = Field(default=0, description="verdicts that change at the card's threshold")
    map_max_abs: float | None = Field(default=None, ge=0.0, allow_inf_nan=False, description="of a place of the map")
    usable: bool
    why: str = Field(default="", description="why it is not usable")


class GuardRow(Section):
    """A guarded set of images, judged by the bundle that was in use and by this one, each at its own threshold.

    p_escape, p_overkill: one-sided exact McNemar tests on pieces, that this one is no worse; None without such parts.
    """

    name: str = Field(min_length=1)
    digest: Sha256
    images: Count
    trained_on: Count = Field(description="of these images; they say little")
    defect_pieces: Count
    good_pieces: Count
    escapes_before: Count = Field(description="images of defects that passed")
    escapes: Count
    overkills_before: Count = Field(description="images of good parts that were rejected")
    overkills: Count
    found_before: Count = Field(description="defective pieces that the bundle in use finds")
    lost: Count = Field(description="of these, pieces that this one lets pass")
    p_escape: Share | None = None
    p_overkill: Share | None = None
    p_lost: Share | None = Field(default=None, description="that so many are lost at the escape rate that is promised")
    passed: bool


class PicturesLearned(Section):
    """What limits of pictures come from, and the share of good pictures that they may stop."""

    pieces: int = Field(ge=1, description="good parts that were measured, of the training and validation images")
    stopped_at_most: Share = Field(description="of further good parts like these, before the limits were widened")
    widened: float = Field(ge=1.0, description="each limit was put so many times as far off")
    tested: Count = Field(default=0, description="good test images that were held against the limits")
    tested_outside: Count = 0


class QualityReference(Section):
    """Between which limits pictures were learned from: keys of the station's [quality], which goes before them."""

    focus_min: float | None = Field(default=None, ge=0.0, allow_inf_nan=False)
    brightness_min: float | None = Field(default=None, ge=0.0, le=255.0)
    brightness_max: float | None = Field(default=None, ge=0.0, le=255.0)
    saturated_max: Share | None = None
    dark_max: Share | None = None
    x_min: Share | None = None
    x_max: Share | None = None
    y_min: Share | None = None
    y_max: Share | None = None
    uneven_max: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    light: tuple[Annotated[float, Field(ge=0.0, le=1000.0)], ...] | None = Field(default=None, max_length=64)
    usual: dict[str, Finite] | None = Field(default=None, description="the median of each figure")
    learned: PicturesLearned | None = Field(default=None, description="what the limits come from")

    def limits(self) -> dict[str, object]:
        """Give what the station's [quality] takes: all but where it comes from."""
        return self.model_dump(exclude_none=True, exclude={"learned"})


class Provenance(Section):
    """Where the model comes from, enough to make it again."""

    created_wall: AwareDatetime
    tool: str = Field(min_length=1, description="program and version that wrote the bundle")
    network: str = Field(min_length=1, description="architecture")
    weights: str = Field(min_length=1, description="what the fitting started from, with its sha256 where it was a file")
    seed: int
    versions: dict[str, str] = Field(default_factory=dict, description="library -> version")
    settings: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    command: str | None = Field(default=None, description="as it was typed, the home directory as ~")
    made_from: Sha256 | None = Field(default=None, description="digest of the bundle that this one was made from")


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
