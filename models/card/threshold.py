"""The proposed limit of the defect probability, and the costs that may have decided it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from models.card.figures import Rate
from models.card.section import Count, Section, Share


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
