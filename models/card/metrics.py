"""How well the model does on images that it has not seen."""

from __future__ import annotations

from pydantic import Field

from models.card.figures import Estimate, Rate
from models.card.section import Count, Section


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
