"""A measured figure and a counted share, each with its confidence interval."""

from __future__ import annotations

import math

from pydantic import Field, model_validator

from models.card.section import Count, Finite, Section, Share


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
